"""``claimsmith verify`` of tokens whose issuer is no user pool: by the rules that a stage or the environment has."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.testing import CognitoKit
from tests.unit.verifier.realm import API, CERTS, WEB, Realm, bearer_claims, key_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]

REALM = Realm("PS256")


@pytest.fixture
def issuer() -> Iterator[str]:
    with key_server(REALM) as address:
        yield address


def token(issuer: str, **changes: object) -> str:
    now = int(time.time())
    return REALM.sign(bearer_claims(iss=issuer, iat=now, auth_time=now, exp=now + 3600, **changes))


def rules(issuer: str, **more: object) -> dict[str, Any]:
    return {"issuer": issuer, "audience": [API], "client_ids": [WEB], "algorithm": "PS256", **more}


def in_json(folder: Path, *issuers: object) -> str:
    file = folder / "issuers.json"
    file.write_text(json.dumps(issuers))
    return str(file)


def in_a_stage(folder: Path, issuer: str) -> str:
    file = folder / "production.toml"
    file.write_text(
        f"""setting = "development"
[[oidc_issuers]]
issuer = "{issuer}"
audience = ["{API}"]
client_ids = ["{WEB}"]
algorithm = "PS256"
[oidc_issuers.claim_names]
tenant_id = "tenant"
"""
    )
    return str(file)


def test_a_token_is_verified_by_the_rules_of_a_stage_and_of_the_environment(
    claimsmith: Command, issuer: str, tmp_path: Path
) -> None:
    for file in (in_a_stage(tmp_path, issuer), in_json(tmp_path, rules(issuer))):
        done = claimsmith("verify", token(issuer), "--oidc-issuers", file, "--json")
        assert (done.code, done.data["claims"]["azp"]) == (0, WEB)
        for wrong, code in ({"azp": "other"}, "CS3035"), ({"aud": "account"}, "CS3040"), ({"typ": "ID"}, "CS3034"):
            refused = claimsmith("verify", token(issuer, **wrong), "--oidc-issuers", file, "--json")
            assert (refused.code, refused.data["error"]["code"]) == (1, code)


def test_the_place_of_the_tenant_is_where_the_rules_say(claimsmith: Command, issuer: str, tmp_path: Path) -> None:
    assert claimsmith("revoke", "tenant", "acme").code == 0
    refused = claimsmith("verify", token(issuer), "--oidc-issuers", in_a_stage(tmp_path, issuer), "--json")
    assert refused.data["error"]["code"] == "CS3050"
    without = in_json(tmp_path, rules(issuer))
    assert claimsmith("verify", token(issuer), "--oidc-issuers", without).code == 0


def test_tokens_of_the_pool_are_accepted_beside_them(claimsmith: Command, issuer: str, tmp_path: Path) -> None:
    kit = CognitoKit()
    kit.add_user("ada")
    client = kit.add_client("web", scopes=["openid"])
    with kit.serve() as keys:
        file = in_json(tmp_path, rules(issuer))
        both = ("--issuer", kit.issuer, "--jwks-uri", keys.jwks_uri, "--client", client.id, "--oidc-issuers", file)
        for given in (kit.sign_in("ada", "web").access_token, token(issuer)):
            assert claimsmith("verify", given, *both).code == 0
        of_others = token(issuer, azp=client.id)
        assert claimsmith("verify", of_others, *both, "--json").data["error"]["code"] == "CS3035"


def test_a_claim_that_is_nested_too_deeply_is_refused(claimsmith: Command, issuer: str, tmp_path: Path) -> None:
    given = ("verify", token(issuer, x=json.loads("[" * 450 + "]" * 450)), "--oidc-issuers")
    file = in_json(tmp_path, rules(issuer))
    refused = claimsmith(*given, file, "--json")
    assert (refused.code, refused.data["error"]["code"]) == (1, "CS3030")
    assert "nested too deeply" in claimsmith(*given, file).err


def test_options_that_mean_nothing_without_a_pool_are_refused(claimsmith: Command, issuer: str, tmp_path: Path) -> None:
    file = in_json(tmp_path, rules(issuer))
    for option in (("--client", WEB), ("--audience", API), ("--jwks-uri", issuer + CERTS)):
        refused = claimsmith("verify", token(issuer), "--oidc-issuers", file, *option, "--json")
        assert (refused.code, refused.data["error"]["code"]) == (2, "CS4007")


def test_without_https_the_host_has_to_be_named(claimsmith: Command, issuer: str, tmp_path: Path) -> None:
    by_name = issuer.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - leads to the server, nothing is bound to it
    file = in_json(tmp_path, rules(by_name, jwks_uri=by_name + CERTS))
    given = ("verify", token(by_name), "--oidc-issuers", file)
    assert claimsmith(*given).code == 2
    assert claimsmith(*given, "--development-host", "0.0.0.0").code == 0  # noqa: S104 - likewise


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("x.json", "{}", "CS4018"),
        ("x.json", "[]", "CS4018"),
        ("x.json", "[" * 100_000, "CS4018"),
        ("x.toml", "", "CS4018"),
        ("x.toml", "oidc_issuers = 5", "CS4018"),
        ("x.toml", "[[", "CS4018"),
        ("x.json", '[{"issuer": "https://sso.example.com"}]', "CS4001"),
        ("x.json", "[5]", "CS4001"),
    ],
)
def test_a_file_without_rules_is_refused(claimsmith: Command, tmp_path: Path, name: str, text: str, code: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    refused = claimsmith("verify", "x", "--oidc-issuers", str(file), "--json")
    assert (refused.code, refused.data["error"]["code"]) == (2, code)
    assert str(file) in refused.data["error"]["message"]


def test_without_any_issuer_the_options_are_named(claimsmith: Command, tmp_path: Path) -> None:
    refused = claimsmith("verify", "x", "--json")
    assert "--oidc-issuers" in refused.data["error"]["message"]
    missing = claimsmith("verify", "x", "--oidc-issuers", str(tmp_path / "none.json"), "--json")
    assert (missing.code, missing.data["error"]["code"]) == (2, "CS4018")
