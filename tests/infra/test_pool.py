from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra.template import Template, synthesise

CLIENTS = ("PublicClient", "CodeClient", "MachineClient")
USER_CLIENTS = ("PublicClient", "CodeClient")


def _client(template: Template, name: str) -> dict[str, Any]:
    return template.properties("Cognito::UserPoolClient", name)


def test_the_pool_is_on_a_plan_that_customizes_access_tokens(production: Template) -> None:
    assert production.properties("Cognito::UserPool")["UserPoolTier"] == "ESSENTIALS"


def test_only_admins_create_users(production: Template) -> None:
    assert production.properties("Cognito::UserPool")["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


def test_users_sign_in_by_name_or_verified_email_whatever_the_case(production: Template) -> None:
    pool = production.properties("Cognito::UserPool")
    assert pool["AliasAttributes"] == ["email"]
    assert pool["UsernameConfiguration"] == {"CaseSensitive": False}
    assert pool["AutoVerifiedAttributes"] == ["email"]
    assert pool["UserAttributeUpdateSettings"] == {"AttributesRequireVerificationBeforeUpdate": ["email"]}
    assert pool["AccountRecoverySetting"]["RecoveryMechanisms"] == [{"Name": "verified_email", "Priority": 1}]


def test_passwords_are_long_and_mixed(production: Template) -> None:
    assert production.properties("Cognito::UserPool")["Policies"]["PasswordPolicy"] == {
        "MinimumLength": 12,
        "RequireLowercase": True,
        "RequireUppercase": True,
        "RequireNumbers": True,
        "RequireSymbols": True,
        "TemporaryPasswordValidityDays": 3,
    }


def test_the_second_factor_is_an_app_and_never_a_text_message(production: Template) -> None:
    pool = production.properties("Cognito::UserPool")
    assert (pool["MfaConfiguration"], pool["EnabledMfas"]) == ("OPTIONAL", ["SOFTWARE_TOKEN_MFA"])


def test_no_attribute_exists_that_could_carry_authority(production: Template) -> None:
    assert "Schema" not in production.properties("Cognito::UserPool"), "tenants and roles belong into the table"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_user_can_write_nothing_but_name_and_locale(production: Template, client: str) -> None:
    assert _client(production, client)["WriteAttributes"] == ["locale", "name"]


def test_there_are_no_other_clients(production: Template) -> None:
    assert len(production.of_type("Cognito::UserPoolClient")) == len(CLIENTS)


@pytest.mark.parametrize("client", CLIENTS)
def test_tokens_are_short_lived_and_can_be_revoked(production: Template, client: str) -> None:
    properties = _client(production, client)
    assert properties["AccessTokenValidity"] == properties["IdTokenValidity"] == 15
    assert properties["TokenValidityUnits"]["AccessToken"] == properties["TokenValidityUnits"]["IdToken"] == "minutes"
    assert properties["EnableTokenRevocation"] is True


@pytest.mark.parametrize("client", CLIENTS)
def test_nobody_learns_which_users_exist(production: Template, client: str) -> None:
    assert _client(production, client)["PreventUserExistenceErrors"] == "ENABLED"


@pytest.mark.parametrize("client", USER_CLIENTS)
def test_refresh_tokens_rotate_with_a_short_grace(production: Template, client: str) -> None:
    properties = _client(production, client)
    assert properties["RefreshTokenRotation"] == {"Feature": "ENABLED", "RetryGracePeriodSeconds": 10}
    assert properties["RefreshTokenValidity"] == 7 * 24 * 60
    assert properties["TokenValidityUnits"]["RefreshToken"] == "minutes"


@pytest.mark.parametrize("client", USER_CLIENTS)
def test_rotating_clients_name_their_flows_and_not_the_one_that_rotation_forbids(
    production: Template, client: str
) -> None:
    # Left out, the list would be Cognito's own, and that has ALLOW_REFRESH_TOKEN_AUTH in it.
    assert _client(production, client)["ExplicitAuthFlows"] == ["ALLOW_USER_SRP_AUTH"]


@pytest.mark.parametrize("client", USER_CLIENTS)
def test_clients_that_run_at_the_user_have_no_secret(production: Template, client: str) -> None:
    assert _client(production, client)["GenerateSecret"] is False


def test_the_public_client_has_no_grants(production: Template) -> None:
    public = _client(production, "PublicClient")
    assert public["AllowedOAuthFlowsUserPoolClient"] is False
    assert "AllowedOAuthFlows" not in public


def test_the_code_client_has_the_code_grant_only(production: Template) -> None:
    code = _client(production, "CodeClient")
    assert code["AllowedOAuthFlows"] == ["code"]
    assert _scopes(production, code) == ["openid", "profile", "email", "orders/read", "orders/write"]


def test_only_the_configured_addresses_are_used() -> None:
    template = synthesise(
        {"callback_urls": ["https://a.example/cb"], "logout_urls": ["https://a.example/bye"]}
    ).stateful
    code = _client(template, "CodeClient")
    assert (code["CallbackURLs"], code["LogoutURLs"]) == (["https://a.example/cb"], ["https://a.example/bye"])


def test_the_machine_client_signs_in_no_user(production: Template) -> None:
    machine = _client(production, "MachineClient")
    assert machine["GenerateSecret"] is True
    assert machine["AllowedOAuthFlows"] == ["client_credentials"]
    assert machine["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert _scopes(production, machine) == ["orders/read", "orders/write", "claimsmith/introspect"]


def test_resource_servers_declare_the_scopes(production: Template) -> None:
    declared = {
        server["Properties"]["Identifier"]: {scope["ScopeName"] for scope in server["Properties"]["Scopes"]}
        for server in production.of_type("Cognito::UserPoolResourceServer").values()
    }
    assert declared == {"orders": {"read", "write"}, "claimsmith": {"introspect"}}


def test_a_stage_names_its_own_resource_servers_and_lifetime() -> None:
    servers = {"https://api.example.com": {"read": "Read"}, "Orders": {"all": "All"}, "orders": {"read": "Read orders"}}
    template = synthesise({"resource_servers": servers, "token_minutes": 60}).stateful
    expected = ["https://api.example.com/read", "Orders/all", "orders/read"]
    code, machine = _client(template, "CodeClient"), _client(template, "MachineClient")
    assert _scopes(template, code) == ["openid", "profile", "email", *expected]
    assert _scopes(template, machine) == [*expected, "claimsmith/introspect"]
    assert {(client["AccessTokenValidity"], client["IdTokenValidity"]) for client in (code, machine)} == {(60, 60)}


def test_the_domain_is_derived_from_the_stack_without_the_account_number(production: Template) -> None:
    domain = json.dumps(production.properties("Cognito::UserPoolDomain")["Domain"])
    assert "AWS::StackId" in domain
    assert "AWS::AccountId" not in domain


def test_options_change_the_pool() -> None:
    template = synthesise({"domain": {"prefix": "sign-in"}, "feature_plan": "PLUS", "trigger_version": "V3_0"}).stateful
    pool = template.properties("Cognito::UserPool")
    assert template.properties("Cognito::UserPoolDomain")["Domain"] == "sign-in"
    assert pool["UserPoolTier"] == "PLUS"
    assert pool["UserPoolAddOns"] == {"AdvancedSecurityMode": "ENFORCED"}
    assert pool["LambdaConfig"]["PreTokenGenerationConfig"]["LambdaVersion"] == "V3_0"


def test_a_stage_may_have_a_host_of_its_own_or_no_domain() -> None:
    certificate = "arn:aws:acm:us-east-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"
    own = synthesise({"domain": {"name": "auth.example.com", "certificate_arn": certificate}}).stateful
    domain = own.properties("Cognito::UserPoolDomain")
    assert (domain["Domain"], domain["CustomDomainConfig"]) == ("auth.example.com", {"CertificateArn": certificate})
    assert "amazoncognito" not in json.dumps(own.document["Outputs"]["DomainName"])
    none = synthesise({"domain": "none"}).stateful
    assert (none.of_type("Cognito::UserPoolDomain"), "DomainName" in none.document["Outputs"]) == ({}, False)


def test_a_stage_may_send_by_ses() -> None:
    email = {"from_address": "no-reply@example.com", "from_name": "Example", "region": "eu-west-1"}
    assert "EmailConfiguration" not in synthesise({}).stateful.properties("Cognito::UserPool")
    sent = synthesise({"email": email}).stateful.properties("Cognito::UserPool")["EmailConfiguration"]
    assert (sent["EmailSendingAccount"], sent["From"]) == ("DEVELOPER", "Example <no-reply@example.com>")
    assert ":ses:eu-west-1:" in json.dumps(sent["SourceArn"])


def test_users_of_other_providers_sign_in_by_the_code_client_which_may_write_what_they_bring() -> None:
    saml = {"type": "saml", "name": "acme", "metadata_url": "https://acme.example/metadata"}
    oidc = {"type": "oidc", "name": "globex", "issuer": "https://globex.example", "client_id": "us"}
    template = synthesise(
        {
            "identity_providers": [
                {**saml, "attributes": {"email": "mail"}},
                {**oidc, "client_secret": "globex/secret", "attributes": {"given_name": "first"}},
            ]
        }
    ).stateful
    code, public = _client(template, "CodeClient"), _client(template, "PublicClient")
    assert code["WriteAttributes"] == ["email", "given_name", "locale", "name"]
    assert public["WriteAttributes"] == ["locale", "name"]
    providers = template.of_type("Cognito::UserPoolIdentityProvider")
    assert code["SupportedIdentityProviders"] == ["COGNITO", "acme", "globex"]
    assert {*template.named("Cognito::UserPoolClient", "CodeClient")[1]["DependsOn"]} >= {*providers}
    details = {one["Properties"]["ProviderName"]: one["Properties"]["ProviderDetails"] for one in providers.values()}
    assert "{{resolve:secretsmanager:globex/secret:" in json.dumps(details["globex"]["client_secret"])


def _scopes(template: Template, client: dict[str, Any]) -> list[str]:
    """The scopes, with references to resource servers resolved to their identifiers."""
    servers = template.of_type("Cognito::UserPoolResourceServer")
    scopes = []
    for scope in client["AllowedOAuthScopes"]:
        if isinstance(scope, str):
            scopes.append(scope)
        else:
            (reference, rest) = scope["Fn::Join"][1]
            scopes.append(servers[reference["Ref"]]["Properties"]["Identifier"] + rest)
    return scopes
