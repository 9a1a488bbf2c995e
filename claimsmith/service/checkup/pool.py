"""Checks of the user pool against its trigger and against the policy in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from claimsmith.cognito.identifiers import pool_issuers
from claimsmith.environment import CLIENT_IDS, ISSUERS, parse_issuers
from claimsmith.errors import Code, ConfigurationError
from claimsmith.service.checkup.finding import Finding
from claimsmith.service.checkup.functions import table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from claimsmith.engine.bundle import Bundle
    from claimsmith.store.deployment import AppClient, Function, UserPool

_COGNITO: Final = "cognito-idp.amazonaws.com"

#: No client may ever write these (API reference, CreateUserPoolClient, WriteAttributes).
_OF_COGNITO: Final = frozenset({"sub", "email_verified", "phone_number_verified", "identities"})


def plan(pool: UserPool) -> Iterator[Finding]:
    """The plan must allow the events that carry access tokens."""
    if pool.tier == "LITE":
        yield Finding(
            Code.POOL_PLAN,
            pool.id,
            "The pool is on the Lite plan, which cannot customize access tokens.",
            "Change the plan to Essentials or Plus (aws cognito-idp update-user-pool --user-pool-tier).",
        )


def trigger(pool: UserPool, function: Function | None, table: str) -> Iterator[Finding]:
    """The pool must call a function of ours that reads this table.

    Args:
        pool: the pool.
        function: its trigger; None if the function does not exist.
        table: the table that is checked.
    """
    if not pool.trigger:
        yield Finding(
            Code.TRIGGER_MISSING,
            pool.id,
            "The pool has no pre token generation trigger: its tokens carry nothing of the policy.",
            f"Attach the trigger: claimsmith attach --user-pool-id {pool.id} --table {table}. An update of the pool "
            "without LambdaConfig has removed it; deploying an unchanged stack does not restore it.",
        )
    elif function is None:
        yield Finding(
            Code.TRIGGER_NOT_OURS,
            pool.trigger,
            "The pool calls a function that does not exist: every sign-in fails.",
            f"Set the pool's trigger to the function of the stack output TriggerName, or take it off the pool: "
            f"claimsmith detach --user-pool-id {pool.id} --table {table}.",
        )
    elif table_of(function) != table:
        what = f"reads the table {table_of(function)}" if table_of(function) else "is not Claimsmith's"
        yield Finding(
            Code.TRIGGER_NOT_OURS,
            pool.trigger,
            f"The pool's trigger {what}; the policy in {table} has no effect on tokens.",
            f"Attach the trigger of this table (claimsmith attach --user-pool-id {pool.id} --table {table} --replace), "
            "or check the other table: --table.",
        )


def event_version(pool: UserPool) -> Iterator[Finding]:
    """An event of version 1 carries no access token."""
    if pool.trigger and pool.event_version == "V1_0":
        yield Finding(
            Code.EVENT_VERSION_TOO_OLD,
            pool.id,
            "The pool sends events of version V1_0, which cannot change scopes or the access token; the trigger "
            "refuses them, so nobody can sign in.",
            "Set LambdaVersion to V2_0 or V3_0 in PreTokenGenerationConfig of the pool's LambdaConfig: "
            f"claimsmith attach --user-pool-id {pool.id}.",
        )


def machines(pool: UserPool, clients: Sequence[AppClient], bundle: Bundle) -> Iterator[Finding]:
    """Only events of version 3 are sent for machines."""
    if pool.event_version == "V3_0":
        return
    for client in clients:
        if client.machine and client.id in bundle.clients:
            yield Finding(
                Code.MACHINES_NOT_CUSTOMIZED,
                _named(client),
                f"The policy has a row for this client, but the pool sends events of version {pool.event_version}: "
                "for its machine tokens the trigger is not called, and the row has no effect.",
                "Deploy with trigger_version = 'V3_0' in the stage's file (Cognito bills it separately).",
            )


def permission(pool: UserPool, function: Function, statements: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Cognito must be allowed to call the trigger, and for this pool only."""
    applying = [each for each in statements if allows(each, pool.arn)]
    if not applying:
        yield Finding(
            Code.TRIGGER_NOT_PERMITTED,
            function.name,
            f"The function does not allow Cognito to call it for {pool.id}: every sign-in fails.",
            f"Add the permission: aws lambda add-permission --function-name {function.name} --statement-id cognito "
            f"--action lambda:InvokeFunction --principal {_COGNITO} --source-arn {pool.arn} --source-account ACCOUNT",
        )
    elif not any(_conditions(each) for each in applying):
        yield Finding(
            Code.TRIGGER_OPEN,
            function.name,
            "Any user pool, of other accounts too, may call this function: its permission has no source.",
            "Replace the permission by one with --source-arn and --source-account.",
        )


def allows(statement: Mapping[str, Any], pool_arn: str) -> bool:
    """Whether a statement of a function's resource policy lets Cognito call it for this pool."""
    principal = statement.get("Principal")
    service = principal.get("Service") if isinstance(principal, dict) else principal
    services = service if isinstance(service, list) else [service]
    action = statement.get("Action")
    actions = action if isinstance(action, list) else [action]
    return (
        statement.get("Effect") == "Allow"
        and bool({_COGNITO, "*"} & set(services))
        and bool({"lambda:InvokeFunction", "lambda:*", "*"} & set(actions))
        and all(_includes(value, pool_arn) for value in _conditions(statement))
    )


def _conditions(statement: Mapping[str, Any]) -> list[str]:
    """The sources to which a statement is restricted, ARNs and accounts."""
    found = []
    for operands in (statement.get("Condition") or {}).values():
        for name, value in operands.items():
            if name.lower() in ("aws:sourcearn", "aws:sourceaccount"):
                found += value if isinstance(value, list) else [value]
    return found


