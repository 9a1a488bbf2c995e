"""Refuses at synth issuers and app clients that a verifier would refuse at start, since no token can have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from claimsmith.environment import CLIENT_IDS, ISSUERS, parse_client_ids, parse_issuers
from claimsmith.errors import ConfigurationError
from claimsmith_cdk.templates import mapping, possible

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith_cdk.template_check import Findings
    from claimsmith_cdk.templates import Templates

#: Stands for a value that is only known at deployment.
_UNKNOWN: Final = "\0"
_REGION: Final = "\1"
_SUFFIX: Final = "\2"
_PSEUDO: Final = {"AWS::Region": _REGION, "AWS::URLSuffix": _SUFFIX}

#: A region and the domain of each partition: a template may be deployed to any.
_PLACES: Final = (
    ("eu-central-1", "amazonaws.com"),
    ("cn-north-1", "amazonaws.com.cn"),
    ("eusc-de-east-1", "amazonaws.eu"),
    ("us-iso-east-1", "c2s.ic.gov"),
)
_POOL_ID: Final = "eu-central-1_EXAMPLE"
_CLIENT_ID: Final = "1example23456789"


def problems(templates: Templates) -> Findings:
    """Findings about the variables of functions that verify tokens."""
    for template in templates.own:
        for resource in template.resources():
            variables = mapping(mapping(resource.properties.get("Environment")).get("Variables"))
            for name, refusal in ((ISSUERS, _refused_issuer), (CLIENT_IDS, _refused_client_id)):
                for value in possible(variables.get(name, _UNKNOWN)):
                    for entry in _rendered(value).split(","):
                        message = refusal(entry.strip())
                        if message:
                            yield resource, f"{templates.name(resource)}: {message}"


def _refused_issuer(entry: str) -> str:
    """The refusal of an issuer; empty if it is accepted in any partition, or not known yet."""
    if _UNKNOWN in "/".join(entry.split("/")[:3]):
        return ""
    known = entry.replace(_UNKNOWN, _POOL_ID)
    refusals = [
        _refusal(parse_issuers, known.replace(_REGION, region).replace(_SUFFIX, suffix)) for region, suffix in _PLACES
    ]
    return refusals[0] if all(refusals) else ""


def _refused_client_id(entry: str) -> str:
    client_id, paired, pool_id = entry.partition("@")
    known = client_id.replace(_UNKNOWN, _CLIENT_ID) + paired + pool_id.replace(_UNKNOWN, _POOL_ID)
    return _refusal(parse_client_ids, known)


def _refusal(read: Callable[[list[str]], object], entry: str) -> str:
    try:
        read([entry] if entry else [])
    except ConfigurationError as error:
        return str(error)
    return ""


def _rendered(value: object) -> str:
    """A text with placeholders for unknown values."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return _PSEUDO.get(name, _UNKNOWN)
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(map(_rendered, parts))
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^!}]+)\}", lambda found: _PSEUDO.get(found[1], _UNKNOWN), text)
        case _:
            return _UNKNOWN
