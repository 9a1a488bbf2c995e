"""The Lambda authorizers in finished templates whose answers may be cached, in every form that CloudFormation has.

Those forms are ``AWS::ApiGateway::Authorizer``, ``AWS::ApiGatewayV2::Authorizer``, an OpenAPI document's
``x-amazon-apigateway-authorizer`` and ``Auth`` of AWS SAM's APIs. Anything that cannot be read is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from claimsmith_cdk.templates import NESTING, is_intrinsic, mapping, members, possible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith_cdk.templates import Resource, Template

_SAM: Final = "AWS::Serverless::"
_SERVICES: Final = ("AWS::ApiGateway::", "AWS::ApiGatewayV2::", _SAM)
_APIS: Final = ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api", f"{_SAM}Api", f"{_SAM}HttpApi")
_OPENAPI: Final = "x-amazon-apigateway-authorizer"
_TTL: Final = "AuthorizerResultTtlInSeconds"

#: Resources that create others, which the template does not show.
_GENERATORS: Final = ("AWS::CloudFormation::StackSet", "AWS::Serverless::Application")

#: Properties with the definition of an API, in the template and elsewhere.
_DOCUMENTS: Final = ("Body", "DefinitionBody")
_ELSEWHERE: Final = ("BodyS3Location", "CloneFrom", "DefinitionUri")

#: Transforms that do not change authorizers. Those of Secrets Manager, which CDK's hosted rotation uses, only create
#: the rotation's function.
_TRANSFORMS: Final = (
    "AWS::Serverless-2016-10-31",
    "AWS::LanguageExtensions",
    "AWS::SecretsManager-2020-07-23",
    "AWS::SecretsManager-2024-09-16",
)


@dataclass(frozen=True)
class CachingAuthorizer:
    """An authorizer whose answers may be cached; one with conditions has an entry for each cache key.

    Attributes:
        resource: the authorizer, or the API whose document has it.
        api: the kind of API; ``SAM`` if SAM decides on the identity sources.
        uri: the reference to its function.
        sources: its cache key; ``None`` if it cannot be read.
        separate: whether it is a resource of its own, which routes name.
    """

    resource: Resource
    api: Literal["HTTP", "REST", "SAM"]
    uri: object
    sources: tuple[str, ...] | None = None
    separate: bool = False


def caching_authorizers(template: Template) -> Iterator[CachingAuthorizer]:
    """The authorizers whose answers may be cached."""
    for resource in template.resources():
        properties = resource.properties
        match resource.type:
            case "AWS::ApiGateway::Authorizer":
                if not _all(properties.get("Type"), "COGNITO_USER_POOLS") and _keeps(properties.get(_TTL)):
                    yield CachingAuthorizer(resource, "REST", properties.get("AuthorizerUri"), separate=True)
            case "AWS::ApiGatewayV2::Authorizer":
                yield from _http(resource)
            case "AWS::ApiGateway::RestApi":
                yield from _document(resource, "REST", properties.get("Body"))
            case "AWS::ApiGatewayV2::Api":
                yield from _document(resource, "HTTP", properties.get("Body"))
            case "AWS::Serverless::Api" | "AWS::Serverless::HttpApi":
                api: Literal["REST", "HTTP"] = "REST" if resource.type.endswith("::Api") else "HTTP"
                yield from _document(resource, api, properties.get("DefinitionBody"))
                yield from _sam(resource, properties.get("Auth"))
    for shared in mapping(
        template.document.get("Globals")
    ).values():  # SAM's settings of all APIs, including implicit ones
        for resource in [found for found in template.resources() if found.type.startswith(_SAM)][:1]:
            yield from _sam(resource, mapping(shared).get("Auth"))


def unreadable_resources(template: Template) -> Iterator[tuple[Resource, str]]:
    """Resources that may have authorizers that cannot be read, with the reason."""
    transforms = template.document.get("Transform", [])
    macros = [
        name for name in (transforms if isinstance(transforms, list) else [transforms]) if name not in _TRANSFORMS
    ]
    for resource in template.resources():
        if macros:
            yield resource, "a macro of its template changes everything when it is deployed"
            return
        reason = _unreadable(resource)
        if reason:
            yield resource, reason


def _unreadable(resource: Resource) -> str:
    """Why a resource cannot be read; empty if it can, or has nothing to do with authorizers."""
    kind, properties = resource.type, resource.properties
    if not kind or kind.endswith("::MODULE"):
        return "it is not a resource but creates some when it is deployed"
    if kind in _GENERATORS or (kind == NESTING and resource.logical_id not in resource.template.nested):
        return "its resources are not in a template of this app"
    if kind.startswith(_SERVICES) and any(key == "Fn::Transform" for key, _ in members(properties)):
        return "a macro (Fn::Transform) changes it when it is deployed"
    return _unreadable_document(properties) if kind in _APIS else ""


def _unreadable_document(properties: dict[str, object]) -> str:
    if any(value is not None for name in _ELSEWHERE for value in possible(properties.get(name))):
        return "its definition is elsewhere; give an OpenAPI document as Body (DefinitionBody)"
    for document in (choice for name in _DOCUMENTS for choice in possible(properties.get(name))):
        if document is not None and (is_intrinsic(document) or not mapping(document)):
            return "its OpenAPI document is not written out"
    return ""


def _http(resource: Resource) -> Iterator[CachingAuthorizer]:
    properties = resource.properties
    socket = _all(properties.get("AuthorizerPayloadFormatVersion"), None)  # a WebSocket API's, which keeps none
    if socket or _all(properties.get("AuthorizerType"), "JWT") or not _keeps(properties.get(_TTL)):
        return
    for sources in possible(properties.get("IdentitySource")):
        yield CachingAuthorizer(resource, "HTTP", properties.get("AuthorizerUri"), _texts(sources or []), separate=True)


def _document(resource: Resource, api: Literal["REST", "HTTP"], body: object) -> Iterator[CachingAuthorizer]:
    """The authorizers of an OpenAPI document, wherever in it they are.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authorizer.html
    """
    for key, value in members(body):
        if key.lower() != _OPENAPI:
            continue
        for found in possible(value):
            if not isinstance(found, dict):
                yield CachingAuthorizer(resource, api, found)
            elif not _other_kind(found.get("type")) and _keeps(found.get("authorizerResultTtlInSeconds")):
                for sources in possible(found.get("identitySource")):
                    listed = sources.split(",") if isinstance(sources, str) else sources or []
                    yield CachingAuthorizer(resource, api, found.get("authorizerUri"), _texts(listed))


def _other_kind(kind: object) -> bool:
    """Whether an authorizer of a document is not a Lambda authorizer."""
    return all(isinstance(name, str) and name.lower() in ("jwt", "cognito_user_pools") for name in possible(kind))


def _sam(resource: Resource, auth: object) -> Iterator[CachingAuthorizer]:
    """The authorizers that SAM creates from ``Auth``.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-api-lambdatokenauthorizer.html
    """
    for settings in possible(auth):
        for listed in possible(settings if is_intrinsic(settings) else mapping(settings).get("Authorizers")):
            every = [listed] if is_intrinsic(listed) else mapping(listed).values()
            for found in (choice for authorizer in every for choice in possible(authorizer)):
                of_function = is_intrinsic(found) or "FunctionArn" in mapping(found)
                if of_function and _keeps(mapping(mapping(found).get("Identity")).get("ReauthorizeEvery")):
                    yield CachingAuthorizer(resource, "SAM", mapping(found).get("FunctionArn"))


def _keeps(seconds: object) -> bool:
    """Whether answers may be cached: AWS caches them by default, and an unreadable value may be anything."""
    return not all(
        isinstance(value, int | str) and not isinstance(value, bool) and str(value) == "0"
        for value in possible(seconds)
    )


def _all(value: object, only: object) -> bool:
    return all(found == only for found in possible(value))


def _texts(values: object) -> tuple[str, ...] | None:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return None
    return tuple(value.strip() for value in values)
