"""The user pool, its domain, its resource servers and its three clients."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from aws_cdk import Aws, Duration, Fn
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.log_group import removal_policy
from infra.identity_providers import add_providers, mapped_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.config import Config
    from infra.domain import Email

_PLANS = {"ESSENTIALS": cognito.FeaturePlan.ESSENTIALS, "PLUS": cognito.FeaturePlan.PLUS}

#: What a resource server's name, which only people read, must not have.
_UNNAMEABLE = re.compile(r"[^\w\s+=,.@-]+", re.ASCII)

_SESSION_VALIDITY = Duration.days(7)

# For the second of two requests that a browser sends with the same refresh token.
_ROTATION_GRACE = Duration.seconds(10)


class Pool(Construct):
    """A user pool whose users cannot write anything that grants permissions.

    It has no attribute for a tenant or a role; these are in the table.

    Attributes:
        user_pool: the pool.
        public_client: signs in by SRP, for the owner's own apps.
        code_client: the authorization code grant, for browsers and federation. Cognito checks a PKCE challenge if
            the client sends one but cannot require it, so the client must send ``S256`` (RFC 7636).
        machine_client: client credentials.
        domain: serves ``/oauth2/token`` and the sign-in pages; None where the stage has none.
    """

    def __init__(self, scope: Construct, construct_id: str, *, config: Config) -> None:
        super().__init__(scope, construct_id)
        plus = config.feature_plan == "PLUS"
        self.user_pool = cognito.UserPool(
            self,
            "UserPool",
            feature_plan=_PLANS[config.feature_plan],
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(username=True, email=True),
            sign_in_case_sensitive=False,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            keep_original=cognito.KeepOriginalAttrs(email=True),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
                temp_password_validity=Duration.days(3),
            ),
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            standard_threat_protection_mode=cognito.StandardThreatProtectionMode.FULL_FUNCTION if plus else None,
            email=_email(config.email) if config.email else None,
            deletion_protection=config.production,
            removal_policy=removal_policy(config.hosting),
        )
        acknowledge(
            self.user_pool,
            "COG2",
            "A second factor is available to all users. Whether it is required is the account owner's choice; users "
            "without one could not sign in once it is.",
        )
        if not plus:
            acknowledge(
                self.user_pool,
                "COG8",
                'Threat protection is billed for every active user; feature_plan = "PLUS" turns it on.',
            )
        self.domain = self._domain(config)
        providers = add_providers(self, self.user_pool, config.identity_providers)
        scopes = [
            scope
            for identifier, declared in config.resource_servers.items()
            for scope in self._resource_server(identifier, declared)
        ]
        introspect = self._resource_server("claimsmith", {"introspect": "Ask whether a token is active"})
        self._lifetime = Duration.minutes(config.token_minutes)
        self.public_client = self._client(
            "PublicClient", disable_o_auth=True, auth_flows=cognito.AuthFlow(user_srp=True)
        )
        self.code_client = self._client(
            "CodeClient",
            # An empty list would mean Cognito's own, which collides with rotation.
            auth_flows=cognito.AuthFlow(user_srp=True),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[
                    cognito.OAuthScope.OPENID,
                    cognito.OAuthScope.PROFILE,
                    cognito.OAuthScope.EMAIL,
                    *scopes,
                ],
                callback_urls=list(config.callback_urls),
                logout_urls=list(config.logout_urls) or None,
            ),
            providers=[
                cognito.UserPoolClientIdentityProvider.custom(given.name) for given in config.identity_providers
            ],
            writable=mapped_attributes(config.identity_providers),
        )
        self.code_client.node.add_dependency(*providers)
        self.machine_client = self.user_pool.add_client(
            "MachineClient",
            generate_secret=True,
            # No flow that signs a user in: only refreshing remains, and there is nothing to refresh.
            auth_flows=cognito.AuthFlow(user_srp=False),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True), scopes=[*scopes, *introspect]
            ),
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
            access_token_validity=self._lifetime,
            id_token_validity=self._lifetime,
            enable_token_revocation=True,
            prevent_user_existence_errors=True,
            read_attributes=_readable(),
            write_attributes=_writable(),
        )

    @property
    def clients(self) -> tuple[cognito.UserPoolClient, ...]:
        """Every client."""
        return (self.public_client, self.code_client, self.machine_client)

    def _domain(self, config: Config) -> cognito.UserPoolDomain | None:
        chosen = config.domain
        if chosen == "none":
            return None
        if chosen is None or chosen.name is None or chosen.certificate_arn is None:
            prefix = own_domain_prefix() if chosen is None else chosen.prefix
            return self.user_pool.add_domain(
                "Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=str(prefix))
            )
        certificate = acm.Certificate.from_certificate_arn(self, "Certificate", chosen.certificate_arn)
        return self.user_pool.add_domain(
            "Domain", custom_domain=cognito.CustomDomainOptions(domain_name=chosen.name, certificate=certificate)
        )

    def _resource_server(self, identifier: str, scopes: Mapping[str, str]) -> list[cognito.OAuthScope]:
        declared = [
            cognito.ResourceServerScope(scope_name=name, scope_description=description)
            for name, description in scopes.items()
        ]
        # Identifiers are often addresses, of which no construct's id can be made, and capitals tell some apart.
        own_id = (
            identifier.title()
            if identifier.isalnum() and identifier.islower()
            else f"Api{sha256(identifier.encode()).hexdigest()[:8]}"
        )
        server = self.user_pool.add_resource_server(
            own_id,
            identifier=identifier,
            user_pool_resource_server_name=_UNNAMEABLE.sub("-", identifier),
            scopes=declared,
        )
        return [cognito.OAuthScope.resource_server(server, scope) for scope in declared]

    def _client(
        self,
        construct_id: str,
        *,
        auth_flows: cognito.AuthFlow,
        o_auth: cognito.OAuthSettings | None = None,
        disable_o_auth: bool | None = None,
        providers: Iterable[cognito.UserPoolClientIdentityProvider] = (),
        writable: Iterable[str] = (),
    ) -> cognito.UserPoolClient:
        """A client without a secret, for code on the user's device."""
        return self.user_pool.add_client(
            construct_id,
            generate_secret=False,
            auth_flows=auth_flows,
            o_auth=o_auth,
            disable_o_auth=disable_o_auth,
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO, *providers],
            access_token_validity=self._lifetime,
            id_token_validity=self._lifetime,
            refresh_token_validity=_SESSION_VALIDITY,
            refresh_token_rotation_grace_period=_ROTATION_GRACE,
            enable_token_revocation=True,
            prevent_user_existence_errors=True,
            read_attributes=_readable(),
            write_attributes=_writable(writable),
        )


def _readable() -> cognito.ClientAttributes:
    return cognito.ClientAttributes().with_standard_attributes(
        email=True, email_verified=True, fullname=True, locale=True
    )


def _writable(mapped: Iterable[str] = ()) -> cognito.ClientAttributes:
    """The attributes that a user may change with an access token. Without a list, it would be all, custom ones too.

    Args:
        mapped: those that an identity provider fills: Cognito writes them through the client.
    """
    return cognito.ClientAttributes().with_standard_attributes(**dict.fromkeys({"fullname", "locale", *mapped}, True))


def _email(email: Email) -> cognito.UserPoolEmail:
    return cognito.UserPoolEmail.with_ses(
        from_email=email.from_address,
        from_name=email.from_name,
        reply_to=email.reply_to,
        ses_region=email.region,
        ses_verified_domain=email.verified_domain,
    )


def own_domain_prefix() -> str:
    """A unique prefix without the account's number, from CloudFormation's id of the stack."""
    stack_uuid = Fn.select(2, Fn.split("/", Aws.STACK_ID))
    return f"claimsmith-{Fn.select(0, Fn.split('-', stack_uuid))}"
