"""``Verifier``: which tokens become claims, and with which code the others are refused."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from math import nan
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.errors import Code, ConfigurationError, StoreError, VerificationError
from claimsmith.table import revocation_key
from claimsmith.verifier import ANY, Claims, KeySource, Requirement, Verifier
from claimsmith.verifier.checks import ClaimChecks
from tests.unit.verifier.minting import (
    CLIENT,
    ISSUER,
    KID,
    NOW,
    UPDATED_ISSUER,
    Pool,
    access_claims,
    compact,
    id_claims,
    private_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POOL = Pool()
HEADER = json.dumps({"kid": KID, "alg": "RS256"}).encode()


def no_network(_uri: str, _timeout: float) -> bytes:
    raise AssertionError("the keys are preloaded")


def keys(jwks: dict[str, Any] | None = None) -> KeySource:
    preloaded = {ISSUER: POOL.jwks if jwks is None else jwks}
    return KeySource([ISSUER], preloaded=preloaded, fetch=no_network, clock=lambda: NOW)


KEYS = keys()


def verifier(**changes: Any) -> Verifier:  # noqa: ANN401 - any argument of Verifier
    return Verifier(
        **{
            "issuers": KEYS,
            "client_ids": [CLIENT],
            "token_use": "access",
            "revocations": ANY,
            "clock": lambda: NOW,
            **changes,
        }
    )


def refusal(token: str, **changes: Any) -> tuple[Code, str]:  # noqa: ANN401 - any argument of Verifier
    with pytest.raises(VerificationError) as caught:
        verifier(**changes).verify(token)
    return caught.value.code, caught.value.stage


def refused_claims(claims: dict[str, Any], **changes: Any) -> Code:  # noqa: ANN401 - any argument of Verifier
    code, stage = refusal(POOL.sign(claims), **changes)
    assert stage == "claims"
    return code


def test_a_valid_access_token_becomes_claims_with_names_and_types() -> None:
    claims = verifier().verify(POOL.sign())
    assert dict(claims) == {
        **access_claims(),
        "cognito:groups": ("Staff",),
        "roles": ("editor", "viewer"),
    }
    assert (claims.sub, claims.client_id, claims.username) == (access_claims()["sub"], CLIENT, "ada")
    assert (claims.issuer, claims.token_use) == (ISSUER, "access")
    assert (claims.tenant_id, claims.roles, claims.groups) == ("acme", ("editor", "viewer"), ("Staff",))
    assert claims.scopes == ("openid", "orders/read", "orders/write")
    assert (claims.exp, claims.iat, claims.auth_time) == (NOW + 3540, NOW - 60, NOW - 60)
    assert (claims.jti, claims.origin_jti) == (access_claims()["jti"], access_claims()["origin_jti"])


def test_a_valid_id_token_is_for_the_client_in_aud() -> None:
    claims = verifier(token_use="id").verify(POOL.sign(id_claims()))
    assert (claims.client_id, claims.username, claims.token_use, claims.scopes) == (CLIENT, "ada", "id", ())


def test_a_machines_token_has_no_user_and_needs_none() -> None:
    machine = access_claims(
        sub=CLIENT,
        username=None,
        origin_jti=None,
        auth_time=None,
        tenant_id=None,
        roles=None,
        **{"cognito:groups": None},
    )
    claims = verifier().verify(POOL.sign(machine))
    assert (claims.sub, claims.client_id, claims.username) == (CLIENT, CLIENT, None)
    assert (claims.tenant_id, claims.roles, claims.groups, claims.origin_jti, claims.auth_time) == (
        None,
        (),
        (),
        None,
        None,
    )


def test_the_updated_issuer_of_the_pool_is_the_same_issuer() -> None:
    assert verifier().verify(POOL.sign(access_claims(iss=UPDATED_ISSUER))).issuer == UPDATED_ISSUER


def test_claims_can_neither_be_changed_nor_printed() -> None:
    claims: Any = verifier().verify(POOL.sign(access_claims(nested={"list": [1, {"x": 2}]})))
    for change in ("claims['sub'] = 1", "claims.sub = 1", "del claims['sub']", "del claims._claims", "claims.new = 1"):
        with pytest.raises((TypeError, AttributeError)):
            exec(change, {"claims": claims})  # noqa: S102 - statements, not expressions, are what is tried
    with pytest.raises(TypeError):
        claims["nested"]["list"] = 1
    with pytest.raises(TypeError):
        claims["nested"]["list"][1]["x"] = 1
    assert repr(claims) == str(claims) == f"<Claims: {len(claims)}>"


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"x":', "}"), ('[{"x":', "}]")])
def test_to_read_a_claim_that_is_nested_too_deeply_is_refused_whatever_the_stack(opened: str, closed: str) -> None:
    levels = 1 + opened.startswith("[{")
    written = json.dumps(access_claims(kind="nested"))
    for depth in (100, 101, 102, 300, 400):
        nested = opened * (depth // levels) + "1" + closed * (depth // levels)
        token = compact(HEADER, written.replace('"nested"', nested).encode(), POOL.key)
        claims = verifier().verify(token)
        assert claims["username"] == "ada"
        if depth == 100:
            assert json.loads(json.dumps(dict(claims), default=dict))["kind"] == json.loads(nested)
        elif depth // levels * levels > 100:
            with pytest.raises(VerificationError) as caught:
                dict(claims)
            assert (caught.value.code, caught.value.stage) == (Code.CLAIMS_MALFORMED, "claims")


# --- Checks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"])
def test_a_header_may_have_the_type_jwt(typ: str) -> None:
    assert verifier().verify(POOL.sign(typ=typ))


@pytest.mark.parametrize(
    "issuer",
    [
        None,
        1,
        [ISSUER],
        "",
        ISSUER + "/",
        ISSUER + "x",
        ISSUER[:-1],
        ISSUER.upper(),
        " " + ISSUER,
        ISSUER.replace("https", "http"),
        ISSUER.replace("eu-central-1.", "eu-west-1."),
        "https://login.example.com",
    ],
)
def test_an_issuer_must_be_on_the_list_exactly(issuer: object) -> None:
    """GHSA-75c5-xw7c-p5pm: no partial match."""
    assert refusal(POOL.sign(access_claims(iss=issuer))) == (Code.ISSUER_NOT_ALLOWED, "key")


def test_a_token_of_a_foreign_key_is_refused_before_its_claims_are_checked() -> None:
    foreign = Pool(private_key("foreign"))
    assert refusal(foreign.sign(access_claims(exp="broken"))) == (Code.SIGNATURE_INVALID, "signature")


TIMES = ["exp", "nbf", "iat", "auth_time"]


@pytest.mark.parametrize("claim", TIMES)
@pytest.mark.parametrize(
    "value", [True, False, str(NOW + 60), "", [], [NOW], {}, 1e300, -1e300, 10**400, 2**53 + 1, -(2**54)]
)
def test_a_number_must_be_a_plain_number(claim: str, value: object) -> None:
    assert refused_claims(access_claims(**{claim: value})) == Code.CLAIMS_MALFORMED


@pytest.mark.parametrize("claim", TIMES)
def test_what_is_no_number_never_compares(claim: str) -> None:
    """The parser refuses NaN; were it read by another one, a token would live for ever."""
    checks = ClaimChecks(client_ids=[CLIENT], token_use="access", leeway=0)
    checks.check(access_claims(), NOW)
    with pytest.raises(VerificationError) as caught:
        checks.check(access_claims(**{claim: nan}), NOW)
    assert caught.value.code == Code.CLAIMS_MALFORMED


@pytest.mark.parametrize("claim", TIMES)
def test_null_is_not_a_number(claim: str) -> None:
    assert refused_claims({**access_claims(), claim: None}) == Code.CLAIMS_MALFORMED


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("sub", None),
        ("sub", ""),
        ("sub", 7),
        ("scope", ["orders/read"]),
        ("scope", None),
        ("cognito:groups", "Staff"),
        ("cognito:groups", [1]),
        ("cognito:groups", {"Staff": 1}),
        ("roles", "editor"),
        ("roles", [None]),
        ("tenant_id", 7),
        ("tenant_id", ""),
        ("tenant_id", ["acme"]),
        ("jti", 1),
        ("origin_jti", ""),
        ("username", []),
        ("client_id", 1),
        ("aud", None),
        ("aud", 1),
        ("aud", {CLIENT: 1}),
        ("aud", [1]),
    ],
)
def test_a_claim_of_the_wrong_type_is_malformed(claim: str, value: object) -> None:
    assert refused_claims({**access_claims(), claim: value}) == Code.CLAIMS_MALFORMED


@pytest.mark.parametrize("claim", ["exp", "sub"])
def test_exp_and_sub_are_required(claim: str) -> None:
    assert refused_claims(access_claims(**{claim: None})) == Code.CLAIMS_MALFORMED


@pytest.mark.parametrize(
    ("exp", "code"),
    [
        (NOW + 1, None),
        (NOW + 0.5, None),
        (NOW, Code.TOKEN_EXPIRED),
        (NOW - 1, Code.TOKEN_EXPIRED),
        (0, Code.TOKEN_EXPIRED),
        (-5, Code.TOKEN_EXPIRED),
    ],
)
def test_a_token_is_expired_at_the_second_of_its_exp_whatever_the_leeway(exp: float, code: Code | None) -> None:
    token = POOL.sign(access_claims(exp=exp))
    if code is None:
        assert verifier().verify(token)
    else:
        assert refusal(token, leeway=300)[0] == code


@pytest.mark.parametrize(("claim", "code"), [("nbf", Code.TOKEN_NOT_YET_VALID), ("iat", Code.TOKEN_FROM_FUTURE)])
def test_nbf_and_iat_may_be_ahead_by_the_leeway_and_no_more(claim: str, code: Code) -> None:
    assert verifier(leeway=5).verify(POOL.sign(access_claims(**{claim: NOW + 5})))
    assert refused_claims(access_claims(**{claim: NOW + 6}), leeway=5) == code
    assert verifier(leeway=0).verify(POOL.sign(access_claims(**{claim: NOW})))
    assert refused_claims(access_claims(**{claim: NOW + 1}), leeway=0) == code
    assert refused_claims(access_claims(**{claim: NOW + 10**9})) == code


@pytest.mark.parametrize("use", [None, "refresh", "ACCESS", "", 1, ["access"], True])
def test_token_use_must_be_access_or_id_even_if_both_are_accepted(use: object) -> None:
    assert refused_claims(access_claims(token_use=use)) == Code.WRONG_TOKEN_USE
    assert refused_claims(access_claims(token_use=use), token_use=ANY) == Code.WRONG_TOKEN_USE


def test_an_id_token_is_not_an_access_token_and_vice_versa() -> None:
    assert refused_claims(id_claims()) == Code.WRONG_TOKEN_USE
    assert refused_claims(access_claims(), token_use="id") == Code.WRONG_TOKEN_USE
    assert verifier(token_use=ANY).verify(POOL.sign(id_claims())).token_use == "id"
    assert verifier(token_use=ANY).verify(POOL.sign()).token_use == "access"


def test_the_client_must_be_on_the_list() -> None:
    assert refused_claims(access_claims(client_id="other")) == Code.WRONG_CLIENT
    assert refused_claims(access_claims(client_id=None)) == Code.WRONG_CLIENT
    assert refused_claims(access_claims(client_id=None), client_ids=ANY) == Code.WRONG_CLIENT
    assert refused_claims(access_claims(), client_ids=[]) == Code.WRONG_CLIENT
    assert verifier(client_ids=ANY).verify(POOL.sign(access_claims(client_id="other")))


def test_an_access_tokens_aud_does_not_replace_its_client() -> None:
    assert refused_claims(access_claims(client_id="other", aud=CLIENT)) == Code.WRONG_CLIENT


API, MCP = "https://api.example.com", "https://mcp.example.com"


@pytest.mark.parametrize(
    ("aud", "audience", "accepted"),
    [
        (None, [], True),
        (None, [API], True),
        (CLIENT, [], True),
        ([CLIENT], [], True),
        ([MCP, CLIENT], [], False),
        ([MCP, CLIENT], [MCP], True),
        (MCP, [], False),
        ([], [], False),
        ([], [API], False),
        ("", [API], False),
        (API, [API], True),
        ([API], [API], True),
        ([MCP, API], {API}, True),
        (MCP, [API], False),
        ([MCP, "x"], [API], False),
        (API + "/", [API], False),
        (API.upper(), [API], False),
        ("other", [API], False),
        (MCP, ANY, True),
        ([], ANY, True),
    ],
)
def test_a_token_that_is_bound_to_other_resources_only_is_refused(
    aud: object,
    audience: Any,  # noqa: ANN401 - several names, or ANY
    *,
    accepted: bool,
) -> None:
    """RFC 9068 section 4: ours must be among ``aud``, compared exactly (RFC 7519 section 4.1.3)."""
    claims = access_claims(aud=aud)
    if accepted:
        assert verifier(audience=audience).verify(POOL.sign(claims)).get("aud") == (
            tuple(aud) if isinstance(aud, list) else aud
        )
    else:
        assert refused_claims(claims, audience=audience) == Code.WRONG_AUDIENCE


def test_without_an_audience_aud_may_only_be_the_tokens_own_client() -> None:
    assert refused_claims(access_claims(aud=MCP)) == Code.WRONG_AUDIENCE
    assert refused_claims(access_claims(aud=MCP), client_ids=ANY) == Code.WRONG_AUDIENCE
    assert refused_claims(access_claims(aud="other", client_id="mine"), client_ids=ANY) == Code.WRONG_AUDIENCE
    assert verifier(token_use=ANY).verify(POOL.sign(id_claims())), "of an ID token it is the client"


@pytest.mark.parametrize("audience", [None, "https://api.example.com", ["*"], [""], [API, "*"], [1], {API: 1}])
def test_an_audience_that_no_token_can_have_is_refused(audience: Any) -> None:  # noqa: ANN401 - on purpose
    for create in (lambda: verifier(audience=audience), lambda: Requirement(audience=audience)):
        with pytest.raises(ConfigurationError, match="audience must"):
            create()


@pytest.mark.parametrize(
    ("aud", "accepted"),
    [(MCP, True), ([API, MCP], True), (API, False), (CLIENT, False), ([CLIENT], False), (None, False), ([], False)],
)
def test_a_requirement_needs_a_token_that_is_bound_to_one_of_its_resources(aud: object, *, accepted: bool) -> None:
    """In place of the verifier's own audience, whether that has the resource or not."""
    for others in ([], [API], [API, MCP], ANY):
        changes: dict[str, Any] = {"audience": others, "require": Requirement(audience=[MCP])}
        if accepted:
            assert verifier(**changes).verify(POOL.sign(access_claims(aud=aud)))
        else:
            assert refused_claims(access_claims(aud=aud), **changes) == Code.WRONG_AUDIENCE
    assert refused_claims(access_claims(aud=MCP), require=Requirement(audience=[])) == Code.WRONG_AUDIENCE


