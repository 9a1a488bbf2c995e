"""A realm of Keycloak for the tests: tokens with the members that Keycloak gives them, and its key set.

https://www.keycloak.org/docs/latest/server_admin/ ; ``TokenManager`` and ``AccessToken`` in its source. All its tokens
have the header type ``JWT`` and are signed with the same key; what a token is, a claim ``typ`` says.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.unit.verifier.minting import NOW, b64, jwk, private_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.oidc import Algorithm

REALM = "https://sso.example.com/realms/acme"
CERTS = "/protocol/openid-connect/certs"
API = "orders-api"
WEB = "orders-web"
REALM_KID = "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE"


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def bearer_claims(**changes: object) -> dict[str, Any]:
    """A user's access token; a claim given as None is left out."""
    claims: dict[str, Any] = {
        "exp": NOW + 240,
        "iat": NOW - 60,
        "auth_time": NOW - 60,
        "jti": "onrtac:7a5d0f1e-0000-4000-8000-000000000001",
        "iss": REALM,
        "aud": [API, "account"],
        "sub": "71f150d0-0000-4000-8000-000000000002",
        "typ": "Bearer",
        "azp": WEB,
        "sid": "f10bf2e1-0000-4000-8000-000000000003",
        "acr": "1",
        "allowed-origins": ["https://app.example.com"],
        "realm_access": {"roles": ["offline_access", "uma_authorization", "editor"]},
        "resource_access": {
            API: {"roles": ["orders-reader"]},
            "account": {"roles": ["manage-account", "view-profile"]},
        },
        "scope": "openid profile email orders/read",
        "email_verified": True,
        "name": "Ada Lovelace",
        "groups": ["/staff"],
        "tenant": "acme",
        "preferred_username": "ada",
        "email": "ada@acme.example",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def id_token_claims(**changes: object) -> dict[str, Any]:
    """The ID token that goes with it."""
    own = {"aud": WEB, "typ": "ID", "scope": None, "realm_access": None, "resource_access": None}
    return bearer_claims(**{**own, "at_hash": "8DrKXv3nUMDaLdnI2hHo2A", "allowed-origins": None, **changes})


@dataclass
class Realm:
    """A realm's key for one algorithm, and what it signs."""

    algorithm: Algorithm = "RS256"
    rsa: rsa.RSAPrivateKey = field(default_factory=lambda: private_key("realm"))

    @property
    def jwks(self) -> dict[str, Any]:
        """As Keycloak publishes it: the key for encryption is in the same set."""
        encryption = jwk(private_key("encryption"), "lQv8vnZ1A3lZ3Aq5c2Zl0bqg9nV5lRkQ", alg="RSA-OAEP", use="enc")
        if self.algorithm != "ES256":
            return {"keys": [encryption, jwk(self.rsa, REALM_KID, alg=self.algorithm)]}
        numbers = ec_key().public_key().public_numbers()
        x, y = (b64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        own = {"kid": REALM_KID, "kty": "EC", "alg": "ES256", "use": "sig", "crv": "P-256", "x": x, "y": y}
        return {"keys": [own, encryption]}

    def sign(self, claims: dict[str, Any] | None = None, **header: object) -> str:
        members = {"alg": self.algorithm, "typ": "JWT", "kid": REALM_KID, **header}
        payload = bearer_claims() if claims is None else claims
        signed = f"{b64(json.dumps(members).encode())}.{b64(json.dumps(payload).encode())}"
        return f"{signed}.{b64(self._signature(signed.encode()))}"

    def _signature(self, signed: bytes) -> bytes:
        if self.algorithm == "ES256":
            r, s = decode_dss_signature(ec_key().sign(signed, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return self.rsa.sign(signed, pss if self.algorithm == "PS256" else padding.PKCS1v15(), hashes.SHA256())


@contextmanager
def key_server(realm: Realm) -> Iterator[str]:
    """A realm on a free port of 127.0.0.1: its key set and metadata; the realm's issuer."""
    path = "/realms/acme"

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = documents.get(self.path)
            body = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        issuer = f"http://127.0.0.1:{server.server_port}{path}"
        metadata = {"issuer": issuer, "jwks_uri": issuer + CERTS}
        documents = {
            path + CERTS: realm.jwks,
            path + "/.well-known/jwks.json": realm.jwks,
            path + "/.well-known/openid-configuration": metadata,
        }
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
