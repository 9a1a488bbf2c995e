"""An issuer that is no user pool, such as Keycloak's: which of its tokens are accepted, and that no rule is shared."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.oidc import ALGORITHMS
from claimsmith.table import revocation_key
from claimsmith.verifier import ANY, KeySource, OidcIssuer, Requirement, Verifier
from claimsmith.verifier.authorizer import Authorizer
from tests.unit.verifier.gateway_events import http2
from tests.unit.verifier.minting import CLIENT, ISSUER, KID, NOW, UPDATED_ISSUER, Pool, access_claims, private_key
from tests.unit.verifier.realm import (
    API,
    CERTS,
    REALM,
    REALM_KID,
    WEB,
    Realm,
    bearer_claims,
    id_token_claims,
    key_server,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claimsmith.oidc import Algorithm

POOL, KEYCLOAK = Pool(), Realm()

#: The rules of the realm's tokens.
RULES: Mapping[str, Any] = {
    "audience": [API],
    "client_ids": [WEB],
    "jwks_uri": REALM + CERTS,
    "claim_names": {"tenant_id": "tenant", "roles": ["realm_access", "roles"], "groups": "groups"},
}


class Hosts:
    """What hosts answer, without a network; and what they were asked."""

    def __init__(self, documents: Mapping[str, object]) -> None:
        self.documents = {**documents}
        self.requests: list[str] = []

    def __call__(self, uri: str, _timeout: float) -> bytes:
        self.requests.append(uri)
        if uri not in self.documents:
            raise OSError
        return json.dumps(self.documents[uri]).encode()


def hosts(realm: Realm = KEYCLOAK) -> Hosts:
    return Hosts({ISSUER + "/.well-known/jwks.json": POOL.jwks, REALM + CERTS: realm.jwks})


def verifier(realm: Realm = KEYCLOAK, *, fetch: Hosts | None = None, require: Any = None, **rules: Any) -> Verifier:  # noqa: ANN401
    """Of a user pool, with the realm beside it."""
    oidc = OidcIssuer(REALM, **{**RULES, **rules})
    keys = KeySource([ISSUER, oidc], fetch=fetch or hosts(realm), clock=lambda: NOW)
    return Verifier(
        issuers=keys, client_ids=[CLIENT], token_use="access", revocations=ANY, require=require, clock=lambda: NOW
    )


def refusal(token: str, *, among: Verifier | None = None, **rules: Any) -> Code:  # noqa: ANN401 - any rule
    with pytest.raises(VerificationError) as caught:
        (among or verifier(**rules)).verify(token)
    return caught.value.code


def refused_claims(**claims: object) -> Code:
    return refusal(KEYCLOAK.sign(bearer_claims(**claims)))


def test_a_token_of_keycloak_is_read_by_its_own_rules_beside_one_of_cognito() -> None:
    both = verifier()
    claims = both.verify(KEYCLOAK.sign())
    assert dict(claims).keys() == bearer_claims().keys()
    assert (claims.issuer, claims.sub, claims.client_id) == (REALM, bearer_claims()["sub"], WEB)
    assert (claims.token_use, claims.username, claims.policy_version) == ("access", "ada", None)
    assert (claims.tenant_id, claims.groups) == ("acme", ("/staff",))
    assert claims.roles == ("offline_access", "uma_authorization", "editor")
    assert claims.scopes == ("openid", "profile", "email", "orders/read")
    assert (claims.jti, claims.origin_jti) == (bearer_claims()["jti"], bearer_claims()["sid"])
    assert both.verify(POOL.sign()).client_id == CLIENT


def test_what_its_rules_do_not_name_its_tokens_do_not_have() -> None:
    """The names of the policy, and of Cognito, mean nothing in them."""
    named = bearer_claims(tenant_id="acme", roles=["admin"], policy_version=3, **{"cognito:groups": ["Staff"]})
    claims = verifier(claim_names={}).verify(KEYCLOAK.sign(named))
    assert (claims.tenant_id, claims.roles, claims.groups, claims.policy_version) == (None, (), (), None)
    assert claims["roles"] == ("admin",)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_issuers_algorithm_is_the_only_one(algorithm: Algorithm) -> None:
    realm = Realm(algorithm)
    token = realm.sign()
    assert verifier(realm, algorithm=algorithm).verify(token).client_id == WEB
    head, payload, signature = token.split(".")
    forged = f"{head}.{payload}.{signature[:-2]}{'A' if signature[-2] != 'A' else 'B'}{signature[-1]}"
    assert refusal(forged, among=verifier(realm, algorithm=algorithm)) == Code.SIGNATURE_INVALID
    for other in ALGORITHMS:
        if other != algorithm:
            assert refusal(token, among=verifier(Realm(other), algorithm=other)) == Code.ALGORITHM_NOT_ALLOWED
            assert refusal(realm.sign(alg=other), among=verifier(realm, algorithm=algorithm)) == (
                Code.ALGORITHM_NOT_ALLOWED
            )


@pytest.mark.parametrize("algorithm", ["HS256", "none", "ES384", "RS512", None])
def test_an_algorithm_that_no_issuer_may_have_is_refused_before_anything_is_fetched(algorithm: str | None) -> None:
    fetch = hosts()
    assert refusal(KEYCLOAK.sign(alg=algorithm), among=verifier(fetch=fetch)) == Code.ALGORITHM_NOT_ALLOWED
    assert fetch.requests == []


def test_a_pools_tokens_are_rs256_whatever_others_sign_with() -> None:
    pool = Realm("PS256", POOL.key)
    token = pool.sign(access_claims(), kid=KID)
    assert refusal(token, among=verifier(Realm("PS256"), algorithm="PS256")) == Code.ALGORITHM_NOT_ALLOWED


def test_a_token_of_one_issuer_is_not_accepted_with_the_keys_of_the_other() -> None:
    """Not even where both use one key id."""
    fetch = Hosts({ISSUER + "/.well-known/jwks.json": POOL.jwks, REALM + CERTS: Pool(KEYCLOAK.rsa).jwks})
    by_pool = POOL.sign(bearer_claims())
    by_realm = Pool(KEYCLOAK.rsa).sign(access_claims())
    assert refusal(by_pool, among=verifier(fetch=fetch)) == Code.SIGNATURE_INVALID
    assert refusal(by_realm, among=verifier(fetch=fetch)) == Code.SIGNATURE_INVALID
    updated = Pool(KEYCLOAK.rsa).sign(access_claims(iss=UPDATED_ISSUER))
    assert refusal(updated, among=verifier(fetch=fetch)) == Code.KEY_NOT_FOUND


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        # A pool's token with the realm's rules, and the other way round: each has all that the other's rules ask for.
        (bearer_claims(token_use="access", client_id=CLIENT, azp=CLIENT), Code.WRONG_CLIENT),
        (bearer_claims(aud=CLIENT, client_id=CLIENT), Code.WRONG_AUDIENCE),
    ],
)
def test_the_rules_of_the_pool_let_no_token_of_the_realm_in(claims: dict[str, Any], code: Code) -> None:
    assert refusal(KEYCLOAK.sign(claims)) == code


def test_the_rules_of_the_realm_let_no_token_of_the_pool_in() -> None:
    given = access_claims(token_use=None, client_id=None, azp=WEB, aud=[API], typ="Bearer")
    assert refusal(POOL.sign(given)) == Code.WRONG_TOKEN_USE


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": None}, Code.WRONG_AUDIENCE),
        ({"aud": "account"}, Code.WRONG_AUDIENCE),
        ({"aud": []}, Code.WRONG_AUDIENCE),
        ({"aud": [API, 5]}, Code.CLAIMS_MALFORMED),
        ({"azp": None}, Code.WRONG_CLIENT),
        ({"azp": "other"}, Code.WRONG_CLIENT),
        ({"azp": [WEB]}, Code.WRONG_CLIENT),
        ({"azp": None, "client_id": WEB}, Code.WRONG_CLIENT),
        ({"typ": "Refresh"}, Code.WRONG_TOKEN_USE),
        ({"typ": "DPoP"}, Code.WRONG_TOKEN_USE),
        ({"typ": ["Bearer"]}, Code.WRONG_TOKEN_USE),
        ({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, Code.WRONG_TOKEN_USE),
        ({"exp": NOW}, Code.TOKEN_EXPIRED),
        ({"exp": None}, Code.CLAIMS_MALFORMED),
        ({"nbf": NOW + 60}, Code.TOKEN_NOT_YET_VALID),
        ({"iat": NOW + 60}, Code.TOKEN_FROM_FUTURE),
        ({"sub": None}, Code.CLAIMS_MALFORMED),
        ({"scope": ["openid"]}, Code.CLAIMS_MALFORMED),
        ({"tenant": ["acme"]}, Code.CLAIMS_MALFORMED),
        ({"tenant": ""}, Code.CLAIMS_MALFORMED),
        ({"realm_access": ["editor"]}, Code.CLAIMS_MALFORMED),
        ({"realm_access": {"roles": "editor"}}, Code.CLAIMS_MALFORMED),
        ({"realm_access": {"roles": ["editor", 5]}}, Code.CLAIMS_MALFORMED),
        ({"groups": "/staff"}, Code.CLAIMS_MALFORMED),
    ],
)
def test_what_is_refused(claims: dict[str, object], code: Code) -> None:
    assert refused_claims(**claims) == code


@pytest.mark.parametrize(
    "claims",
    [
        id_token_claims(),
        id_token_claims(aud=API),
        # Of another provider: no claim typ.
        id_token_claims(aud=API, typ=None),
        id_token_claims(aud=API, typ=None, at_hash=None, c_hash="x"),
    ],
)
def test_an_id_token_gives_no_access_even_where_its_client_is_the_audience(claims: dict[str, Any]) -> None:
    assert refusal(KEYCLOAK.sign(claims)) in {Code.WRONG_TOKEN_USE, Code.WRONG_AUDIENCE}


def test_a_machine_has_roles_of_its_own_or_none() -> None:
    machine = bearer_claims(
        azp=API, aud=API, realm_access=None, sid=None, preferred_username=f"service-account-{API}", client_id=API
    )
    claims = verifier(client_ids=[API]).verify(KEYCLOAK.sign(machine))
    assert (claims.client_id, claims.roles, claims.origin_jti) == (API, (), None)


def test_the_type_of_rfc_9068_is_accepted_and_can_be_required() -> None:
    typed = KEYCLOAK.sign(typ="at+jwt")
    assert verifier().verify(typed).client_id == WEB
    strict = verifier(require_at_jwt=True)
    assert strict.verify(typed).client_id == WEB
    assert refusal(KEYCLOAK.sign(), among=strict) == Code.TYPE_NOT_ALLOWED
    rfc_9068 = KEYCLOAK.sign(bearer_claims(azp=None, typ=None, client_id=WEB), typ="application/at+jwt")
    assert verifier(require_at_jwt=True, client_claim="client_id").verify(rfc_9068).client_id == WEB


def test_any_client_can_be_accepted_on_purpose_but_there_must_be_one() -> None:
    open_to_all = verifier(client_ids=ANY)
    assert open_to_all.verify(KEYCLOAK.sign(bearer_claims(azp="other"))).client_id == "other"
    assert refusal(KEYCLOAK.sign(bearer_claims(azp=None)), among=open_to_all) == Code.WRONG_CLIENT


def test_a_requirement_tightens_its_rules() -> None:
    wanted = Requirement(tenant="acme", any_role=["editor"], any_group=["/staff"], audience=[API])
    assert verifier(require=wanted).verify(KEYCLOAK.sign()).tenant_id == "acme"
    assert refusal(KEYCLOAK.sign(), require=Requirement(tenant="globex")) == Code.WRONG_TENANT
    assert refusal(KEYCLOAK.sign(), require=Requirement(audience=["https://other.example"])) == Code.WRONG_AUDIENCE


def test_its_audience_counts_where_that_of_the_pool_is_left_to_the_route() -> None:
    assert refusal(KEYCLOAK.sign(bearer_claims(aud="account")), among=verifier().for_any_audience()) == (
        Code.WRONG_AUDIENCE
    )


def test_the_authorizer_says_whose_user_it_is() -> None:
    routes = [{"path": "/orders", "any_role": ["editor"]}]
    authorizer = Authorizer(verifier(), lambda: routes, response="simple", context_claims=["jti"])
    allowed = authorizer.authorize(http2(f"Bearer {KEYCLOAK.sign()}", path="/orders")).response
    assert allowed["context"]["iss"] == REALM
    assert allowed["context"]["tenant_id"] == "acme"
    of_pool = authorizer.authorize(http2(f"Bearer {POOL.sign()}", path="/orders")).response
    assert "iss" not in of_pool["context"]
    assert "jti" in of_pool["context"]
    assert "jti" not in allowed["context"], "what a claim's name means in a pool's token, it does not mean here"


def metadata(**changes: object) -> dict[str, object]:
    return {"issuer": REALM, "jwks_uri": REALM + CERTS, **changes}


DISCOVERY = REALM + "/.well-known/openid-configuration"


def test_the_address_of_the_keys_is_discovered_once_with_the_keys() -> None:
    fetch = Hosts({DISCOVERY: metadata(), REALM + CERTS: KEYCLOAK.jwks})
    discovering = verifier(jwks_uri=None, fetch=fetch)
    for _ in range(3):
        discovering.verify(KEYCLOAK.sign())
    assert fetch.requests == [DISCOVERY, REALM + CERTS]


def test_an_address_that_is_given_is_not_asked_for() -> None:
    fetch = hosts()
    verifier(fetch=fetch).verify(KEYCLOAK.sign())
    assert fetch.requests == [REALM + CERTS]


@pytest.mark.parametrize(
    "document",
    [
        metadata(issuer="https://sso.example.com/realms/other"),
        metadata(issuer=REALM + "/"),
        metadata(issuer=None),
        metadata(jwks_uri=None),
        metadata(jwks_uri="http://sso.example.com/certs"),
        metadata(jwks_uri="https://127.0.0.1/certs"),
        metadata(jwks_uri="http://localhost:8080/certs"),
        metadata(jwks_uri="file:///etc/passwd"),
        [],
    ],
)
def test_metadata_of_another_issuer_or_with_keys_elsewhere_is_an_outage(document: object) -> None:
    fetch = Hosts({DISCOVERY: document, "https://127.0.0.1/certs": KEYCLOAK.jwks})
    assert refusal(KEYCLOAK.sign(), jwks_uri=None, fetch=fetch) == Code.KEYS_UNAVAILABLE
    assert fetch.requests == [DISCOVERY]


#: Hosts as they may be written in an address, and why keys do not come from there.
NO_HOSTS_OF_KEYS = {
    "127.1": "four numbers",
    "0x7f.1": "four numbers",
    "0177.0.0.1": "four numbers",
    "2130706433": "four numbers",
    "169.254.43518": "four numbers",
    "169.254.169.254.": "four numbers",
    "localhost.": "without the dot",
    "sso.example.com.": "without the dot",
    "0.0.0.0": "of the link or of no host",  # noqa: S104 - nothing is bound to it
    "169.254.169.254": "of the link or of no host",
    "[::]": "of the link or of no host",
    "[fe80::1]": "of the link or of no host",
    "[::ffff:127.0.0.1]": "four numbers",
    "[::ffff:169.254.169.254]": "four numbers",
    "[64:ff9b::a9fe:a9fe]": "of the link or of no host",
    "[fd00:ec2::254]": "where AWS answers",
    "sso.example.com@localhost": "not a plain",
    "sso.example.com\\.localhost": "not a plain",
    "%6cocalhost": "not a plain",
    "sso.example.com;localhost": "not a plain",
    "[::1].example.com": "not a plain",
    "sso.example.com[::1]": "not a plain",
    "[::1%lo]": "not a plain",
}

#: How this machine may be written.
THIS_MACHINE = ("localhost", "LOCALHOST", "sso.localhost", "127.0.0.1", "127.255.0.1", "[::1]", "[0:0:0:0:0:0:0:1]")


@pytest.mark.parametrize("host", [*NO_HOSTS_OF_KEYS, *THIS_MACHINE])
def test_metadata_sends_nobody_to_this_machine_or_to_the_link(host: str) -> None:
    keys = f"https://{host}/certs"
    fetch = Hosts({DISCOVERY: metadata(jwks_uri=keys), keys: KEYCLOAK.jwks})
    assert refusal(KEYCLOAK.sign(), jwks_uri=None, fetch=fetch) == Code.KEYS_UNAVAILABLE
    assert fetch.requests == [DISCOVERY]


@pytest.mark.parametrize("host", NO_HOSTS_OF_KEYS)
def test_no_issuer_is_there_and_no_keys_unless_a_development_host_is(host: str) -> None:
    for rules in (
        OidcIssuer(f"https://{host}/realms/acme", audience=[API], client_ids=[WEB]),
        OidcIssuer(REALM, audience=[API], client_ids=[WEB], jwks_uri=f"https://{host}/certs"),
    ):
        with pytest.raises(ConfigurationError, match=NO_HOSTS_OF_KEYS[host]):
            KeySource(rules)
    if re.fullmatch(r"[a-z0-9.]*[a-z0-9]", host):
        named = OidcIssuer(f"http://{host}/realms/acme", audience=[API], client_ids=[WEB])
        KeySource(named, development_hosts=[host])


@pytest.mark.parametrize("host", THIS_MACHINE)
def test_this_machine_has_the_keys_of_its_own_issuers_only(host: str) -> None:
    here = f"http://{host.lower()}:8080"
    KeySource(OidcIssuer(here, audience=[API], client_ids=[WEB], jwks_uri=f"http://{host}:8080/certs"))
    with pytest.raises(ConfigurationError, match="cannot be on this machine"):
        KeySource(OidcIssuer(REALM, audience=[API], client_ids=[WEB], jwks_uri=f"https://{host}/certs"))


@pytest.mark.parametrize("host", ["10.0.0.5", "203.0.113.7", "[2001:db8::1]", "[fd12::1]", "sso2.example.com", "7.sso"])
def test_other_addresses_may_have_keys(host: str) -> None:
    KeySource(OidcIssuer(REALM, audience=[API], client_ids=[WEB], jwks_uri=f"https://{host}/certs"))


@pytest.mark.parametrize("unusable", [{"alg": "RS512"}, {"use": "enc"}, {"kty": "EC"}, {"key_ops": ["sign"]}])
def test_a_key_for_something_else_is_not_used(unusable: dict[str, object]) -> None:
    keys = [{**key, **unusable} for key in KEYCLOAK.jwks["keys"]] + Pool(private_key("third"), "third").jwks["keys"]
    assert refusal(KEYCLOAK.sign(), fetch=Hosts({REALM + CERTS: {"keys": keys}})) == Code.KEY_UNUSABLE


@pytest.mark.parametrize("wrong", [{"crv": "P-384"}, {"x": "AAAA"}, {"y": None}, {"kty": "RSA"}, {"alg": "ES384"}])
def test_a_key_that_is_no_point_of_the_curve_is_not_used(wrong: dict[str, object]) -> None:
    realm = Realm("ES256")
    own = realm.jwks["keys"][0]
    keys = [{**own, "kid": "good"}, {**own, **wrong}]
    fetch = Hosts({REALM + CERTS: {"keys": keys}})
    assert refusal(realm.sign(), algorithm="ES256", fetch=fetch) == Code.KEY_UNUSABLE


class Asked:
    """Revocations: none, and for which keys they were asked."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        self.keys += keys
        return {}