def test_a_verifier_for_any_audience_checks_everything_else() -> None:
    strict = verifier(audience=[API])
    later = strict.for_any_audience()
    assert (strict.audience, later.audience) == (frozenset({API}), ANY)
    assert later.verify(POOL.sign(access_claims(aud=MCP)))
    for token in (POOL.sign(access_claims(client_id="other")), POOL.sign(access_claims(exp=NOW))):
        with pytest.raises(VerificationError):
            later.verify(token)
    with pytest.raises(VerificationError):
        strict.verify(POOL.sign(access_claims(aud=MCP)))


@pytest.mark.parametrize("aud", [None, "other", [CLIENT], [CLIENT, "other"], CLIENT + " "])
def test_an_id_tokens_aud_must_be_the_client_itself(aud: object) -> None:
    assert refused_claims(id_claims(aud=aud), token_use="id") == Code.WRONG_CLIENT
    assert refused_claims(id_claims(aud=aud, client_id=CLIENT), token_use="id") == Code.WRONG_CLIENT


@pytest.mark.parametrize(
    ("require", "code"),
    [
        (Requirement(), None),
        (Requirement(any_scope=["orders/read", "x/y"]), None),
        (Requirement(any_scope=["x/y", "orders/rea", "orders"]), Code.SCOPE_MISSING),
        (Requirement(any_scope=[]), Code.SCOPE_MISSING),
        (Requirement(all_scopes=["orders/read", "orders/write"]), None),
        (Requirement(all_scopes=("orders/read", "x/y")), Code.SCOPE_MISSING),
        (Requirement(all_scopes=[]), None),
        (Requirement(any_group={"Staff", "Other"}), None),
        (Requirement(any_group=["staff"]), Code.GROUP_MISSING),
        (Requirement(any_role=["editor"]), None),
        (Requirement(any_role=["admin"]), Code.ROLE_MISSING),
        (Requirement(any_role=[]), Code.ROLE_MISSING),
        (Requirement(tenant="acme"), None),
        (Requirement(tenant="globex"), Code.WRONG_TENANT),
        (Requirement(tenant="globex", any_role=["admin"]), Code.WRONG_TENANT),
    ],
)
def test_a_requirement_needs_scopes_groups_roles_and_a_tenant(require: Requirement, code: Code | None) -> None:
    if code is None:
        assert verifier(require=require).verify(POOL.sign())
    else:
        assert refused_claims(access_claims(), require=require) == code


