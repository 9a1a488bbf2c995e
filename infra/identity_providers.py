"""The providers by which users of other organizations sign in: OIDC and SAML.

Cognito writes the attributes that a provider sends through the app client, so the client must be allowed to write each
mapped one; otherwise the sign-in fails (``WriteAttributes`` of CreateUserPoolClient). What a client may write, its
users may change: such an attribute cannot be one of the policy's ``trusted_attributes`` (synth checks).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from aws_cdk import SecretValue
from aws_cdk import aws_cognito as cognito
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

if TYPE_CHECKING:
    from collections.abc import Iterable

    from constructs import Construct

#: The CDK's name of an attribute that the pool has, by Cognito's; without those that only Cognito writes.
STANDARD_ATTRIBUTES: Final = {
    "address": "address",
    "birthdate": "birthdate",
    "email": "email",
    "email_verified": "email_verified",
    "family_name": "family_name",
    "gender": "gender",
    "given_name": "given_name",
    "locale": "locale",
    "middle_name": "middle_name",
    "name": "fullname",
    "nickname": "nickname",
    "phone_number": "phone_number",
    "picture": "profile_picture",
    "preferred_username": "preferred_username",
    "profile": "profile_page",
    "website": "website",
    "zoneinfo": "timezone",
}

#: What Cognito takes as a name (``ProviderNameTypeV2``), in ASCII.
PROVIDER_NAME: Final = r"^[A-Za-z0-9.-][A-Za-z0-9._-][A-Za-z0-9.-]{1,30}$"

#: By which a client names the pool's own users.
_OWN: Final = "COGNITO"


def _not_own(name: str) -> str:
    if name.upper() == _OWN:
        raise ValueError(f"{name} is what Cognito calls the pool's own users; choose another")
    return name


def _known(attributes: dict[str, str]) -> dict[str, str]:
    unknown = [name for name in attributes if name not in STANDARD_ATTRIBUTES]
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)}: this app's pool has no such attribute; it has {', '.join(STANDARD_ATTRIBUTES)}"
        )
    return attributes


class _Provider(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, StringConstraints(pattern=PROVIDER_NAME), AfterValidator(_not_own)]
    attributes: Annotated[dict[str, str], AfterValidator(_known)] = Field(default_factory=dict)


class OidcProvider(_Provider):
    """A provider that speaks OpenID Connect.

    Attributes:
        name: in Cognito; part of its users' names.
        attributes: of the pool, each with the provider's claim that fills it.
        issuer: its address.
        client_id: of this pool at the provider.
        client_secret: the name of the secret in Secrets Manager; the secret itself is in no file and in no template.
        scopes: to request; ``openid`` at least.
    """

    type: Literal["oidc"]
    issuer: Annotated[str, StringConstraints(pattern=r"^https://[^\s?#]+$")]
    client_id: str
    client_secret: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/_+=.@-]{1,512}$")]
    scopes: Annotated[tuple[str, ...], Field(strict=False)] = ("openid",)


class SamlProvider(_Provider):
    """A provider that speaks SAML 2.0.

    Attributes:
        name: in Cognito; part of its users' names.
        attributes: of the pool, each with the provider's attribute that fills it.
        metadata_url: the address of its metadata.
    """

    type: Literal["saml"]
    metadata_url: Annotated[str, StringConstraints(pattern=r"^https://\S+$")]


IdentityProvider = Annotated[OidcProvider | SamlProvider, Field(discriminator="type")]


def add_providers(
    scope: Construct, user_pool: cognito.UserPool, providers: Iterable[OidcProvider | SamlProvider]
) -> list[cognito.IUserPoolIdentityProvider]:
    """Add providers to a pool."""
    return [_add(scope, user_pool, provider) for provider in providers]


def mapped_attributes(providers: Iterable[OidcProvider | SamlProvider]) -> set[str]:
    """The CDK's names of the attributes that some provider fills."""
    return {STANDARD_ATTRIBUTES[name] for provider in providers for name in provider.attributes}


def _add(
    scope: Construct, user_pool: cognito.UserPool, provider: OidcProvider | SamlProvider
) -> cognito.IUserPoolIdentityProvider:
    # Another parameter of the mapping is for custom attributes and of another type.
    filled: dict[str, Any] = {
        STANDARD_ATTRIBUTES[name]: cognito.ProviderAttribute.other(claim) for name, claim in provider.attributes.items()
    }
    mapping = cognito.AttributeMapping(**filled)
    if isinstance(provider, SamlProvider):
        return cognito.UserPoolIdentityProviderSaml(
            scope,
            f"Provider{provider.name}",
            user_pool=user_pool,
            name=provider.name,
            metadata=cognito.UserPoolIdentityProviderSamlMetadata.url(provider.metadata_url),
            attribute_mapping=mapping,
        )
    return cognito.UserPoolIdentityProviderOidc(
        scope,
        f"Provider{provider.name}",
        user_pool=user_pool,
        name=provider.name,
        issuer_url=provider.issuer,
        client_id=provider.client_id,
        client_secret=SecretValue.secrets_manager(provider.client_secret).unsafe_unwrap(),
        scopes=list(provider.scopes),
        attribute_mapping=mapping,
    )
