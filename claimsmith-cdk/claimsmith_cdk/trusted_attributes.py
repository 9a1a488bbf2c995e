"""Attributes that the policy trusts, and whether a client of the app's pools may write them.

The policy is not part of the app: it changes without a deployment. So ``-c trusted_attributes`` repeats its setting.
Reads finished templates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CLIENT: Final = "AWS::Cognito::UserPoolClient"
_POOL: Final = "AWS::Cognito::UserPool"

#: Attributes that no client may ever write (CreateUserPoolClient, WriteAttributes).
_OF_COGNITO: Final = frozenset({"sub", "email_verified", "phone_number_verified", "identities"})


def problems(trusted: Sequence[str], templates: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Attributes that a user could write and the policy trusts, a sentence each.

    Args:
        trusted: names of attributes, as in the policy's ``trusted_attributes``.
        templates: the templates of the app, by the name of their stack.
    """
    for name in trusted:
        if name in _OF_COGNITO or name.startswith("cognito:"):
            continue
        for stack, template in templates.items():
            for logical_id, resource in template.get("Resources", {}).items():
                why = _writes(name, resource.get("Type"), resource.get("Properties", {}))
                if why is not None:
                    yield (
                        f"trusted_attributes: users can write {name}: {why} ({stack}/{logical_id}). Remove it from the "
                        "policy's trusted_attributes, or let no client write it."
                    )


def _writes(name: str, kind: object, properties: Mapping[str, Any]) -> str | None:
    """Why users can write an attribute, as far as this resource allows it."""
    if kind == _CLIENT:
        allowed = properties.get("WriteAttributes")
        if not isinstance(allowed, list) or not allowed:
            return "a client that does not list its WriteAttributes may write all of them"
        if not all(isinstance(attribute, str) for attribute in allowed):
            return "the attributes that a client may write cannot be read at synth"
        return "it is in the WriteAttributes of a client" if name in allowed else None
    if kind == _POOL:
        schema = properties.get("Schema", [])
        if not isinstance(schema, list) or not all(isinstance(attribute, dict) for attribute in schema):
            return "the attributes that the pool requires cannot be read at synth"
        required = {attribute.get("Name") for attribute in schema if attribute.get("Required", False) is not False}
        return "every client may write the attributes that the pool requires" if name in required else None
    return None