def test_a_token_without_any_grants_meets_no_requirement() -> None:
    bare = access_claims(scope=None, tenant_id=None, roles=None, **{"cognito:groups": None})
    for require in (
        Requirement(any_scope=["a"]),
        Requirement(all_scopes=["a"]),
        Requirement(any_group=["a"]),
        Requirement(any_role=["a"]),
        Requirement(tenant="a"),
    ):
        assert refused_claims(bare, require=require)


def test_the_policy_may_rename_the_tenant_and_the_roles() -> None:
    names = {"tenant_id": "org", "roles": "permissions"}
    token = POOL.sign(access_claims(org="globex", permissions=["admin"], roles="not ours"))
    claims = verifier(claim_names=names).verify(token)
    assert (claims.tenant_id, claims.roles) == ("globex", ("admin",))
    assert refused_claims(access_claims(org=["globex"]), claim_names=names) == Code.CLAIMS_MALFORMED


def test_a_claim_that_is_not_emitted_is_not_read() -> None:
    claims = verifier(claim_names={"tenant_id": None}).verify(POOL.sign())
    assert (claims.tenant_id, claims.roles) == (None, ("editor", "viewer"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"client_ids": CLIENT},
        {"client_ids": None},
        {"client_ids": [None]},
        {"token_use": None},
        {"token_use": "refresh"},
        {"revocations": None},
        {"revocations": {}},
        {"issuers": []},
        {"issuers": ["ftp://x"]},
        {"issuers": None},
        {"issuers": ANY},
        {"leeway": -1},
        {"leeway": 301},
        {"leeway": 1e300},
        {"leeway": float("nan")},
        {"leeway": float("inf")},
        {"leeway": "5"},
        {"leeway": True},
        {"leeway": None},
        {"require": ANY},
        {"require": {"any_scope": ["orders/read"]}},
        {"require": ["orders/read"]},
        {"require": Requirement},
        {"claim_names": {"tenant": "x"}},
        {"claim_names": {"roles": ""}},
        {"claim_names": {"tenant_id": 5}},
        {"claim_names": {"tenant_id": ["org"]}},
        {"claim_names": ANY},
        {"claim_names": None},
        {"claim_names": [("tenant_id", "org")]},
        {"clock": None},
        {"clock": NOW},
    ],
)
def test_an_empty_argument_is_refused_and_not_read_as_any(arguments: dict[str, Any]) -> None:
    (argument,) = arguments
    with pytest.raises(ConfigurationError, match=None if argument == "issuers" else f"{argument} m"):
        verifier(**arguments)


