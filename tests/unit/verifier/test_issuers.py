"""Which issuers are allowed, under which names, and where their keys are."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.errors import ConfigurationError
from claimsmith.verifier import ANY
from claimsmith.verifier.issuers import allow_list, equivalents, key_addresses
from tests.unit.verifier.minting import ISSUER, UPDATED_ISSUER

JWKS = "/.well-known/jwks.json"


def addresses(issuers: Any) -> dict[str, str]:  # noqa: ANN401 - all that Issuers allows
    return key_addresses(allow_list(issuers).pools)


@pytest.mark.parametrize(
    "host",
    [
        "cognito-idp.eu-central-1.amazonaws.com",
        "cognito-idp.us-gov-west-1.amazonaws.com",
        "cognito-idp.cn-north-1.amazonaws.com.cn",
        "cognito-idp.eusc-de-east-1.amazonaws.eu",
    ],
)
def test_a_pool_has_its_original_and_its_updated_name_in_every_partition(host: str) -> None:
    original, updated = f"https://{host}/region_Pool1", f"https://issuer-{host}/region_Pool1"
    assert equivalents(original) == equivalents(updated) == (original, updated)
    assert addresses([original]) == {original: original + JWKS, updated: updated + JWKS}


@pytest.mark.parametrize(
    "issuer",
    [
        "https://cognito-idp.eu-central-1.amazonaws.com.evil.example/eu-central-1_aBcDeFgHi",
        "https://login.example.com",
    ],
)
def test_only_a_pools_issuer_has_a_second_name(issuer: str) -> None:
    assert equivalents(issuer) == (issuer,)
    assert list(addresses([issuer])) == [issuer]


@pytest.mark.parametrize("issuers", [ISSUER, [ISSUER], {ISSUER: None}, [(ISSUER, None)], ((ISSUER, ISSUER + JWKS),)])
def test_the_allow_list_has_several_spellings(issuers: Any) -> None:  # noqa: ANN401 - all that Issuers allows
    assert addresses(issuers)[ISSUER] == ISSUER + JWKS


@pytest.mark.parametrize(
    "jwks_uri",
    ["http://127.0.0.1:4566/pool/jwks.json", "http://localhost:1/x", "http://[::1]:8/x", "https://127.9.9.9/x"],
)
def test_a_custom_key_address_may_be_on_this_machine_and_serves_both_names(jwks_uri: str) -> None:
    assert addresses([(ISSUER, jwks_uri)]) == {ISSUER: jwks_uri, UPDATED_ISSUER: jwks_uri}


def test_an_issuer_on_this_machine_may_be_http() -> None:
    assert addresses("http://127.0.0.1:4566/pool") == {
        "http://127.0.0.1:4566/pool": "http://127.0.0.1:4566/pool" + JWKS
    }


def test_a_names_own_key_address_counts_even_if_its_twin_is_listed_too() -> None:
    local = "http://127.0.0.1:1/jwks"
    assert addresses([(ISSUER, local), UPDATED_ISSUER]) == {ISSUER: local, UPDATED_ISSUER: UPDATED_ISSUER + JWKS}


@pytest.mark.parametrize(
    "issuers",
    [
        [],
        "",
        [(ISSUER, "https://keys.example.com/jwks.json")],
        [(ISSUER, "http://keys.example.com/jwks.json")],
        [(ISSUER, "http://127.0.0.1.evil.example/jwks.json")],
        [(ISSUER, "http://127.0.0.1@evil.example/jwks.json")],
        [(ISSUER, "file:///etc/passwd")],
        [(ISSUER, "ftp://127.0.0.1/jwks.json")],
        [(ISSUER, "http://127.0.0.1:99999/jwks.json")],
        ["https://cognito-idp.eu-central-1.amazonaws.com/"],
        [ISSUER + "/more"],
        ["https://evil.cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aBcDeFgHi"],
        ["https://cognito-idpXeu-central-1.amazonaws.com/eu-central-1_aBcDeFgHi"],
        ["http://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aBcDeFgHi"],
        ["cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aBcDeFgHi"],
        [ISSUER + "?x=1"],
        [ISSUER + "?"],
        [ISSUER + "#x"],
        [ISSUER + "\n"],
        ["https://user:password@login.example.com"],
        ["https://"],
        ["https://[::1"],
        None,
        5,
        ANY,
        b"https://login.example.com",
        [None],
        [5],
        [()],
        [(ISSUER,)],
        [(ISSUER, 5)],
        [(None, ISSUER + JWKS)],
        [(ISSUER, ISSUER + JWKS, "more")],
        {ISSUER: 5},
        {5: None},
    ],
)
def test_an_address_that_keys_must_not_come_from_is_refused_at_once(issuers: Any) -> None:  # noqa: ANN401 - as above
    with pytest.raises(ConfigurationError):
        addresses(issuers)
