"""The worst-case size of a token: everything that the policy can put into it at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito import size
from claimsmith.cognito.claims import TOKENS, accepted
from claimsmith.cognito.event import Request
from claimsmith.cognito.limits import ADMIN_SCOPE
from claimsmith.cognito.response import Changes
from claimsmith.cognito.tokens import issued
from claimsmith.engine.built_in import BUILT_IN_CLAIMS, SOME_TEXT
from claimsmith.engine.language.values import form_of, holds_expression, looks_like_expression, template_parts
from claimsmith.errors import Code
from claimsmith.policy.checks.scopes import grants
from claimsmith.policy.documents import Client, Rule
from claimsmith.policy.finding import found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from claimsmith.cognito.claims import Token
    from claimsmith.engine.language.values import Shape
    from claimsmith.policy.documents import ClaimsRow
    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy

#: A request of a user without any roles, with ids of realistic length.
_REQUEST: Final = Request(
    source="TokenGeneration_Authentication",
    client_id="1example23456789abcdefghij",
    sub="00000000-0000-4000-8000-000000000000",
    username="00000000-0000-4000-8000-000000000000",
    attributes={},
    groups=(),
    scopes=(ADMIN_SCOPE,),
    metadata={},
    pool_id="eu-central-1_Example00",
)

_NO_CLIENT: Final = Client()


def check(policy: Policy) -> Iterator[Finding]:
    """Yield the tokens that would exceed the budget for a user with every role and every rule."""
    for token, own in zip(TOKENS, issued(_REQUEST, Changes()), strict=True):
        base = size.payload(own, _REQUEST)
        roles = _length(_built_in(policy, token))
        claims = _claims(policy, token)
        name, scopes, of_client = max(
            _by_client(policy, token, claims), key=lambda client: (client[1] + client[2], client[0])
        )
        total = size.signed(base + roles + scopes + of_client)
        if total <= policy.settings.token_budget:
            continue
        summed = {"scopes": scopes, "claims of rows": of_client, "tenant and roles": roles}
        parts = "".join(f"{what} {octets * 4 // 3:,}, " for what, octets in summed.items() if octets)
        parts += f"Cognito's own {size.signed(base):,}"
        whose = f" for client {name}" if name else ""
        message = (
            f"with every role and rule, the {token} token{whose} has about {total:,} bytes ({parts}); "
            "mark rules optional, or cut claims and scopes"
        )
        yield found(Code.TOKEN_MAY_EXCEED_BUDGET, policy.settings_entry, ("token_budget",), message)


def _by_client(policy: Policy, token: Token, claims: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    """Yield each client with the octets of its scopes and claims; a client without a row if there are none."""
    granted = {scope for _, _, scopes in grants(policy) for scope in scopes} if token == TOKENS[0] else set()
    octets, length, roles = _octets(granted), sum(claims.values()), _json(sorted(policy.roles))
    for name, client in policy.clients.items() or (("", _NO_CLIENT),):
        if token == TOKENS[0] and not client.add_to_access_token:
            yield name, 0, 0
            continue
        # Look only at what the client's own lists name, so that many clients cost no more than their rows.
        suppressed = {*client.suppress_scopes} & granted
        if client.scopes_allowed is None:
            scopes = octets - _octets(suppressed)
        else:
            scopes = _octets(({*client.scopes_allowed} & granted) - suppressed)
        own = _of_row(client, token, roles)
        yield name, scopes, length + sum(long - claims.get(claim, 0) for claim, long in own.items())


def _octets(scopes: Iterable[str]) -> int:
    return sum(len(scope) + 1 for scope in scopes)


def _claims(policy: Policy, token: Token) -> dict[str, int]:
    """Return the octets of each claim of roles and rules; of several values, the longest."""
    claims: dict[str, int] = {}
    roles = _json(sorted(policy.roles))
    for _, row in policy.claims_rows():
        if isinstance(row, Client) or (isinstance(row, Rule) and not row.enabled):
            continue
        for name, octets in _of_row(row, token, roles).items():
            claims[name] = max(claims.get(name, 0), octets)
    return claims


def claim_octets(policy: Policy) -> dict[str, int]:
    """Return the octets of each claim of the access token that the policy's rows set, each at its longest."""
    claims = _claims(policy, TOKENS[0])
    for client in policy.clients.values():
        for name, octets in _of_row(client, TOKENS[0], _json(sorted(policy.roles))).items():
            claims[name] = max(claims.get(name, 0), octets)
    return claims


def _of_row(row: ClaimsRow, token: Token, roles: int) -> dict[str, int]:
    """Return the octets of each claim of a row, including its name."""
    own = row.access_claims if token == TOKENS[0] else row.id_claims
    named = {**row.claims, **own}.items()
    return {name: _length({name: ""}) - len('""') + _value(value, roles) for name, value in named}


def _value(value: Any, roles: int) -> int:  # noqa: ANN401 - a literal, or an expression
    """Return the octets of a value, estimated for an expression; ``roles`` are the octets of all roles."""
    form = form_of(value)
    if form is None:
        return _json(_filled(value, roles) if holds_expression(value) else accepted(value))
    return max(_part(form.keys[key], part, roles) for key, part in value.items())


def _filled(value: Any, roles: int) -> Any:  # noqa: ANN401 - a JSON value
    """Return a value with a text as long as it may be in place of each expression inside."""
    if looks_like_expression(value):
        return "x" * _value(value, roles)
    if isinstance(value, Mapping):
        return {name: _filled(part, roles) for name, part in value.items()}
    return [_filled(part, roles) for part in value] if isinstance(value, list) else accepted(value)


def _part(shape: Shape, part: Any, roles: int) -> int:  # noqa: ANN401 - a JSON value
    """Return the octets that what a key of an expression takes can yield."""
    match shape:
        case "path":
            return roles if part == "roles" else _json(SOME_TEXT)
        case "template":
            return _json("".join(text + (SOME_TEXT if path else "") for text, path in template_parts(part)))
        case "literal":
            return _json(accepted(part))
        case "conversion":
            return 0


def _json(value: object) -> int:
    return _length({"": value}) - len('"":,')


def _built_in(policy: Policy, token: Token) -> dict[str, Any]:
    roles, names = sorted(policy.roles), policy.settings.names()
    claims = {name: BUILT_IN_CLAIMS[meaning] for meaning, name in names.items()}
    return {name: value for name, claim in claims.items() if token in claim.tokens and (value := claim.largest(roles))}


def _length(claims: Mapping[str, Any]) -> int:
    return size.encoded(claims) + 1 if claims else 0


WARNINGS: Final = (check,)