@pytest.mark.parametrize("missing", ["issuers", "client_ids", "token_use", "revocations"])
def test_no_check_can_be_skipped_by_omitting_its_argument(missing: str) -> None:
    arguments: dict[str, Any] = {"issuers": KEYS, "client_ids": ANY, "token_use": ANY, "revocations": ANY}
    del arguments[missing]
    with pytest.raises(TypeError, match=missing):
        Verifier(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"any_scope": "orders/read"}, {"all_scopes": None}, {"any_role": "admin"}, {"tenant": ""}, {"tenant": None}],
)
def test_a_requirement_of_the_wrong_type_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Requirement(**arguments)


SNIPPETS = {
    'client_ids=["a"], token_use="access", revocations=ANY': None,
    "client_ids=ANY, token_use=ANY, revocations=ANY": None,
    'client_ids=["a"], token_use="access", revocations=ANY, require=Requirement(any_scope=["x"], tenant=ANY)': None,
    'token_use="access", revocations=ANY': "client_ids",
    'client_ids=["a"], revocations=ANY': "token_use",
    'client_ids=["a"], token_use="access"': "revocations",
    'client_ids="a", token_use="access", revocations=ANY': "client_ids",
    'client_ids=ANY, token_use="access", revocations=ANY, audience=ANY': None,
    'client_ids=ANY, token_use="access", revocations=ANY, audience="a"': "audience",
    'client_ids=ANY, token_use="access", revocations=ANY, audience=None': "audience",
    'client_ids=None, token_use="access", revocations=ANY': "client_ids",
    'client_ids=["a"], token_use="refresh", revocations=ANY': "token_use",
    'client_ids=["a"], token_use=None, revocations=ANY': "token_use",
    'client_ids=["a"], token_use="access", revocations=None': "revocations",
    'client_ids=["a"], token_use="access", revocations=ANY, require=Requirement(any_scope="x")': "any_scope",
    'client_ids=["a"], token_use="access", revocations=ANY, require=ANY': "require",
}