@pytest.mark.parametrize(("letters", "asked"), [("x" * 2_033, True), ("x" * 2_034, False), ("é" * 1_017, False)])
def test_no_claim_keeps_the_other_revocations_from_being_looked_up(letters: str, *, asked: bool) -> None:
    """DynamoDB refuses a request with a key of more than 2,048 octets; ``tenant`` is what a user may have typed."""
    rows = Asked()
    oidc = OidcIssuer(REALM, **RULES)
    keys = KeySource(oidc, fetch=hosts(), clock=lambda: NOW)
    checks = Verifier(issuers=keys, client_ids=[], token_use="access", revocations=rows, clock=lambda: NOW)
    claims = bearer_claims(tenant=letters, tenant_id="not the rules'")
    checks.verify(KEYCLOAK.sign(claims))
    ids = {"session": "sid", "token": "jti", "user": "sub", "client": "azp"} | ({"tenant": "tenant"} if asked else {})
    assert rows.keys == [revocation_key(kind, claims[name]) for kind, name in ids.items()]


@pytest.mark.parametrize("octets", [0, 63, 65, 71])
def test_an_es256_signature_has_two_halves_of_32_octets(octets: int) -> None:
    realm = Realm("ES256")
    head, payload, _ = realm.sign().split(".")
    token = f"{head}.{payload}.{'A' * (octets * 8 // 6 // 4 * 4)}"
    assert refusal(token, among=verifier(realm, algorithm="ES256")) == Code.SIGNATURE_INVALID


