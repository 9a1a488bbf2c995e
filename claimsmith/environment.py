"""The only reader of ``os.environ``: the functions' settings from their deployment."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, Literal, cast

from claimsmith.cognito.identifiers import check_client_id, check_issuer, is_pool_id
from claimsmith.errors import ConfigurationError
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from claimsmith.oidc import OidcIssuer

TABLE: Final = "CLAIMSMITH_TABLE"
AUDIT_TABLE: Final = "CLAIMSMITH_AUDIT_TABLE"
ON_FAILURE: Final = "CLAIMSMITH_ON_FAILURE"
ISSUERS: Final = "CLAIMSMITH_ISSUERS"
OIDC_ISSUERS: Final = "CLAIMSMITH_OIDC_ISSUERS"
DEVELOPMENT_HOSTS: Final = "CLAIMSMITH_DEVELOPMENT_HOSTS"
CLIENT_IDS: Final = "CLAIMSMITH_CLIENT_IDS"
AUDIENCE: Final = "CLAIMSMITH_AUDIENCE"
SIGNING_KEYS: Final = "CLAIMSMITH_SIGNING_KEYS"
SIGNING_ISSUER: Final = "CLAIMSMITH_SIGNING_ISSUER"
REQUESTS_PER_SECOND: Final = "CLAIMSMITH_REQUESTS_PER_SECOND"
AUTHORIZER_RESPONSE: Final = "CLAIMSMITH_AUTHORIZER_RESPONSE"
AUTHORIZER_CACHED_BY: Final = "CLAIMSMITH_AUTHORIZER_CACHED_BY"
TOKEN_FROM: Final = "CLAIMSMITH_TOKEN_FROM"
COOKIE_ORIGINS: Final = "CLAIMSMITH_COOKIE_ORIGINS"
LOGINS: Final = "CLAIMSMITH_LOGINS"
INTROSPECTION_ENDPOINT: Final = "CLAIMSMITH_INTROSPECTION_ENDPOINT"
AUTHORIZATION_SERVERS: Final = "CLAIMSMITH_AUTHORIZATION_SERVERS"
SCOPES_SUPPORTED: Final = "CLAIMSMITH_SCOPES_SUPPORTED"
REVOCATION: Final = "CLAIMSMITH_REVOCATION"
REVOCATION_CACHE_SECONDS: Final = "CLAIMSMITH_REVOCATION_CACHE_SECONDS"
REVOCATION_SHARED_SECONDS: Final = "CLAIMSMITH_REVOCATION_SHARED_SECONDS"
REVOCATION_ON_FAILURE: Final = "CLAIMSMITH_REVOCATION_ON_FAILURE"
USER_POOL_ID: Final = "CLAIMSMITH_USER_POOL_ID"
DYNAMODB_CLIENT: Final = "CLAIMSMITH_DYNAMODB_CLIENT"
DEPLOYMENT: Final = "CLAIMSMITH_DEPLOYMENT"
PROBE_CLIENT_ID: Final = "CLAIMSMITH_PROBE_CLIENT_ID"
PROBE_SECRET: Final = "CLAIMSMITH_PROBE_SECRET"
PROBE_VERSION: Final = "CLAIMSMITH_PROBE_VERSION"
PROBE_EXPECTS: Final = "CLAIMSMITH_PROBE_EXPECTS"

OnFailure = Literal["deny", "unenriched", "unchanged"]
AuthorizerResponse = Literal["simple", "iam"]
RevocationMode = Literal["strict", "cached", "off"]
RevocationOnFailure = Literal["deny", "allow"]

#: Seconds for which a verifier may cache that something is not revoked: the default and the maximum.
DEFAULT_REVOCATION_CACHE_SECONDS: Final = 30
MAX_REVOCATION_CACHE_SECONDS: Final = 300

#: Requests that a caller of introspection may make in a second, in each process: the default and the maximum.
DEFAULT_REQUESTS_PER_SECOND: Final = 50
MAX_REQUESTS_PER_SECOND: Final = 1_000

#: Seconds for which a verifier that checks every token may remember the rows of clients and tenants: the default and
#: the maximum.
DEFAULT_REVOCATION_SHARED_SECONDS: Final = 5
MAX_REVOCATION_SHARED_SECONDS: Final = 60


def required(name: str, environ: Mapping[str, str] | None = None) -> str:
    """The value of a variable that must be set.

    Raises:
        ConfigurationError: it is missing or empty.
    """
    value = _value(name, environ)
    if not value:
        raise ConfigurationError(f"The environment variable {name} is not set. Set it.")
    return value


def deployment(environ: Mapping[str, str] | None = None) -> str | None:
    """The name of the deployment, which its metrics carry; None if it has none."""
    return _value(DEPLOYMENT, environ) or None


def is_snap_start(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the process is, or will be, restored from a snapshot (Lambda SnapStart)."""
    return environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def _one_of(name: str, allowed: tuple[str, ...], environ: Mapping[str, str] | None) -> str:
    """The value of a variable that allows only these values; the first one is the default."""
    value = _value(name, environ) or allowed[0]
    if value not in allowed:
        raise ConfigurationError(f"The environment variable {name} must be one of: {', '.join(allowed)}.")
    return value


