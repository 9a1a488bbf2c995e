"""How long a signed token will be, before Cognito signs it.

A token is three parts in base64url without padding (RFC 7515 section 3.1): a header of ``kid`` and ``alg``, the claims,
and the signature of a 2048-bit RSA key.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.response import Groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.cognito.event import Request
    from claimsmith.cognito.response import Changes

#: ``{"kid":"…44 characters…","alg":"RS256"}`` encoded, the signature of 256 octets encoded, and the two dots.
_OVERHEAD: Final = 91 + 342 + 2

_UUID: Final = "00000000-0000-4000-8000-000000000000"
_MACHINES: Final = {"exp": 1_800_000_000, "iat": 1_800_000_000, "jti": _UUID}

#: What the moment of issue adds, as long as it is.
_USERS: Final = {**_MACHINES, "auth_time": 1_800_000_000, "event_id": _UUID, "origin_jti": _UUID}

#: A sign-in with a remembered device. A later refresh does not show it, though its access token has the key too.
_DEVICE_SOURCE: Final = "TokenGeneration_AuthenticateDevice"

# What is measured was checked or parsed before, so nothing of it can be inside itself.
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


#: Claims that are encoded in one go.
_FEW: Final = 100


def encoded(claims: Mapping[str, Any]) -> int:
    """Characters of these claims as compact JSON, all of ASCII, without the braces around them.

    Of many claims, which may all be the same long list, each value is encoded by itself, and once.
    """
    if len(claims) <= _FEW:
        return len(_encode(claims)) - 2
    return sum(lengths(claims).values()) - 1


def lengths(claims: Mapping[str, Any]) -> dict[str, int]:
    """Characters of each claim, its name, colon and comma included."""
    once: dict[int, int] = {}
    for value in claims.values():
        if id(value) not in once:
            once[id(value)] = len(_encode(value))
    return {name: len(_encode(name)) + once[id(value)] + 2 for name, value in claims.items()}


_USERS_LENGTH: Final = encoded(_USERS) + 1
_MACHINES_LENGTH: Final = encoded(_MACHINES) + 1

#: What the tokens of a managed login have besides, by ``token_use``.
_LOGINS: Final = {"access": encoded({"version": 2}) + 1, "id": encoded({"at_hash": "0" * 22}) + 1}


def payload(claims: Mapping[str, Any], request: Request) -> int:
    """Octets of a token's payload.

    Args:
        claims: those that the request decides (``tokens.issued``), without ``iss``.
        request: whose token; its pool determines the length of ``iss``.
    """
    region = request.pool_id.partition("_")[0]
    issuer = len(f',"iss":"https://cognito-idp.{region}.amazonaws.com/{request.pool_id}"')
    known = encoded(claims) + issuer + 2
    if request.machine:
        return known + _MACHINES_LENGTH
    known += _USERS_LENGTH
    if not request.api:
        return known + _LOGINS[claims["token_use"]]
    if request.source == _DEVICE_SOURCE and claims["token_use"] == TOKENS[0]:
        return known + encoded({"device_key": f"{region}_{_UUID}"}) + 1
    return known


#: More than a payload has beside what is measured in ``surely_within``: the names of Cognito's own claims, what the
#: moment of issue adds, and the rest of ``iss``.
_BESIDE: Final = 1_000

#: Claims and members of arrays in both tokens. Many take as long as the payloads, and may all be the same long array.
_SEVERAL: Final = 1_000


def surely_within(budget: int, changes: Changes, request: Request) -> bool:
    """Whether no token can be longer than the budget, whatever way the changes and the request come into it.

    It costs half of what it takes to make the payloads and to measure them, which are nearly always far shorter. False
    says nothing.

    Args:
        budget: characters of a signed token.
        changes: what the trigger answers.
        request: whose tokens.
    """
    access, identity = changes.access.claims, changes.id.claims
    # Of what is in both tokens, once is enough. Nothing is lost: this asks for more than either has.
    other = {name: value for name, value in identity.items() if access.get(name) is not value}
    values = [*access.values(), *other.values()]
    if len(values) + sum([len(value) for value in values if type(value) is list]) > _SEVERAL:
        return False
    groups = changes.groups or Groups(request.groups, request.iam_roles, request.preferred_role)
    attributes = request.attributes
    texts = [
        request.sub or request.client_id,
        request.client_id,
        request.username,
        *[request.pool_id] * 3,  # as often as the pool or its region may be in a token
        *groups.groups,
        *groups.iam_roles,
        groups.preferred_role or "",
        *request.scopes,
        *changes.scopes_to_add,
        *attributes,
        *attributes.values(),
    ]
    # Beside each text, its marks and a comma or a colon. Cognito parses the JSON in one attribute, of which nothing
    # gets longer but a number such as 1e15.
    octets = _at_most("".join(texts)) + 4 * len(texts) + 5 * len(attributes.get("identities", ""))
    octets += _at_most((access, other)) + _BESIDE
    return signed(octets) <= budget


def _at_most(value: object) -> int:
    """Octets that a value's JSON, all of ASCII, cannot exceed, by how Python writes the value."""
    written = ascii(value)
    # Of what JSON escapes, Python escapes all but quotation marks, and takes four octets where JSON takes six.
    return 2 * len(written) if '"' in written or "\\" in written else len(written)


def signed(octets: int) -> int:
    """Characters of a signed token with a payload of so many octets."""
    return _OVERHEAD + (octets * 4 + 2) // 3