@pytest.mark.slow
def test_misuse_does_not_type_check(tmp_path: Any) -> None:  # noqa: ANN401 - pytest's own path
    lines = ["from claimsmith.verifier import ANY, Requirement, Verifier"]
    lines += [f'Verifier(issuers=["https://x.example"], {arguments})' for arguments in SNIPPETS]
    lines += ["Verifier(issuers=ANY, client_ids=ANY, token_use=ANY, revocations=ANY)"]
    lines += ['Verifier(["https://x.example"], ["a"], "access", ANY)']
    snippet = tmp_path / "snippet.py"
    snippet.write_text("\n".join(lines))
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--no-error-summary",
            "--cache-dir",
            str(tmp_path / "cache"),
            str(snippet),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    reported = dict.fromkeys(range(1, len(lines) + 1), "")
    for line in run.stdout.splitlines():
        name, at, level, text = line.split(":", 3)
        assert name.endswith("snippet.py"), line
        if level.strip() == "error":
            reported[int(at)] += text
    for number, argument in enumerate(SNIPPETS.values(), start=2):
        if argument is None:
            assert not reported[number], lines[number - 1]
        else:
            assert f'"{argument}"' in reported[number], (lines[number - 1], reported[number])
    assert '"issuers"' in reported[len(lines) - 1]
    assert "positional" in reported[len(lines)]