class AwsCredentials(NamedTuple):
    """What a function's environment holds of its role.

    Attributes:
        token: None for credentials that last.
    """

    access_key: str
    secret_key: str
    token: str | None


def aws_credentials(environ: Mapping[str, str] = os.environ) -> AwsCredentials:
    """The credentials as they are now, by the names and in the order in which botocore looks for them."""
    token = environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN") or None
    return AwsCredentials(environ.get(_ACCESS_KEY, ""), environ.get(_SECRET_KEY, ""), token)


class DynamoDBEndpoint(NamedTuple):
    """Where DynamoDB is, if nothing in the environment calls for more than a plain client.

    Attributes:
        region: for which requests are signed.
    """

    host: str
    port: int
    tls: bool
    region: str


def dynamodb_endpoint(environ: Mapping[str, str] = os.environ) -> DynamoDBEndpoint | str:
    """Where a plain client finds DynamoDB; or why only botocore knows, for the log."""
    unusual = _unusual(environ)
    if unusual is not None:
        return unusual
    region, given = environ[_REGION], None
    area, _, rest = region.partition("-")
    suffix = None if rest.startswith("iso") else _PARTITIONS.get(area)
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        given = environ.get("AWS_ENDPOINT_URL_DYNAMODB") or environ.get("AWS_ENDPOINT_URL")
    if given is None and (suffix is None or not rest.replace("-", "").isalnum()):
        return f"the partition of the region {region} is not known"
    endpoint = _ENDPOINT.fullmatch(given or f"https://dynamodb.{region}.{suffix}")
    if endpoint is None or (endpoint["scheme"] == "http" and endpoint["host"] not in _LOOPBACK):
        return f"the endpoint {given} is neither https nor on this machine"
    tls = endpoint["scheme"] == "https"
    trust = next((name for name in _TRUST if environ.get(name)), None)
    if tls and trust is not None:
        return f"{trust} is set"
    return DynamoDBEndpoint(endpoint["host"], int(endpoint["port"] or (443 if tls else 80)), tls, region)


def _unusual(environ: Mapping[str, str]) -> str | None:
    """What in the environment only botocore understands."""
    if _one_of(DYNAMODB_CLIENT, ("auto", "botocore"), environ) == "botocore":
        return f"{DYNAMODB_CLIENT} is botocore"
    for name in (_ACCESS_KEY, _SECRET_KEY, _REGION):
        if not environ.get(name):
            return f"{name} is not set"
    for name, value in environ.items():
        if value and (name.upper() in _UNUSUAL or (name in _SWITCHES and value.lower() != "false")):
            return f"{name} is set"
    for name, default in _FILES:
        path = environ.get(name) or os.path.expanduser(default)  # noqa: PTH111 - a cold start need not import pathlib
        if os.path.isfile(path):  # noqa: PTH113 - the same
            return f"there is a file {path}"
    return None


_ACCESS_KEY: Final = "AWS_ACCESS_KEY_ID"
_SECRET_KEY: Final = "AWS_SECRET_ACCESS_KEY"
_REGION: Final = "AWS_DEFAULT_REGION"

#: What changes how botocore finds credentials or the way to AWS, in any case of letters, as proxies are.
_UNUSUAL: Final = frozenset(
    {
        *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CREDENTIAL_EXPIRATION", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
        *("AWS_ACCOUNT_ID", "AWS_ACCOUNT_ID_ENDPOINT_MODE", "AWS_AUTH_SCHEME_PREFERENCE", "AWS_DATA_PATH"),
    }
)
#: Whom to trust there.
_TRUST: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
#: What changes the endpoint unless it is off.
_SWITCHES: Final = frozenset(
    {"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_ENDPOINT_DISCOVERY_ENABLED", "AWS_CSM_ENABLED"}
)

