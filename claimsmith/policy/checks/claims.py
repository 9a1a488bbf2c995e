"""Claims: which names a row may set or suppress, in which token, and with which values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.cognito.claims import TOKENS, UnacceptableError, checked, refused_name, refused_suppression
from claimsmith.engine.built_in import BUILT_IN_CLAIMS, ONLY_CLAIMSMITH, is_taken, own_claims
from claimsmith.engine.language import DEGRADED_CLAIM, SHED_CLAIM
from claimsmith.errors import Code
from claimsmith.policy.checks import values
from claimsmith.policy.finding import Suggestion, clipped, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from claimsmith.cognito.claims import Token
    from claimsmith.policy.documents import ClaimsRow
    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy

_ACCESS, _ID = TOKENS

#: Marks that only the engine sets, and that no rule suppresses.
_MARKS: Final = frozenset({DEGRADED_CLAIM, SHED_CLAIM})


def check(policy: Policy) -> Iterator[Finding]:
    """Yield findings for claims that a row must not set, and values that they cannot have."""
    own = own_claims(policy.settings.names())
    for entry, row in policy.claims_rows():
        for attribute, claims, tokens in by_attribute(row):
            for name, value in claims.items():
                refused = f"{ONLY_CLAIMSMITH}; use another name" if name in own else _refused(name, tokens)
                if refused is not None:
                    yield found(Code.RESERVED_CLAIM, entry, (attribute, name), refused)
                else:
                    yield from values.check(entry, (attribute, name), name, value, tokens)


def by_attribute(row: ClaimsRow) -> Iterator[tuple[str, Mapping[str, Any], Sequence[Token]]]:
    """Yield the claims of a row: attribute, claims, and the tokens that get them."""
    yield "claims", row.claims, TOKENS
    yield "access_claims", row.access_claims, (_ACCESS,)
    yield "id_claims", row.id_claims, (_ID,)


def suppressions(policy: Policy) -> Iterator[Finding]:
    """Yield findings for claims that a rule must not suppress."""
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
                    why = "readers of the token rely on this claim; remove it from the list"
                elif token == _ACCESS and claim == tenant:
                    why = "an access token always keeps its tenant; remove it from the list"
                if why is not None:
                    yield found(Code.NOT_SUPPRESSIBLE, entry, (attribute, str(index)), why)


def names(policy: Policy) -> Iterator[Finding]:
    """Yield findings for names that built-in claims cannot have."""
    entry, settings = policy.settings_entry, policy.settings
    for meaning in settings.claim_names:
        if meaning not in BUILT_IN_CLAIMS:
            suggestion = Suggestion((meaning,), BUILT_IN_CLAIMS)
            yield found(
                Code.UNKNOWN_ATTRIBUTE, entry, ("claim_names", meaning), "there is no such built-in claim", suggestion
            )
    seen: set[str] = set()
    for meaning, name in settings.names().items():
        path = ("claim_names", meaning)
        if refused := _refused(name, TOKENS):
            yield found(Code.RESERVED_CLAIM, entry, path, refused)
        elif is_taken(meaning, name) or name in seen:
            yield found(
                Code.DUPLICATE, entry, path, f"{clipped(name)} is already the name of another claim; choose another"
            )
        elif BUILT_IN_CLAIMS[meaning].is_complex and (why := _refused_complex(name)):
            yield found(Code.RESERVED_CLAIM, entry, path, why)
        seen.add(name)


def _refused(name: str, tokens: Sequence[Token]) -> str | None:
    return next(filter(None, (refused_name(token, name) for token in tokens)), None)


def _refused_complex(name: str) -> str | None:
    """Return why the ID token accepts no list or object under this name; None if it does."""
    try:
        checked(_ID, name, [])
    except UnacceptableError as unacceptable:
        return str(unacceptable)
    return None


def in_vain(policy: Policy) -> Iterator[Finding]:
    """Yield what a client's row says of access tokens that get nothing from the policy."""
    for name, client in policy.clients.items():
        if client.add_to_access_token:
            continue
        for attribute in ("access_claims", "audience", "scope_mode"):
            if getattr(client, attribute):
                message = "add_to_access_token is false, so this has no effect; remove one of them"
                yield found(Code.NOT_ADDED, policy.entries["clients"][name], (attribute,), message)


ERRORS: Final = (names, check, suppressions)
WARNINGS: Final = (in_vain,)