@pytest.mark.parametrize("explicit", [True, False])
def test_a_realm_on_this_machine_is_asked_over_http(*, explicit: bool) -> None:
    with key_server(KEYCLOAK) as issuer:
        rules = OidcIssuer(issuer, audience=[API], client_ids=[WEB], jwks_uri=issuer + CERTS if explicit else None)
        alone = Verifier(issuers=rules, client_ids=[], token_use=ANY, revocations=ANY, clock=lambda: NOW)
        assert alone.verify(KEYCLOAK.sign(bearer_claims(iss=issuer))).client_id == WEB


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"issuer": ISSUER}, "user pool"),
        ({"issuer": REALM + "/.well-known/openid-configuration"}, "The issuer is"),
        ({"issuer": ""}, "issuer must be"),
        ({"audience": []}, "audience"),
        ({"audience": API}, "audience"),
        ({"audience": ["*"]}, "audience"),
        ({"client_ids": WEB}, "client_ids"),
        ({"client_ids": None}, "client_ids"),
        ({"algorithm": "HS256"}, "algorithm"),
        ({"client_claim": ""}, "client_claim"),
        ({"require_at_jwt": "no"}, "require_at_jwt"),
        ({"claim_names": {"sub": "id"}}, "claim_names"),
        ({"claim_names": {"roles": []}}, "place"),
        ({"claim_names": {"roles": ""}}, "place"),
        ({"claim_names": ["roles"]}, "claim_names"),
    ],
)
def test_rules_that_check_nothing_or_match_nothing_are_refused(wrong: dict[str, Any], message: str) -> None:
    given = {"issuer": REALM, **RULES, **wrong}
    with pytest.raises(ConfigurationError, match=message):
        OidcIssuer(given.pop("issuer"), **given)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"issuer": "http://sso.example.com/realms/acme"}, "https only"),
        ({"issuer": REALM + "?x"}, "plain"),
        ({"jwks_uri": "http://sso.example.com/certs"}, "https only"),
        ({"jwks_uri": "https://localhost/certs"}, "on this machine"),
    ],
)
def test_addresses_that_keys_must_not_come_from_are_refused_when_a_verifier_is_created(
    wrong: dict[str, Any], message: str
) -> None:
    given = {"issuer": REALM, **RULES, **wrong}
    rules = OidcIssuer(given.pop("issuer"), **given)
    with pytest.raises(ConfigurationError, match=message):
        KeySource(rules)


