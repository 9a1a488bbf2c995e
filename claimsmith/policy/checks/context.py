"""Further claims of the authorizer's context: names that an access token can have, no secrets, and not too much."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from claimsmith.authorizer_context import TAKEN, WEBSOCKET_BYTES
from claimsmith.cognito.claims import OF_ACCESS_TOKENS, STANDARD, TOKENS
from claimsmith.engine.built_in import BUILT_IN_CLAIMS
from claimsmith.engine.language import DEGRADED_CLAIM, SHED_CLAIM
from claimsmith.errors import Code
from claimsmith.policy.checks.size import claim_octets
from claimsmith.policy.finding import clipped, found, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy

_ACCESS: Final = TOKENS[0]

#: How similar a name must be to a claim of the policy to count as misspelt: a row of the directory may set any name.
_NEAR: Final = 0.8

#: Parts of the names of what should not be in a token, and by no means in the logs of whoever prints a context.
_SECRET: Final = re.compile(
    r"(?:^|[^a-z])(?:access|id|refresh|session|bearer)?[_-]?token$|passw|passphrase|secret|credential"
    r"|(?:api|private|access)[_-]?key|(?:^|[^a-z])(?:ssn|iban|pin)$",
    re.IGNORECASE,
)


def names(policy: Policy) -> Iterator[Finding]:
    """Yield names that no further claim can have."""
    seen: set[str] = set()
    for index, name in enumerate(policy.settings.context_claims):
        path = ("context_claims", str(index))
        if not name or name != name.strip() or "*" in name:
            message = "name each claim in full, as the token has it; there is no wild card"
            yield found(Code.INVALID_NAME, policy.settings_entry, path, message)
        elif name in TAKEN:
            message = f"the context has its own {clipped(name)}; remove it here"
            yield found(Code.INVALID_NAME, policy.settings_entry, path, message)
        elif name in seen:
            yield found(Code.DUPLICATE, policy.settings_entry, path, f"{clipped(name)} is listed already; remove it")
        seen.add(name)


def never_set(policy: Policy) -> Iterator[Finding]:
    """Yield claims that only ID tokens have, and misspelt ones. Any other may be one of a row of the directory."""
    if not policy.settings.context_claims:
        return
    produced = _access_claims(policy)
    for index, name in enumerate(policy.settings.context_claims):
        near = nearest(name, produced, _NEAR)
        if name in produced or not (near or _is_of_id_tokens(name)):
            continue
        message = (
            f"no access token of Cognito has {clipped(name)}, unless a row sets it; "
            "let a rule set it under access_claims, or list another claim"
        )
        if near is not None and not _is_of_id_tokens(name):
            message = f"the policy sets no claim {clipped(name)} in access tokens; did you mean {near}?"
        yield found(Code.CONTEXT_CLAIM_NEVER_SET, policy.settings_entry, ("context_claims", str(index)), message)


def _is_of_id_tokens(name: str) -> bool:
    """Whether it is an attribute of the user, or a claim that Cognito or the engine keep to ID tokens."""
    return name in STANDARD or name in BUILT_IN_CLAIMS or name.startswith(("custom:", "cognito:"))


def _access_claims(policy: Policy) -> set[str]:
    """The claims that Cognito, the engine and the rows of a policy put into access tokens."""
    named = policy.settings.names()
    produced = {name for meaning, name in named.items() if _ACCESS in BUILT_IN_CLAIMS[meaning].tokens}
    for _, row in policy.claims_rows():
        produced |= {*row.claims, *row.access_claims}
    return produced | OF_ACCESS_TOKENS | {DEGRADED_CLAIM, SHED_CLAIM}


def secret(policy: Policy) -> Iterator[Finding]:
    """Yield names that look like secrets."""
    for index, name in enumerate(policy.settings.context_claims):
        if _SECRET.search(name):
            message = (
                f"{clipped(name)} looks like a secret, and services log their events; "
                "leave it out, and let the service that needs it fetch it"
            )
            yield found(Code.CONTEXT_CLAIM_SECRET, policy.settings_entry, ("context_claims", str(index)), message)


def large(policy: Policy) -> Iterator[Finding]:
    """Yield a context that a WebSocket API would refuse, as far as the policy's own values show."""
    if not policy.settings.context_claims:
        return
    octets = claim_octets(policy)
    total = sum(octets.get(name, 0) for name in policy.settings.context_claims)
    if total > WEBSOCKET_BYTES:
        message = (
            f"these claims may have about {total:,} bytes, and a WebSocket API takes an answer of {WEBSOCKET_BYTES:,}; "
            "list fewer"
        )
        yield found(Code.CONTEXT_MAY_BE_TOO_LARGE, policy.settings_entry, ("context_claims",), message)


ERRORS: Final = (names,)
WARNINGS: Final = (never_set, secret, large)
