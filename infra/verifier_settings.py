"""Refuses at synth what a verifier would refuse when it starts: issuers and app clients that no token can have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from claimsmith.environment import CLIENT_IDS, ISSUERS, parse_client_ids, parse_issuers
from claimsmith.errors import ConfigurationError
from infra.templates import mapping, possible

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.template_check import Findings
    from infra.templates import Templates

#: What stands for a value that is known when the stack is deployed.
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
    """What is wrong with the variables of functions that verify tokens."""
    for template in templates.own:
        for resource in template.resources():
            variables = mapping(mapping(resource.properties.get("Environment")).get("Variables"))
            for name, refusal in ((ISSUERS, _refused_issuer), (CLIENT_IDS, _refused_client_id)):
                for value in possible(variables.get(name, _UNKNOWN)):
                    for entry in _rendered(value).split(","):
                        said = refusal(entry.strip())
                        if said:
                            yield resource, f"{templates.name(resource)}: {said}"


def _refused_issuer(entry: str) -> str:
    """What is said of an issuer in every partition; empty where it is right in one, or not known yet."""
    if _UNKNOWN in "/".join(entry.split("/")[:3]):
        return ""
    known = entry.replace(_UNKNOWN, _POOL_ID)
    said = [
        _refusal(parse_issuers, known.replace(_REGION, region).replace(_SUFFIX, suffix)) for region, suffix in _PLACES
    ]
    return said[0] if all(said) else ""


def _refused_client_id(entry: str) -> str:
    return _refusal(parse_client_ids, entry.replace(_UNKNOWN, _CLIENT_ID))


def _refusal(read: Callable[[list[str]], object], entry: str) -> str:
    try:
        read([entry] if entry else [])
    except ConfigurationError as error:
        return str(error)
    return ""


def _rendered(value: object) -> str:
    """A text with what is not known yet in its place."""
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