def _includes(value: str, pool_arn: str) -> bool:
    """Whether a source, an account or an ARN that may end with ``*``, is the pool."""
    if value.startswith("arn:") and value.endswith("*"):
        return pool_arn.startswith(value[:-1])
    account = dict(enumerate(pool_arn.split(":"))).get(4)  # arn:partition:service:region:account:resource
    return value in (pool_arn, account)


def trusted_attributes(pool: UserPool, clients: Sequence[AppClient], trusted: Collection[str]) -> Iterator[Finding]:
    """No client may write an attribute that the policy trusts."""
    for name in sorted(trusted):
        if name in _OF_COGNITO or name.startswith("cognito:"):
            continue
        writers = [_named(client) for client in clients if client.writable is None or name in client.writable]
        if name in pool.required:
            why = "the pool requires it, so every client may write it"
        elif writers:
            why = f"these clients may write it: {', '.join(writers)}"
        else:
            continue
        yield Finding(
            Code.TRUSTED_ATTRIBUTE_WRITABLE,
            name,
            f"The policy trusts this attribute, and users can change it: {why}.",
            "Take it out of the clients' WriteAttributes, or out of trusted_attributes in the policy's settings.",
        )


def clients(pool_id: str, in_pool: Sequence[AppClient], bundle: Bundle) -> Iterator[Finding]:
    """The pool and the policy should know the same clients; the policy may also have clients of other pools."""
    for client in in_pool:
        row = bundle.clients.get(client.id)
        if row is not None and row.user_pool not in (None, pool_id):
            yield Finding(
                Code.CLIENT_OF_ANOTHER_POOL,
                f"POLICY CLIENT#{client.id}",
                f"The row says that this client is of {row.user_pool}, but it is of {pool_id}, so verifiers refuse its "
                "tokens.",
                f"Set user_pool to {pool_id}, or leave it out.",
            )
        if row is None:
            means = (
                "its machine tokens get no managed scope under V3_0"
                if client.machine
                else "tokens of its users are limited by no scopes_allowed"
            )
            yield Finding(
                Code.CLIENT_WITHOUT_ROW,
                _named(client),
                f"The policy has no row for this client of the pool: {means}, and verifiers refuse its tokens unless "
                f"{CLIENT_IDS} lists it.",
                f"Add {client.id} to the policy's clients.",
            )
    known = {client.id for client in in_pool}
    for client_id in sorted(bundle.clients.keys() - known):
        if bundle.clients[client_id].user_pool not in (None, pool_id):
            continue
        yield Finding(
            Code.ROW_WITHOUT_CLIENT,
            f"POLICY CLIENT#{client_id}",
            "The pool has no client with this id: the row has no effect.",
            "Correct the id, remove the client from the policy, or set its user_pool if it is of another pool.",
        )


def load_balancers(in_pool: Sequence[AppClient], bundle: Bundle) -> Iterator[Finding]:
    """Clients of Application Load Balancers, by their callback, should get Cognito's own access tokens.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
    """
    for client in in_pool:
        row = bundle.clients.get(client.id)
        added = row is None or row.add_to_access_token
        if added and any(urlsplit(url).path == "/oauth2/idpresponse" for url in client.callback_urls):
            yield Finding(
                Code.LOAD_BALANCER_CLIENT,
                _named(client),
                "A load balancer signs users in with this client, and the policy adds to its access tokens. With more "
                "than 11 kB of token and user claims every sign-in fails, and AWS has called such tokens unsupported.",
                "Set add_to_access_token to false in the client's row; the ID token is enriched all the same.",
            )


def scopes(of_pool: Collection[str], bundle: Bundle) -> Iterator[Finding]:
    """Scopes that are granted should be scopes that a client can request."""
    for scope in sorted(bundle.scopes - set(of_pool)):
        rows = [role.row for role in bundle.roles.values() if scope in role.scopes]
        rows += [rule.row for rule in bundle.rules if scope in rule.scopes]
        yield Finding(
            Code.SCOPE_WITHOUT_RESOURCE_SERVER,
            scope,
            f"{', '.join(rows)} grants it, and no resource server of the pool has it: nobody can request it, so only "
            "sign-ins by API and scope_mode: exact put it into tokens.",
            "Correct the scope, or add it to a resource server of the pool.",
        )


def issuers(pool: UserPool, functions: Sequence[Function]) -> Iterator[Finding]:
    """A verifier that uses the table should accept the pool's issuer, in either form; others may be for other pools."""
    others: list[Finding] = []
    accepted = False
    for function in functions:
        written = function.variables.get(ISSUERS)
        if written is None:
            continue
        try:
            listed = parse_issuers(entry for entry in written.split(",") if entry.strip())
        except ConfigurationError as error:
            yield _refuses(function, error.message)
            continue
        if any(_is_of(issuer, pool.id) for issuer, _ in listed):
            accepted = True
        else:
            others.append(_refuses(function, "It accepts other issuers only."))
    if not accepted:
        yield from others


def _refuses(function: Function, why: str) -> Finding:
    return Finding(
        Code.ISSUER_NOT_ACCEPTED,
        function.name,
        f"This verifier refuses every token of the pool. {why}",
        f"Add the pool's issuer to {ISSUERS}, and deploy the verifier again.",
    )


def _is_of(issuer: str, pool_id: str) -> bool:
    return pool_issuers(issuer) is not None and issuer.endswith(f"/{pool_id}")


def _named(client: AppClient) -> str:
    return f"{client.name} ({client.id})" if client.name else client.id
