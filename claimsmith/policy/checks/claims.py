"""Claims: which names a row may set or suppress, in which token, and with which values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.cognito.claims import TOKENS, UnacceptableError, checked, refused_name, refused_suppression
from claimsmith.engine.language import BUILT_IN_CLAIMS, DEGRADED_CLAIM, SHED_CLAIM, is_taken, own_claims
from claimsmith.errors import Code
from claimsmith.policy.checks import values
from claimsmith.policy.finding import Near, clipped, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from claimsmith.cognito.claims import Token
    from claimsmith.policy.documents import ClaimsRow
    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy

_ACCESS, _ID = TOKENS

#: Marks that only the engine sets, and that nothing takes away.
_MARKS: Final = frozenset({DEGRADED_CLAIM, SHED_CLAIM})

#: Built-in claims that are lists or objects.
_COMPLEX: Final = ("roles", "tenants")

_OWN: Final = "only Claimsmith sets this claim"


def check(policy: Policy) -> Iterator[Finding]:
    """Claims that a row sets and may not, and values that they cannot have."""
    own = own_claims(policy.settings.names())
    for entry, row in policy.claims_rows():
        for attribute, claims, tokens in by_attribute(row):
            for name, value in claims.items():
                refused = _OWN if name in own else _refused(name, tokens)
                if refused is not None:
                    yield found(Code.RESERVED_CLAIM, entry, (attribute, name), refused)
                else:
                    yield from values.check(entry, (attribute, name), name, value, tokens)


def by_attribute(row: ClaimsRow) -> Iterator[tuple[str, Mapping[str, Any], Sequence[Token]]]:
    """The claims of a row: attribute, claims, and the tokens that get them."""
    yield "claims", row.claims, TOKENS
    yield "access_claims", row.access_claims, (_ACCESS,)
    yield "id_claims", row.id_claims, (_ID,)


def suppressions(policy: Policy) -> Iterator[Finding]:
    """Claims that a rule suppresses and may not."""
    tenant = policy.settings.names().get("tenant_id")
    for name, rule in policy.rules.items():
        entry = policy.entries["rules"][name]
        for token, attribute, claims in (
            (_ACCESS, "suppress_access_claims", rule.suppress_access_claims),
            (_ID, "suppress_id_claims", rule.suppress_id_claims),
        ):
            for index, claim in enumerate(claims):
                why = refused_suppression(token, claim)
                if claim in _MARKS:
                    why = "whoever reads the token relies on this mark"
                elif token == _ACCESS and claim == tenant:
                    why = "no rule takes the tenant from an access token"
                if why is not None:
                    yield found(Code.NOT_SUPPRESSIBLE, entry, (attribute, str(index)), why)


def names(policy: Policy) -> Iterator[Finding]:
    """Names for built-in claims that no token can have."""
    entry, settings = policy.settings_entry, policy.settings
    for meaning in settings.claim_names:
        if meaning not in BUILT_IN_CLAIMS:
            near = Near((meaning,), BUILT_IN_CLAIMS)
            yield found(Code.UNKNOWN_ATTRIBUTE, entry, ("claim_names", meaning), "no such built-in claim", near)
    seen: set[str] = set()
    for meaning, name in settings.names().items():
        path = ("claim_names", meaning)
        if refused := _refused(name, TOKENS):
            yield found(Code.RESERVED_CLAIM, entry, path, refused)
        elif is_taken(meaning, name) or name in seen:
            yield found(Code.DUPLICATE, entry, path, f"{clipped(name)} is the name of another claim already")
        elif meaning in _COMPLEX and (why := _refused_complex(name)):
            yield found(Code.RESERVED_CLAIM, entry, path, why)
        seen.add(name)


def _refused(name: str, tokens: Sequence[Token]) -> str | None:
    return next(filter(None, (refused_name(token, name) for token in tokens)), None)


def _refused_complex(name: str) -> str | None:
    """Why the ID token takes no list or object under this name."""
    try:
        checked(_ID, name, [])
    except UnacceptableError as unacceptable:
        return str(unacceptable)
    return None