#: Files in which a profile may say all of that, and where they are by default.
_FILES: Final = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))

#: How regions of a partition begin, and the end of its host names, as in botocore's partitions.json.
_PARTITIONS: Final = dict.fromkeys(("us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"), "amazonaws.com") | {
    "cn": "amazonaws.com.cn",
    "eusc": "amazonaws.eu",
}
_ENDPOINT: Final = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9][a-z0-9.-]*)(?::(?P<port>[0-9]{1,5}))?/?")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})


class TriggerEnvironment(NamedTuple):
    """The settings of the pre token generation trigger.

    Attributes:
        on_failure: if the table cannot be read: ``deny`` refuses the sign-in; ``unenriched`` issues a marked token
            without tenant, roles, groups and managed scopes; ``unchanged`` leaves Cognito's own tokens as they are.
    """

    table: str
    on_failure: OnFailure

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> TriggerEnvironment:
        """Read the settings.

        Raises:
            ConfigurationError: a variable is missing or has a value that is not allowed.
        """
        return cls(
            table=required(TABLE, environ),
            on_failure=cast("OnFailure", _one_of(ON_FAILURE, ("deny", "unenriched", "unchanged"), environ)),
        )


class PublisherEnvironment(NamedTuple):
    """The settings of the publisher."""

    table: str
    audit_table: str

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> PublisherEnvironment:
        """Read the settings.

        Raises:
            ConfigurationError: a variable is missing.
        """
        return cls(table=required(TABLE, environ), audit_table=required(AUDIT_TABLE, environ))


class ProbeEnvironment(NamedTuple):
    """The settings of the probe.

    Attributes:
        client_id: the app client with which it signs in.
        issuers: as of ``VerifierEnvironment``.
        secret: the ARN of the secret with the synthetic user's name and password.
        version: the ARN of the trigger's version that is asked before it gets traffic; empty if none is.
        expects: a value for each claim of the access token, or a list of what must be among several.
    """

    user_pool_id: str
    client_id: str
    issuers: tuple[tuple[str, str | None], ...]
    secret: str
    version: str
    expects: Mapping[str, str | list[str]]

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> ProbeEnvironment:
        """Read the settings.

        Raises:
            ConfigurationError: a variable is missing or has a value that is not allowed.
        """
        import json  # noqa: PLC0415 - other functions read this module as they start

        try:
            expects: object = json.loads(required(PROBE_EXPECTS, environ))
        except ValueError:
            expects = None
        if not isinstance(expects, dict):
            raise ConfigurationError(f"The environment variable {PROBE_EXPECTS} must be a JSON object.")
        return cls(
            user_pool_id=required(USER_POOL_ID, environ),
            client_id=required(PROBE_CLIENT_ID, environ),
            issuers=parse_issuers(_required_entries(ISSUERS, environ)),
            secret=required(PROBE_SECRET, environ),
            version=_value(PROBE_VERSION, environ),
            expects=expects,
        )