# --- Revocation -------------------------------------------------------------------------------------------------------


class Rows:
    """Revocations in memory; remembers what it was asked."""

    def __init__(self, rows: Mapping[str, float | None]) -> None:
        self.rows = rows
        self.asked: list[tuple[str, ...]] = []

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        self.asked.append(tuple(keys))
        return {key: self.rows[key] for key in keys if key in self.rows}


CLAIMS = access_claims(auth_time=NOW - 600, iat=NOW - 60)
AT = {
    "before the sign-in": NOW - 601,
    "at the sign-in": NOW - 600,
    "in between": NOW - 300,
    "at the issue": NOW - 60,
    "after the issue": NOW - 59,
}
SESSION, TOKEN, USER, OF_CLIENT, TENANT = (
    revocation_key(kind, value)
    for kind, value in (
        ("session", CLAIMS["origin_jti"]),
        ("token", CLAIMS["jti"]),
        ("user", CLAIMS["sub"]),
        ("client", CLIENT),
        ("tenant", "acme"),
    )
)


def test_all_revocations_are_looked_up_at_once_and_only_for_a_valid_token() -> None:
    rows = Rows({})
    assert verifier(revocations=rows).verify(POOL.sign(CLAIMS))
    assert rows.asked == [(SESSION, TOKEN, USER, OF_CLIENT, TENANT)]
    assert "REVOKED#session#" + CLAIMS["origin_jti"] == SESSION
    for bad in (
        POOL.sign(access_claims(exp=NOW)),
        POOL.sign(access_claims(client_id="x")),
        POOL.sign()[:-9] + "AAAAAAAAA",
    ):
        refusal(bad, revocations=rows)
    assert len(rows.asked) == 1


@pytest.mark.parametrize("key", [SESSION, TOKEN])
@pytest.mark.parametrize("revoked_at", [0, NOW - 10_000, NOW, NOW + 10_000, None])
def test_a_session_and_a_token_are_revoked_by_their_id_whatever_the_time(key: str, revoked_at: float | None) -> None:
    rows = Rows({key: revoked_at})
    assert refusal(POOL.sign(CLAIMS), revocations=rows) == (Code.TOKEN_REVOKED, "revocation")


@pytest.mark.parametrize(("when", "revoked_at"), AT.items())
def test_a_user_is_revoked_if_the_sign_in_is_not_later(when: str, revoked_at: float) -> None:
    assert outcome(USER, revoked_at) == (None if when == "before the sign-in" else Code.TOKEN_REVOKED)


