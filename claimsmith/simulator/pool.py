"""``PolicyPool``: a user pool in memory whose tokens a policy file decides."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from contextlib import contextmanager
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.codec import decode, encode
from claimsmith.errors import ConfigurationError, PolicyError, SignInRefusedError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import load
from claimsmith.service.issue import Issuer, RefusedError
from claimsmith.service.token_names import claim_names
from claimsmith.simulator.api import event
from claimsmith.simulator.clients import MACHINE_FLOW, Clients
from claimsmith.simulator.directory import POOL_ATTRIBUTES, Directory
from claimsmith.simulator.dynamodb import MemoryClient
from claimsmith.store.dynamodb import Table
from claimsmith.testing import MACHINES, REFRESHES, SIGN_INS, CognitoKit, UserLambdaValidationException
from claimsmith.verifier import ANY, KeySource, Verifier
from claimsmith.verifier.authorizer import Authorizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from os import PathLike

    from claimsmith.simulator.directory import Membership
    from claimsmith.testing import Flow, KeyServer, Tokens
    from claimsmith.verifier import Requirement, TokenUse
    from claimsmith.verifier.authorizer import Answer
    from claimsmith.verifier.checks import Names

    #: Attributes by name.
    Attributes = Mapping[str, Any]

__all__ = ["PolicyPool", "SignInRefusedError"]

#: Version of the one bundle, and ``policy_version`` in the tokens.
VERSION: Final = 1

#: Seconds for the trigger and its reads. How fast a test runs is not what is tested.
_SECONDS: Final = 60.0

#: More seconds than anything is cached for (``cache_seconds``).
_FOREVER: Final = 1_000_000

_TENANT_HINT: Final = "tenant_id"


class PolicyPool:
    """Users, tenants, members and app clients as plain data, and the tokens that Claimsmith's own trigger gives them.

    The data may be changed at any time, and the next token shows it: nothing is cached.

    Attributes:
        kit: the pool itself, for whatever else CognitoKit can do.
        rows: the table, read-only; what reads Claimsmith's table can read it.
    """

    def __init__(
        self,
        policy: str | PathLike[str],
        *,
        variables: Mapping[str, str] | None = None,
        users: Mapping[str, Attributes] | None = None,
        tenants: Mapping[str, Attributes] | None = None,
        members: Mapping[str, Mapping[str, Membership]] | None = None,
        clients: Mapping[str, Attributes] | None = None,
        pool_id: str = "eu-central-1_Claimsmith",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """A pool.

        Args:
            policy: the policy file. It is checked and compiled as ``claimsmith apply`` does, its tests too.
            variables: values of ``${NAME}`` in the file.
            users: attributes by username: those of the pool (``sub``, ``attributes``, ``groups``, ``iam_roles``,
                ``preferred_role``) and those of the USER row (``status``, ``roles``, ``active_tenant``, ``claims``, …).
                This and the following are copied.
            tenants: attributes of the TENANT rows by tenant id; all that ``members`` names.
            members: by username and tenant id: a list of roles, or the attributes of the membership. Whoever is here
                need not be in ``users``.
            clients: settings by client id, as ``CognitoKit.add_client`` takes them. The policy's clients need not be
                here: each may request every scope that the policy names, and those with ``roles`` are machines.
            pool_id: pools of other ids have other issuers and keys.
            clock: epoch seconds.

        Raises:
            PolicyError: the policy is refused; its findings are in the notes of the error.
            ConfigurationError: the data names something that there is not, or has a value that cannot be read.
        """
        draft = load(Path(policy), variables)
        try:
            document = compile_policy(draft)
        except PolicyError as error:
            for finding in error.findings:
                error.add_note(str(finding))
            raise
        document_bytes, digest = encode(document)
        self._bundle = decode(document_bytes, digest, VERSION)
        self._bundle_rows: tuple[dict[str, Any], ...] = (
            {"sk": table.CURRENT, "version": VERSION, "digest": digest, "revision": 1, "hold": False},
            {"sk": table.version_sk(VERSION), "digest": digest, "document": document_bytes},
        )
        self._pool_id = pool_id
        self._clock = clock
        self._directory = Directory(
            _copied("users", users), _copied("tenants", tenants), _copied("members", members), self._made_sub
        )
        self.rows = Table(MemoryClient(self._partition), "claimsmith")
        # Whatever the trigger remembers is too old by the time that it looks, so that changed data counts at once.
        monotonic = count(0, _FOREVER).__next__
        issuer = Issuer(self.rows, "deny", clock=clock, monotonic=monotonic, read_seconds=_SECONDS)
        self.kit = CognitoKit(
            lambda event, _context: issuer.issue(event).event,
            lambda_version="V3_0",
            pool_id=pool_id,
            clock=clock,
            trigger_seconds=_SECONDS,
        )
        self._clients = Clients(self.kit, self._bundle, _copied("clients", clients))
        self._fill()

    @property
    def users(self) -> dict[str, dict[str, Any]]:
        """Attributes by username, of the pool and of the USER row."""
        return self._directory.users

    @property
    def tenants(self) -> dict[str, dict[str, Any]]:
        """Attributes of the TENANT rows by tenant id."""
        return self._directory.tenants

    @property
    def members(self) -> dict[str, dict[str, Membership]]:
        """By username and tenant id: the roles of a membership, or its attributes."""
        return self._directory.members

    @property
    def clients(self) -> dict[str, dict[str, Any]]:
        """Settings by client id, as ``CognitoKit.add_client`` takes them; empty for a client of the policy alone."""
        return self._clients.settings

    @property
    def issuer(self) -> str:
        """``iss`` of the tokens."""
        return self.kit.issuer

    @property
    def client_ids(self) -> list[str]:
        """The ids of all app clients, as ``Verifier`` takes them."""
        return list(self.kit.clients)

    @property
    def keys(self) -> KeySource:
        """The pool's keys, for verifiers; they come from memory and not over the network."""
        return KeySource(
            self.issuer, fetch=lambda _uri, _timeout: json.dumps(self.kit.jwks).encode(), clock=self._clock
        )

    def verifier(
        self, *, token_use: TokenUse = "access", audience: Names = (), require: Requirement | None = None
    ) -> Verifier:
        """A verifier of this pool's tokens, which reads tenant and roles by the names that the policy gives them.

        Args:
            token_use: ``access`` or ``id``.
            audience: as for ``Verifier``.
            require: likewise.
        """
        return Verifier(
            issuers=self.keys,
            client_ids=self.client_ids,
            token_use=token_use,
            revocations=ANY,
            audience=audience,
            require=require,
            claim_names=claim_names(self._bundle),
            clock=self._clock,
        )

    def authorize(
        self,
        tokens: Tokens | None,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        api: str = "api",
    ) -> Answer:
        """The answer of the Lambda authorizer to a request: what the policy's routes say of it.

        Args:
            tokens: whose access token the request has; None for a request without one.
            method: of HTTP.
            path: as requested; it may end in a query.
            headers: of the request, beside ``Authorization``.
            api: id of the API, for routes of one API only.

        Returns:
            ``code`` is None if the request is allowed, and says why if not; ``response`` is what the function returns.
        """
        asked = event(
            method,
            path,
            None if tokens is None else tokens.access_token,
            headers or {},
            api=api,
            region=self._pool_id.partition("_")[0],
        )
        routes = tuple(self._bundle.routes.values())
        return Authorizer(self.verifier(), lambda: routes, response="simple").authorize(asked)

    def serve(self) -> AbstractContextManager[KeyServer]:
        """Serve the key set on a free port of 127.0.0.1 while the block runs, as ``CognitoKit.serve`` does."""
        return self.kit.serve()

    def sub(self, username: str) -> str:
        """A user's ``sub``: the same in every run, unless ``users`` has another."""
        return self._directory.sub(username)

    def sign_in(
        self,
        username: str,
        *,
        client: str | None = None,
        scopes: Iterable[str] | None = None,
        tenant: str | None = None,
        by: str | None = None,
        client_metadata: Mapping[str, str] | None = None,
        resource: str | None = None,
    ) -> Tokens:
        """Sign a user in.

        Args:
            username: who.
            client: id of an app client, or its ``name`` in the policy; may be left out where there is only one for
                users.
            scopes: requested, which only managed login can; with ``openid`` among them there is an ID token, too. None:
                a sign-in by API, which gets all that are granted.
            tenant: the tenant to choose, as client metadata; managed login passes none.
            by: a key of ``claimsmith.testing.SIGN_INS``.
            client_metadata: reaches the trigger where Cognito passes it.
            resource: bind the access token to this (RFC 8707); managed login only.

        Raises:
            SignInRefusedError: the trigger refuses; ``code`` says why, the notes say which row.
            CognitoError: Cognito itself refuses, for example an unknown user.
            ContractViolation: the answer of the trigger breaks a rule of Cognito's.
            ConfigurationError: an argument or the data is wrong.
        """
        if isinstance(scopes, str):
            raise ConfigurationError("scopes must be a list.")
        way = by or ("RespondToAuthChallenge" if scopes is None and resource is None else "authorization_code")
        metadata = _metadata(SIGN_INS, way, tenant, client_metadata)
        self._fill()
        with _refusals():
            return self.kit.sign_in(
                username,
                self._clients.choose(client, machine=False),
                by=way,
                scopes=scopes,
                client_metadata=metadata,
                resource=resource,
            )

    def refresh(
        self,
        tokens: Tokens,
        *,
        tenant: str | None = None,
        by: str = "GetTokensFromRefreshToken",
        client_metadata: Mapping[str, str] | None = None,
    ) -> Tokens:
        """Refresh the tokens of a sign-in.

        Args:
            tokens: what ``sign_in`` returned.
            tenant: the tenant to choose from now on, as client metadata.
            by: a key of ``claimsmith.testing.REFRESHES``.
            client_metadata: reaches the trigger where Cognito passes it.

        Raises:
            SignInRefusedError: as for ``sign_in``; likewise the others.
        """
        metadata = _metadata(REFRESHES, by, tenant, client_metadata)
        if tokens.refresh_token is None:
            raise ConfigurationError("These tokens have no refresh token; use those of the sign-in.")
        self._fill()
        with _refusals():
            return self.kit.refresh(
                tokens.refresh_token, str(tokens.access["client_id"]), by=by, client_metadata=metadata
            )

    def client_credentials(
        self,
        client: str | None = None,
        *,
        scopes: Iterable[str] | None = None,
        tenant: str | None = None,
        client_metadata: Mapping[str, str] | None = None,
    ) -> Tokens:
        """A machine's access token.

        Args:
            client: id or ``name`` of an app client; may be left out where there is only one for machines.
            scopes: requested; None requests all allowed ones.
            tenant: as client metadata.
            client_metadata: ``aws_client_metadata`` of the request.

        Raises:
            SignInRefusedError: as for ``sign_in``; likewise the others.
        """
        metadata = _metadata(MACHINES, MACHINE_FLOW, tenant, client_metadata)
        self._fill()
        with _refusals():
            return self.kit.client_credentials(
                self._clients.choose(client, machine=True), scopes=scopes, client_metadata=metadata
            )

    # The data as it is now.

    def _fill(self) -> None:
        """Bring the kit's users and clients up to date with the data."""
        self._directory.check(self._bundle.roles, int(self._clock()))
        for username in self._directory.usernames:
            data = self._directory.users.get(username, {})
            pool = {name: data[name] for name in POOL_ATTRIBUTES if name in data}
            known = self.kit.users.get(username)
            user = self.kit.add_user(username, **{**pool, "sub": self.sub(username)})
            user.enabled = known is None or known.enabled
        for username in self.kit.users.keys() - {*self._directory.usernames}:
            del self.kit.users[username]
        self._clients.fill(self._directory.scopes)

    def _partition(self, pk: str) -> Iterator[dict[str, Any]]:
        if pk == table.BUNDLE:
            return ({table.PK: pk, **row} for row in self._bundle_rows)
        return self._directory.partition(pk)

    def _made_sub(self, username: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._pool_id}/{username}"))