class VerifierEnvironment(NamedTuple):
    """The settings of the authorizer and the introspection endpoint.

    Attributes:
        issuers: each allow-listed issuer, with the URL of its key set if that is not the issuer's default.
        client_ids: app clients that are accepted beside those of the policy, each with the id of its user pool if the
            entry has one.
        oidc_issuers: issuers beside user pools, whose access tokens the authorizer accepts by rules of their own.
        development_hosts: hosts of local stacks whose issuers and keys are accepted without https. Never in production.
        authorizer_cached_by: the identity sources by which API Gateway caches the authorizer's responses; empty if it
            does not cache them.
        token_from: where requests have their token (``claimsmith.places``); if empty, in the
            ``Authorization`` header or, for a WebSocket, in the parameter ``access_token``.
        cookie_origins: origins of pages that may cause requests with a token in a cookie and an unsafe method.
        audience: the resources that access tokens may be bound to, unless the route or the caller names others; if
            empty, only tokens bound to nothing are accepted.
        revocation: ``strict``: query the table for every token, and use what it says of clients and tenants for
            ``revocation_shared_seconds``, which 0 turns off; ``cached``: use its response for
            ``revocation_cache_seconds``; ``off``: do not query it, and accept revoked tokens until they expire.
        revocation_on_failure: whether to accept a token while the table is unavailable.
        signing_keys: ARNs of the KMS keys of introspection's signed answers, the one that signs first; empty if no
            answer is signed.
        signing_issuer: the value of ``iss`` in them.
        requests_per_second: how often a caller of introspection may ask in each process, unless its row has a number of
            its own; 0 for any number.
        logins: for discovery, the address of each pool's domain, with the pool's id in front.
        introspection_endpoint: for discovery, its address, or its path at the API's own address.
        authorization_servers: for discovery, what resources name in place of the issuers.
        scopes_supported: for discovery, whether a resource's document names the scopes of its routes.
    """

    table: str
    issuers: tuple[tuple[str, str | None], ...]
    client_ids: tuple[tuple[str, str | None], ...]
    authorizer_response: AuthorizerResponse
    oidc_issuers: tuple[OidcIssuer, ...] = ()
    development_hosts: tuple[str, ...] = ()
    authorizer_cached_by: tuple[str, ...] = ()
    token_from: tuple[str, ...] = ()
    cookie_origins: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    revocation: RevocationMode = "strict"
    revocation_cache_seconds: int = DEFAULT_REVOCATION_CACHE_SECONDS
    revocation_shared_seconds: int = DEFAULT_REVOCATION_SHARED_SECONDS
    revocation_on_failure: RevocationOnFailure = "deny"
    signing_keys: tuple[str, ...] = ()
    signing_issuer: str = ""
    requests_per_second: int = DEFAULT_REQUESTS_PER_SECOND
    logins: tuple[tuple[str, str], ...] = ()
    introspection_endpoint: str = "/introspect"
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: bool = True

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> VerifierEnvironment:
        """Read the settings.

        ``CLAIMSMITH_ISSUERS`` is ``issuer[=jwks_uri],…``. ``CLAIMSMITH_CLIENT_IDS`` is ``id[@user_pool_id],…`` and
        optional, as are ``CLAIMSMITH_AUDIENCE``: ``resource,…``, ``CLAIMSMITH_SIGNING_KEYS``: ``arn,…``,
        ``CLAIMSMITH_OIDC_ISSUERS``: a list in JSON of objects with the attributes of ``OidcIssuer``; and
        ``CLAIMSMITH_LOGINS``: ``user_pool_id=address,…``.

        Raises:
            ConfigurationError: a variable is missing or has a value that is not allowed.
        """
        signing_keys = _entries(_value(SIGNING_KEYS, environ))
        return cls(
            table=required(TABLE, environ),
            issuers=parse_issuers(_required_entries(ISSUERS, environ)),
            client_ids=parse_client_ids(_entries(_value(CLIENT_IDS, environ))),
            authorizer_response=cast("AuthorizerResponse", _one_of(AUTHORIZER_RESPONSE, ("simple", "iam"), environ)),
            oidc_issuers=parse_oidc_issuers(_value(OIDC_ISSUERS, environ)),
            development_hosts=_entries(_value(DEVELOPMENT_HOSTS, environ)),
            authorizer_cached_by=_entries(_value(AUTHORIZER_CACHED_BY, environ)),
            token_from=_entries(_value(TOKEN_FROM, environ)),
            cookie_origins=_entries(_value(COOKIE_ORIGINS, environ)),
            audience=_entries(_value(AUDIENCE, environ)),
            revocation=cast("RevocationMode", _one_of(REVOCATION, ("strict", "cached", "off"), environ)),
            revocation_cache_seconds=_seconds(
                REVOCATION_CACHE_SECONDS, DEFAULT_REVOCATION_CACHE_SECONDS, 1, MAX_REVOCATION_CACHE_SECONDS, environ
            ),
            revocation_shared_seconds=_seconds(
                REVOCATION_SHARED_SECONDS, DEFAULT_REVOCATION_SHARED_SECONDS, 0, MAX_REVOCATION_SHARED_SECONDS, environ
            ),
            revocation_on_failure=cast(
                "RevocationOnFailure", _one_of(REVOCATION_ON_FAILURE, ("deny", "allow"), environ)
            ),
            signing_keys=signing_keys,
            signing_issuer=required(SIGNING_ISSUER, environ) if signing_keys else "",
            requests_per_second=_whole(
                REQUESTS_PER_SECOND, DEFAULT_REQUESTS_PER_SECOND, 0, MAX_REQUESTS_PER_SECOND, environ, "number"
            ),
            logins=_logins(_entries(_value(LOGINS, environ))),
            introspection_endpoint=_value(INTROSPECTION_ENDPOINT, environ) or "/introspect",
            authorization_servers=_entries(_value(AUTHORIZATION_SERVERS, environ)),
            scopes_supported=_one_of(SCOPES_SUPPORTED, ("on", "off"), environ) == "on",
        )