@pytest.mark.parametrize(
    "issuers",
    [[OidcIssuer(REALM, **RULES), REALM], [OidcIssuer(REALM, **RULES), OidcIssuer(REALM, **RULES)]],
)
def test_an_issuer_has_one_set_of_rules(issuers: list[Any]) -> None:
    with pytest.raises(ConfigurationError):
        KeySource(issuers)


def test_a_verifier_of_id_tokens_takes_no_oidc_issuer() -> None:
    with pytest.raises(ConfigurationError, match="only access tokens"):
        Verifier(issuers=OidcIssuer(REALM, **RULES), client_ids=[], token_use="id", revocations=ANY)


@pytest.mark.parametrize("clients", [[WEB], ANY])
def test_rules_are_written_as_json_and_read_again(clients: Any) -> None:  # noqa: ANN401 - both forms
    rules = OidcIssuer(REALM, **{**RULES, "client_ids": clients, "algorithm": "ES256", "require_at_jwt": True})
    assert OidcIssuer.from_json(json.loads(json.dumps(rules.to_json()))) == rules


@pytest.mark.parametrize("given", [None, [], {}, {"issuer": REALM}, {"issuer": REALM, **RULES, "leeway": 5}])
def test_json_that_is_no_issuer_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match="issuer, audience and client_ids"):
        OidcIssuer.from_json(given)


def test_preloaded_keys_are_those_of_its_algorithm() -> None:
    realm = Realm("ES256")
    keys = KeySource(OidcIssuer(REALM, **RULES, algorithm="ES256"), preloaded={REALM: realm.jwks}, clock=lambda: NOW)
    assert len(keys.find(REALM, REALM_KID)) == 1
    with pytest.raises(ConfigurationError, match="ES256"):
        KeySource(OidcIssuer(REALM, **RULES, algorithm="ES256"), preloaded={REALM: KEYCLOAK.jwks})