def _copied(what: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise ConfigurationError(f"{what} must be a map.")
    return {name: _dict(value) for name, value in (given or {}).items()}


def _dict(value: object) -> Any:  # noqa: ANN401 - what is no map is refused where it is read
    return {name: deepcopy(item) for name, item in value.items()} if isinstance(value, Mapping) else value


def _metadata(
    flows: Mapping[str, Flow], by: str, tenant: str | None, given: Mapping[str, str] | None
) -> Mapping[str, str] | None:
    """The client metadata that names the tenant.

    Raises:
        ConfigurationError: Cognito does not pass it on, so the tenant would not be chosen.
    """
    if tenant is None:
        return given
    if by in flows and not flows[by].passes_metadata:
        raise ConfigurationError(
            f"Cognito passes no client metadata to the trigger at {by}, so tenant= has no effect. Choose the tenant "
            "when the tokens are refreshed, or by active_tenant of the user."
        )
    return {**(given or {}), _TENANT_HINT: tenant}


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise what the trigger raised, and not what Cognito makes of it."""
    try:
        yield
    except UserLambdaValidationException as failed:
        refused = failed.__cause__
        if not isinstance(refused, SignInRefusedError):
            raise
        if isinstance(refused, RefusedError):
            reasons = (reason for reason in refused.refusal.reasons if reason.outcome == "refused")
            for reason in reasons:
                refused.add_note(f"{reason.source}: {reason.detail}")
        raise refused from refused.__cause__