def parse_issuers(entries: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """The issuers in the entries of ``CLAIMSMITH_ISSUERS``, each with the URL of its key set if the entry has one.

    Raises:
        ConfigurationError: an entry cannot be the issuer of a token.
    """
    issuers = []
    for entry in entries:
        issuer, _, jwks_uri = (part.strip() for part in entry.partition("="))
        _check(ISSUERS, check_issuer, issuer)
        issuers.append((issuer, jwks_uri or None))
    return tuple(issuers)


def parse_oidc_issuers(text: str) -> tuple[OidcIssuer, ...]:
    """The issuers in ``CLAIMSMITH_OIDC_ISSUERS``; none if it is empty.

    Raises:
        ConfigurationError: it is no list in JSON, or an entry is no ``OidcIssuer``.
    """
    if not text:
        return ()
    import json  # noqa: PLC0415 - other functions read this module as they start

    from claimsmith.oidc import OidcIssuer  # noqa: PLC0415 - likewise

    try:
        entries: object = json.loads(text)
    except ValueError:
        entries = None
    if not isinstance(entries, list):
        raise ConfigurationError(f"The environment variable {OIDC_ISSUERS} must be a list in JSON.")
    try:
        return tuple(map(OidcIssuer.from_json, entries))
    except ConfigurationError as error:
        raise ConfigurationError(f"{OIDC_ISSUERS}: {error.message}") from None


def _logins(entries: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The addresses of pools' domains in the entries of ``CLAIMSMITH_LOGINS``.

    Raises:
        ConfigurationError: an entry does not begin with the id of a user pool.
    """
    found = []
    for entry in entries:
        pool_id, _, address = (part.strip() for part in entry.partition("="))
        if not (is_pool_id(pool_id) and address):
            raise ConfigurationError(f"{LOGINS}: write the address of a pool's domain as POOL_ID=https://HOST.")
        found.append((pool_id, address))
    return tuple(found)


def parse_client_ids(entries: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """The app clients in the entries of ``CLAIMSMITH_CLIENT_IDS``, each with its user pool if the entry has one.

    Raises:
        ConfigurationError: an entry cannot be the id of an app client, or what follows its ``@`` that of a user pool.
    """
    clients = []
    for entry in entries:
        client_id, paired, pool_id = entry.partition("@")
        _check(CLIENT_IDS, check_client_id, client_id)
        if paired and not is_pool_id(pool_id):
            raise ConfigurationError(
                f"{CLIENT_IDS}: write a client as ID, or as ID@POOL_ID with the id of its user pool."
            )
        clients.append((client_id, pool_id or None))
    return tuple(clients)


def _check(name: str, check: Callable[[str], None], value: str) -> None:
    """Check a value; the error names the variable."""
    try:
        check(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error.message}") from None


def _value(name: str, environ: Mapping[str, str] | None) -> str:
    return (os.environ if environ is None else environ).get(name, "").strip()


def _entries(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _required_entries(name: str, environ: Mapping[str, str] | None) -> tuple[str, ...]:
    """The entries of a comma-separated variable that must have at least one."""
    entries = _entries(required(name, environ))
    if not entries:
        raise ConfigurationError(f"The environment variable {name} has no entries. List at least one.")
    return entries


def _seconds(name: str, default: int, least: int, most: int, environ: Mapping[str, str] | None) -> int:
    """A whole number of seconds within these bounds."""
    return _whole(name, default, least, most, environ, "number of seconds")


def _whole(name: str, default: int, least: int, most: int, environ: Mapping[str, str] | None, what: str) -> int:
    """A whole number within these bounds."""
    text = _value(name, environ) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise ConfigurationError(f"The environment variable {name} must be a {what} from {least} to {most}.")
    return int(text)
