"""How Cognito spells the issuer of a user pool and the id of an app client; anything else matches no token.

A configuration that cannot match is refused where it is read, with the right spelling, and not by every token.
"""

from __future__ import annotations

import re
from typing import Final

from claimsmith.errors import ConfigurationError

#: The domain of each partition's endpoints, by how the names of its regions begin.
_DOMAINS: Final = (
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("", "amazonaws.com"),
)

#: Domains of dual-stack endpoints. AWS answers there too, but no token names one.
_OTHER_DOMAINS: Final = ("api.aws", "amazonwebservices.com.cn", "amazonwebservices.eu")

_AWS: Final = tuple(f".{domain}" for domain in (*(domain for _, domain in _DOMAINS), *_OTHER_DOMAINS))

#: ``cognito-idp`` is the ORIGINAL issuer, ``issuer-cognito-idp`` the UPDATED one of the same pool. That a pool outside
#: aws and aws-us-gov has an UPDATED issuer is not confirmed; to allow its name all the same gives nobody anything,
#: since the domain is AWS's and the pool's id is part of it.
#:
#: None of these is compiled before it is needed: the trigger loads this too, with the environment, and needs none.
_ISSUER: Final = (
    r"https://(?P<updated>issuer-)?cognito-idp\.(?P<region>[a-z0-9-]+)\.(?P<domain>[a-z0-9.-]+)"
    r"/(?P<pool>(?P<home>[a-z0-9-]+)_[A-Za-z0-9]+)"
)
_POOL_ID: Final = r"(?i)(?<![a-z0-9-])(?P<home>[a-z]{2,4}(?:-[a-z]+)+-[0-9]+)_(?P<id>[a-z0-9]+)"
_ENDPOINT: Final = r"(?i)(?:https?://)?(?P<updated>issuer-)?cognito-idp\.(?P<region>[a-z0-9-]+)\."

#: What an endpoint of Cognito is called in its host (https://docs.aws.amazon.com/general/latest/gr/cognito_identity.html).
_SERVICE: Final = r"(?:issuer-)?cognito-(?:idp|identity|sync)(?:-fips)?"

#: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UserPoolClientType.html
_MAX_CLIENT_ID: Final = 128


def _domain(region: str) -> str:
    return next(domain for start, domain in _DOMAINS if region.startswith(start))


def pool_issuer(pool_id: str, region: str | None = None, *, updated: bool = False) -> str:
    """The ``iss`` of a pool's tokens.

    https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html

    Args:
        pool_id: such as ``eu-central-1_EXAMPLE``.
        region: of the endpoint; by default the pool's own.
        updated: the UPDATED form in place of the ORIGINAL one.
    """
    region = region or pool_id.partition("_")[0]
    return f"https://{'issuer-' if updated else ''}cognito-idp.{region}.{_domain(region)}/{pool_id}"


def pool_issuers(issuer: str) -> tuple[str, str] | None:
    """The ORIGINAL and the UPDATED form of a pool's issuer; none where it is not the issuer of a user pool."""
    found = re.fullmatch(_ISSUER, issuer)
    if found is None or found["domain"] != _domain(found["region"]):
        return None
    return (
        pool_issuer(found["pool"], found["region"]),
        pool_issuer(found["pool"], found["region"], updated=True),
    )


def is_pool_id(text: str) -> bool:
    """Whether this can be the id of a user pool."""
    return re.fullmatch(r"[a-z0-9-]+_[A-Za-z0-9]+", text) is not None


def pool_of(issuer: str) -> str:
    """The id of the user pool of an issuer; of an issuer that is none, what follows its last slash."""
    return issuer.rpartition("/")[2]


def is_of_another_region(issuer: str) -> bool:
    """Whether a pool's issuer names another region than the pool's id: right for a replica only."""
    found = re.fullmatch(_ISSUER, issuer)
    return found is not None and found["region"] != found["home"]


def check_issuer(issuer: str) -> None:
    """Refuse what cannot be the issuer of any user pool, or of any other OpenID provider.

    An address of a domain that is not AWS's is taken: it may be a local stack. That it is a pool's custom domain, which
    no token names either, cannot be seen.

    Raises:
        ConfigurationError: it is a pool's id, the managed login's domain, another address of Cognito's, the address of
            a key set or discovery document, or has capitals where tokens have none. The message has the right spelling.
    """
    if pool_issuers(issuer) is not None:
        return
    scheme, separator, rest = issuer.partition("://")
    authority = re.split("[/?#]", rest if separator else issuer, maxsplit=1)[0]
    host = authority.rpartition("@")[2].partition(":")[0].rstrip(".").lower()
    if "amazoncognito" in host.split("."):
        raise ConfigurationError(
            "The managed login's domain (amazoncognito.com) is the issuer of no token. The issuer of a user pool is "
            f"{_spelled(issuer)}."
        )
    if _is_cognitos(host) or (not separator and re.match(_POOL_ID, issuer)):
        raise ConfigurationError(
            f"No user pool has this issuer; write {_spelled(issuer)}, with no port, slash or path after it."
        )
    if not separator or "@" in authority:
        return  # no plain address at all: refused for that where keys are looked for
    origin = f"{scheme}://{authority}"
    if "/.well-known" in issuer.lower():
        right = issuer[: issuer.lower().index("/.well-known")]
        raise ConfigurationError(f"This is the address of an issuer's document. The issuer is {right}.")
    if origin != origin.lower():
        right = issuer.replace(origin, origin.lower(), 1)
        raise ConfigurationError(f"An issuer's scheme and host are in lower case, as in its tokens; write {right}.")


def _is_cognitos(host: str) -> bool:
    """Whether a host is an endpoint of Cognito: of its API, of identity pools, of FIPS, of a private link.

    Not that of a bucket or the like whose owner has put Cognito into its name: that may be a stand-in for tests.
    """
    return host.endswith(_AWS) and any(re.fullmatch(_SERVICE, label) for label in host.split("."))


def _spelled(text: str) -> str:
    """The issuer that was probably meant, or the form of one."""
    pool, endpoint = re.search(_POOL_ID, text), re.match(_ENDPOINT, text)
    if pool is None:
        return f"https://cognito-idp.REGION.amazonaws.com/POOL_ID, as in {pool_issuer('eu-central-1_EXAMPLE')}"
    home = pool["home"].lower()
    region = home if endpoint is None else endpoint["region"].lower()
    return pool_issuer(f"{home}_{pool['id']}", region, updated=endpoint is not None and endpoint["updated"] is not None)


def check_client_id(client_id: str) -> None:
    """Refuse what cannot be the id of an app client.

    Raises:
        ConfigurationError: it is a wildcard, or has not the form of an id. The message does not repeat it: it could be
            a secret that was put in the wrong place.
    """
    if client_id.strip("'\" ").casefold() in ("*", "any"):
        raise ConfigurationError(
            "* and ANY are no ids of app clients: name every client that is accepted. Only the library can accept all "
            "clients, by the sentinel claimsmith.verifier.ANY in place of the list."
        )
    letters = client_id.replace("_", "x").replace("+", "x")
    if not (letters.isascii() and letters.isalnum() and len(letters) <= _MAX_CLIENT_ID):
        raise ConfigurationError(
            "An app client's id is 1 to 128 letters, digits, underscores and plus signs, as in 1example23456789: no "
            "quotes, spaces or wildcards, and neither a name, an ARN nor a pool's id."
        )
