"""A stored bundle is what its digest names, or it is refused."""

from __future__ import annotations

import json
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.engine.codec import FORMAT, BundleError, decode, encode
from claimsmith.engine.facts import Tenant, User
from claimsmith.engine.language.paths import EvaluationContext
from claimsmith.engine.rules import apply
from claimsmith.errors import Code
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.events import event
from tests.policies import bundle, policy_rows

if TYPE_CHECKING:
    from claimsmith.engine.bundle import Bundle

SECTIONS: dict[str, Any] = {
    "settings": {"unmanaged_scopes": ["legacy/*"], "default_roles": ["viewer"], "claim_names": {"roles": None}},
    "roles": {"viewer": {"scopes": ["orders/read"], "claims": {"level": 1}}, "editor": {"inherits": ["viewer"]}},
    "groups": {"Staff": {"roles": ["viewer"]}},
    "clients": {"web": {"scopes_allowed": [], "audience": True, "id_claims": {"x": "ü"}}, "other": {}},
}


def document() -> dict[str, Any]:
    return compile_policy(from_rows(policy_rows(**SECTIONS)))


def stored(content: object) -> tuple[bytes, str]:
    """Any JSON value, stored as a document would be."""
    plain = json.dumps(content).encode()
    return zlib.compress(plain), sha256(plain).hexdigest()


def test_what_was_encoded_is_decoded() -> None:
    assert decode(*encode(document()), 7) == bundle(**SECTIONS)


def test_an_absent_ceiling_and_an_empty_one_stay_apart() -> None:
    clients = decode(*encode(document()), 1).clients
    assert clients["web"].scopes_allowed == frozenset()
    assert clients["other"].scopes_allowed is None


def test_a_role_knows_all_that_it_inherits() -> None:
    assert decode(*encode(document()), 1).roles["editor"].closure == ("editor", "viewer")


def test_equal_policies_are_equal_bytes_whatever_the_order_of_their_names() -> None:
    first = document()
    turned = json.loads(json.dumps(first), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert list(turned) != list(first)
    assert encode(turned) == encode(first)


def test_the_version_number_is_not_part_of_the_document() -> None:
    data, digest = encode(document())
    assert decode(data, digest, 1).version == 1
    assert decode(data, digest, 2).version == 2


def _decoded(data: bytes, digest: str) -> Bundle:
    return decode(data, digest, 3)


def test_damaged_bytes_are_refused() -> None:
    data, digest = encode(document())
    for damaged in (b"", b"text", data[:-1], data[: len(data) // 2], bytes([data[0] ^ 1]) + data[1:]):
        with pytest.raises(BundleError, match="version 3 is damaged") as refused:
            _decoded(damaged, digest)
        assert refused.value.code is Code.BUNDLE_UNREADABLE


def test_intact_bytes_under_another_digest_are_refused() -> None:
    data, _ = encode(document())
    with pytest.raises(BundleError, match="damaged"):
        _decoded(data, encode({"format": 1})[1])


@pytest.mark.parametrize("content", [[], "text", 7, {}, {"format": None}, {"format": "1"}, {"format": FORMAT}])
def test_what_is_no_document_is_refused(content: object) -> None:
    with pytest.raises(BundleError):
        _decoded(*stored(content))


def test_a_newer_format_is_refused_by_name() -> None:
    newer = document() | {"format": FORMAT + 1, "rules": []}
    with pytest.raises(BundleError, match=f"format {FORMAT + 1}") as refused:
        _decoded(*encode(newer))
    assert refused.value.code is Code.BUNDLE_UNREADABLE


def test_a_document_that_would_inflate_without_end_is_refused() -> None:
    bomb = zlib.compress(b" " * (40 * 1024 * 1024))
    with pytest.raises(BundleError, match="damaged"):
        _decoded(bomb, sha256(b"").hexdigest())


@pytest.mark.parametrize(
    "broken",
    [
        {"id": 1},
        {"when": {"field": "user.sub", "op": "like", "value": "x"}},
        {"when": {"all": {}}},
        {"optional": "yes"},
        {"access_claims": ["x"]},
        {"add_scopes": "orders/read"},
        {"suppress_groups": [1]},
    ],
    ids=repr,
)
def test_a_rule_that_could_not_be_made_later_is_refused_at_once(broken: dict[str, Any]) -> None:
    rules = [{"id": "fine"}, {"id": "broken", **broken}]
    with pytest.raises(BundleError, match="damaged"):
        _decoded(*encode({**document(), "rules": rules}))


def test_equal_conditions_of_several_rules_leave_these_in_their_order() -> None:
    pro, free = ({"field": "tenant.plan", "op": "equals", "value": plan} for plan in ("pro", "free"))
    conditions = (pro, None, free, pro, {"not": free}, pro)
    rules = [{"id": f"r{at}"} | ({"when": when} if when else {}) for at, when in enumerate(conditions)]
    read = _decoded(*encode({**document(), "rules": rules})).rules
    tenant = Tenant("acme", plan="pro")
    context = EvaluationContext(parse(event()), User(), tenant, None, (), None)
    assert [rule.row[-2:] for rule in apply(read, context).rules] == ["r0", "r1", "r3", "r4", "r5"]
    assert [rule.row[-2:] for rule in read[4:1:-1]] == ["r4", "r3", "r2"]
    assert read[-1] is read[5]
    with pytest.raises(IndexError):
        read[6]