@pytest.mark.parametrize("key", [OF_CLIENT, TENANT])
@pytest.mark.parametrize(("when", "revoked_at"), AT.items())
def test_a_client_and_a_tenant_are_revoked_if_the_token_is_not_later(key: str, when: str, revoked_at: float) -> None:
    assert outcome(key, revoked_at) == (Code.TOKEN_REVOKED if when in ("at the issue", "after the issue") else None)


def outcome(key: str, revoked_at: float | None, claims: dict[str, Any] | None = None) -> Code | None:
    try:
        verifier(revocations=Rows({key: revoked_at})).verify(POOL.sign(CLAIMS if claims is None else claims))
    except VerificationError as error:
        return error.code
    return None


def test_without_auth_time_a_user_is_revoked_by_the_time_of_issue() -> None:
    claims = access_claims(auth_time=None, iat=NOW - 60)
    assert outcome(USER, NOW - 61, claims) is None
    assert outcome(USER, NOW - 60, claims) == Code.TOKEN_REVOKED


@pytest.mark.parametrize("key", [USER, OF_CLIENT, TENANT])
def test_times_that_cannot_be_compared_revoke_the_token(key: str) -> None:
    assert outcome(key, 0, access_claims(auth_time=None, iat=None)) == Code.TOKEN_REVOKED, "no time in the token"
    assert outcome(key, None) == Code.TOKEN_REVOKED, "no readable time in the row"
    assert outcome(key, float("nan")) == Code.TOKEN_REVOKED


def test_a_row_that_was_not_requested_is_ignored() -> None:
    class Generous(Rows):
        def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
            return {**super().revoked_at(keys), revocation_key("user", "somebody else"): NOW}

    assert verifier(revocations=Generous({})).verify(POOL.sign(CLAIMS))


def test_a_token_is_refused_if_its_revocation_cannot_be_looked_up() -> None:
    class Down:
        def revoked_at(self, _keys: Sequence[str], /) -> Mapping[str, float | None]:
            raise StoreError(Code.AWS_UNREACHABLE, "DynamoDB did not answer")

    assert refusal(POOL.sign(), revocations=Down()) == (Code.REVOCATION_UNKNOWN, "revocation")


# --- Nothing leaks, nothing else is raised, nothing heavy is imported -------------------------------------------------


def test_errors_and_logs_contain_nothing_from_a_token(caplog: pytest.LogCaptureFixture) -> None:
    marker = "do-not-repeat-me"
    tokens = [
        POOL.sign(access_claims(**{claim: marker}))
        for claim in ("iss", "exp", "nbf", "token_use", "client_id", "cognito:groups")
    ] + [
        *(POOL.sign(None, **{member: marker}) for member in ("typ", "kid", "alg")),
        marker,
        POOL.sign(access_claims(x=marker))[:-8] + "AAAAAAAA",
        compact(b'{"alg":"RS256","kid":"' + marker.encode(), b"{}", POOL.key),
        compact(HEADER, marker.encode(), POOL.key),
        compact(HEADER, b'{"x":"' + marker.encode(), POOL.key),
    ]
    with caplog.at_level(logging.DEBUG):
        for token in tokens:
            with pytest.raises(VerificationError) as caught:
                verifier().verify(token)
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None, "an exception below it would carry the text it could not read"
            assert marker not in f"{caught.value!r} {caught.value} {vars(caught.value)}"
    assert marker not in caplog.text


def test_verifying_imports_only_what_it_needs() -> None:
    """Nobody pays for a JOSE package, for AWS or for HTTP; only freshness, at introspection, needs the engine."""
    program = """
import sys
from claimsmith.verifier import ANY, Verifier
import claimsmith.verifier.authorizer
heavy = ("pydantic", "boto3", "botocore", "jwt", "joserfc", "jose", "cryptography.x509", "http.client", "ssl",
         "aws_lambda_powertools", "claimsmith.store", "claimsmith.policy")
print([name for name in (*heavy, "claimsmith.engine") if name in sys.modules])
import claimsmith.verifier.introspection
print([name for name in heavy if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["[]", "[]"]


def test_claims_are_made_of_any_mapping_of_json_values() -> None:
    assert Claims({"sub": "x", "list": [1]})["list"] == (1,)
