"""Parsers refuse with their own error, whatever they are given, and read what they accept as it was written."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.cognito.claims import TOKENS, UnacceptableError, accepted, checked
from claimsmith.cognito.event import Request, parse
from claimsmith.engine.bundle import Bundle
from claimsmith.engine.codec import BundleError, decode, encode
from claimsmith.engine.facts import Problem, Tenant, read_tenant, read_user
from claimsmith.engine.language import AUTHORITY
from claimsmith.errors import Code, EventError, PolicyError, VerificationError
from claimsmith.policy import Draft, from_rows, lint
from claimsmith.policy import compile as compile_policy
from claimsmith.policy.yaml import parse as parse_yaml
from claimsmith.store.attributes import decode_row, encode_row
from claimsmith.verifier import ANY, Claims, KeySource, Verifier, verify_jws
from claimsmith.verifier.jwk import KeySet
from tests.policies import NOW, bundle, policy_rows
from tests.property.strategies import (
    Policy,
    any_events,
    any_value,
    hostile_attributes,
    hostile_claims,
    hostile_directories,
    integers,
    json_values,
    plain,
    policies,
)
from tests.unit.verifier.minting import ISSUER, Pool, access_claims, b64, compact

# Events.


@given(json_values)
def test_any_json_is_an_event_or_an_event_error(value: object) -> None:
    with suppress(EventError):
        parse(value)


PARTS: list[tuple[str, ...]] = [
    ("version",),
    ("triggerSource",),
    ("userName",),
    ("callerContext",),
    ("callerContext", "clientId"),
    ("request",),
    ("request", "userAttributes"),
    ("request", "userAttributes", "sub"),
    ("request", "groupConfiguration"),
    ("request", "groupConfiguration", "groupsToOverride"),
    ("request", "scopes"),
    ("request", "clientMetadata"),
    ("response",),
    ("something",),
]


@given(any_events, st.sampled_from(PARTS), json_values)
def test_an_event_with_any_part_replaced_by_anything_is_read_or_refused(
    event: dict[str, Any], path: tuple[str, ...], value: object
) -> None:
    parent: Any = event
    for name in path[:-1]:
        if not isinstance(parent.get(name), dict):
            return
        parent = parent[name]
    parent[path[-1]] = value
    with suppress(EventError):
        request = parse(event)
        assert isinstance(request, Request)
        assert all(isinstance(text, str) for text in (*request.scopes, *request.groups, *request.metadata.values()))


# Policy files.

_words = "settings roles clients routes &a *a << !!set !!binary !!int !!bool !!float !!timestamp !!omap ! ${X} ${Y} ${"
_marks = ": - { } [ ] , ' | > ? # % --- ... null true 1.5 0x .nan \\U \\ud800 2024-13-45"
_fragments = st.lists(
    st.one_of(st.sampled_from([*_words.split(), *_marks.split(), '"', " ", "\n", "\n  "]), st.text(max_size=3)),
    max_size=20,
).map("".join)


@given(st.one_of(st.text(), _fragments))
def test_any_text_is_a_draft_or_a_policy_error(text: str) -> None:
    try:
        draft = parse_yaml(text, "policy.yaml", {"X": "x"})
    except PolicyError:
        return
    assert isinstance(draft, Draft)
    lint(draft)


_sort_keys = st.one_of(
    st.sampled_from(["SETTINGS", "ROLE#a", "ROLE#", "GROUP#Staff", "CLIENT#web", "ROUTE#r", "TEST#t", "RULE#x"]),
    st.text(max_size=6),
)
_names = "scopes inherits roles claims access_claims tenant scopes_allowed claim_names ttl default_roles cache_seconds"
_more_names = "publish path method tenant_from any_role order when enabled given expect anything"
_policy_attributes = st.dictionaries(
    st.sampled_from([*_names.split(), *_more_names.split()]), st.one_of(any_value, hostile_claims), max_size=4
)


@given(st.dictionaries(_sort_keys, _policy_attributes, max_size=5))
def test_lint_finds_and_never_raises_and_what_it_passes_compiles(rows: dict[str, dict[str, Any]]) -> None:
    draft = from_rows({**attributes, "pk": "POLICY", "sk": sk} for sk, attributes in rows.items())
    draft.digest()
    if findings := lint(draft):
        assert all(finding.code.startswith("CS1") for finding in findings)
    else:
        assert isinstance(decode(*encode(compile_policy(draft)), 1), Bundle)


# Bundles.


@given(st.binary(max_size=200), st.text(max_size=64))
def test_any_bytes_are_no_bundle(data: bytes, digest: str) -> None:
    with suppress(BundleError):
        decode(data, digest, 1)


@given(json_values)
def test_any_document_is_a_bundle_or_a_bundle_error(document: Any) -> None:  # noqa: ANN401 - any JSON value
    with suppress(BundleError):
        decode(*encode(document), 1)


@given(policies(), st.sampled_from(["format", "settings", "roles", "groups", "clients", "rules"]), json_values)
def test_a_document_with_any_part_replaced_is_a_bundle_or_a_bundle_error(
    policy: Policy, part: str, value: object
) -> None:
    document = compile_policy(from_rows(policy_rows(**policy.sections()))) | {part: value}
    with suppress(BundleError):
        decode(*encode(document), 1)


_MEMBERS = ["id", "when", "optional", "access_claims", "id_claims", *AUTHORITY]


@given(st.lists(st.dictionaries(st.sampled_from(_MEMBERS), json_values), min_size=1, max_size=3))
def test_what_could_not_be_made_of_a_rule_is_found_when_the_document_is_read(rules: list[dict[str, Any]]) -> None:
    """Rules are made when they are first needed, and nobody expects an error then."""
    document = compile_policy(from_rows(policy_rows()))
    named = [{"id": "x", **rule} for rule in rules]
    try:
        read = decode(*encode({**document, "rules": named}), 1)
    except BundleError:
        return
    assert [rule.row for rule in read.rules] == [f"POLICY RULE#{rule['id']}" for rule in named]


@given(policies(rules=st.just({})))
def test_a_policy_survives_being_stored(policy: Policy) -> None:
    document = compile_policy(from_rows(policy_rows(**policy.sections())))
    assert decode(*encode(document), 7) == bundle(**policy.sections())


# Tokens.

POOL = Pool()
KEYS = KeySource([ISSUER], preloaded={ISSUER: POOL.jwks}, clock=lambda: NOW)
VERIFIER = Verifier(issuers=KEYS, client_ids=ANY, token_use=ANY, revocations=ANY, clock=lambda: NOW)
STAGES = {"structure", "key", "signature", "claims"}


def verified(token: Any) -> Claims | None:  # noqa: ANN401 - anything at all is offered
    """The claims of a token, or ``None`` after a refusal that has a code and a stage; anything else is raised."""
    refusal: VerificationError | None = None
    claims: Claims | None = None
    try:
        claims = VERIFIER.verify(token)
    except VerificationError as error:
        refusal = error
    if refusal is not None:
        assert refusal.code.startswith("CS30")
        assert refusal.stage in STAGES
        assert refusal.__context__ is None, "what could not be read must not travel on below the refusal"
    return claims


@given(st.one_of(st.text(), st.binary(), json_values, st.text(alphabet="eyJ.ab-_=+/ \n", max_size=80)))
def test_anything_at_all_is_a_token_or_a_coded_refusal(value: object) -> None:
    assert verified(value) is None


@given(st.lists(st.binary(max_size=60), min_size=2, max_size=4))
def test_any_octets_in_the_segments_are_a_coded_refusal(segments: list[bytes]) -> None:
    assert verified(".".join(b64(segment) for segment in segments)) is None


_json_text = st.one_of(
    st.binary(max_size=40),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(["alg", "kid", "crit", "typ", "b64", "x"]), json_values, max_size=4).map(
        lambda members: json.dumps({"alg": "RS256", "kid": "key-1", **members}).encode()
    ),
)


@given(_json_text, _json_text)
def test_any_header_over_any_payload_signed_for_real_is_a_coded_refusal_or_claims(
    header: bytes, payload: bytes
) -> None:
    verified(compact(header, payload, POOL.key))
    with suppress(VerificationError):
        assert verify_jws(compact(header, payload, POOL.key), POOL.jwks).payload == payload


_claim_names = st.sampled_from([*access_claims(), "aud", "nbf", "cognito:username", "other"])


@given(st.dictionaries(_claim_names, json_values, max_size=4), st.sets(_claim_names, max_size=2))
def test_claims_of_any_shape_are_refused_or_have_the_types_they_promise(
    changes: dict[str, Any], absent: set[str]
) -> None:
    signed = {name: value for name, value in {**access_claims(), **changes}.items() if name not in absent}
    claims = verified(POOL.sign(signed))
    if claims is None:
        return
    assert dict(claims).keys() == signed.keys()
    texts: list[object] = [claims.issuer, claims.sub, claims.client_id, claims.token_use]
    optional: list[object] = [claims.username, claims.tenant_id, claims.jti, claims.origin_jti]
    lists: list[object] = [claims.scopes, claims.groups, claims.roles]
    numbers: list[object] = [claims.exp, claims.iat, claims.auth_time]
    assert all(isinstance(text, str) for text in texts)
    assert all(text is None or (isinstance(text, str) and text) for text in optional)
    assert all(isinstance(some, tuple) and all(isinstance(text, str) for text in some) for some in lists)
    assert all(type(number) in {int, float, type(None)} for number in numbers)
    assert claims.exp > NOW
    assert claims.iat is None or claims.iat <= NOW + 5


@given(st.data())
def test_a_token_with_anything_cut_out_or_put_in_is_refused(data: st.DataObject) -> None:
    token = POOL.sign()
    begin = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(begin, len(token)))
    changed = token[:begin] + data.draw(st.text(max_size=5)) + token[end:]
    assert (verified(changed) is None) == (changed != token)


@given(json_values)
def test_any_json_is_a_key_set_or_none(jwks: object) -> None:
    """What a host may answer: the lookup ends in a coded refusal."""
    source = KeySource([ISSUER], fetch=lambda _uri, _timeout: json.dumps(jwks).encode(), clock=lambda: NOW)
    with pytest.raises(VerificationError) as caught:
        source.find(ISSUER, "key-1")
    assert caught.value.code == Code.KEYS_UNAVAILABLE


@given(
    st.dictionaries(
        st.sampled_from(["kty", "kid", "use", "alg", "key_ops", "n", "e", "x5c"]),
        st.one_of(json_values, st.sampled_from(["RSA", "sig", "RS256", "AQAB", "key-1", ["verify"]])),
        max_size=8,
    )
)
def test_a_key_of_any_shape_is_usable_or_not_and_never_breaks_the_set(key: dict[str, Any]) -> None:
    good = POOL.jwks["keys"][0]
    keys = KeySet({"keys": [{**good, **key}, key, {**good, "kid": "good"}]})
    assert keys.find("good") == (POOL.key.public_key(),)


# Rows and claims.


@given(hostile_directories())
def test_rows_of_any_shape_are_read_or_reported(rows: list[dict[str, Any]]) -> None:
    read = read_user([row for row in rows if row["pk"].startswith("USER#")], NOW)
    assert all(problem.row and problem.attribute and problem.why for problem in read.problems)
    assert (read.user is None) == any(problem.row.endswith(" USER") for problem in read.problems)


@given(hostile_attributes)
def test_a_tenant_row_of_any_shape_is_a_tenant_a_problem_or_gone(attributes: dict[str, Any]) -> None:
    read = read_tenant({**attributes, "pk": "TENANT#acme", "sk": "TENANT"}, NOW)
    assert read is None or isinstance(read, Tenant | Problem)


@given(st.sampled_from(TOKENS), st.text(max_size=5), any_value)
def test_a_claim_value_is_taken_as_json_or_refused(token: Any, name: str, value: object) -> None:  # noqa: ANN401 - a literal
    with suppress(UnacceptableError):
        taken = checked(token, name, value)
        assert json.loads(json.dumps(taken, allow_nan=False)) == taken
        assert accepted(taken) == taken


_storable = st.recursive(
    plain
    | st.none()
    | st.binary(max_size=5)
    | st.frozensets(st.text(), min_size=1, max_size=3)
    | st.frozensets(integers, min_size=1, max_size=3),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=5), _storable, max_size=3))
def test_a_row_survives_being_written_and_read(row: dict[str, Any]) -> None:
    assert decode_row(encode_row(row)) == row
