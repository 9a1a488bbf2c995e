"""A service that cannot verify tokens asks whether one is active (RFC 7662); Cognito has no endpoint for that."""

from __future__ import annotations

import json
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from demo.api import basic
from demo.story.start import SERVICE

if TYPE_CHECKING:
    from demo.stage import Stage

_SCOPE: Final = "claimsmith/introspect"
_SHOWN: Final = ("active", "tenant_id", "roles", "scope", "username", "sub")


def introspect(stage: Stage) -> None:
    """Two callers, one with a secret and one with its own token."""
    screen, stack, api = stage.screen, stage.stack, stage.stack.http_api
    screen.step(
        "A service asks about her token",
        "It gets a secret, and may ask only about tokens of one tenant; a machine may ask with its own token.",
    )
    added = stage.run("resources", "add", SERVICE, "--client", stage.client, "--tenant", "globex")
    secret = str(added["secret"])
    kept = json.dumps(stack.get_item(f"PROTECTED_RESOURCE#{SERVICE}", "PROTECTED_RESOURCE"))
    stage.expect(
        "The command shows the secret only once (not here); the table stores only its SHA-256.",
        holds=secret not in kept and sha256(secret.encode()).hexdigest() in kept,
    )
    stage.service = basic(SERVICE, secret)
    token = stage.signed_in().access
    screen.shell(f"""curl --user "{SERVICE}:$SECRET" --data "token=$TOKEN" '{api.url("/introspect")}'""")
    reply = api.introspect(token, stage.service)
    screen.grid(
        ("introspection returns", ""),
        [(name, stage.short(json.dumps(reply.body[name]))) for name in _SHOWN if name in reply.body],
    )
    stage.expect(
        "Her token is active, with its tenant and its roles.",
        holds=[reply.body.get(name) for name in ("active", "tenant_id", "roles")] == [True, "globex", ["viewer"]],
    )
    with screen.progress("Alice gets a token for Acme as well, by a hint with her sign-in"):
        acme = stack.pool.sign_in(stage.client, "alice", stage.passwords["alice"], {"tenant_id": "acme"}).access
    stage.expect(
        "About Acme's token the service of Globex learns only that it is not active.",
        holds=stack.pool.verified(acme)["tenant_id"] == "acme"
        and api.introspect(acme, stage.service).body == {"active": False},
    )
    wrong = api.introspect(token, basic(SERVICE, "a guess"))
    stage.expect(
        "With a wrong secret the response is 401, and shows how to authenticate.",
        holds=wrong.status == HTTPStatus.UNAUTHORIZED and wrong.headers["www-authenticate"].startswith("Basic "),
    )
    _introspect_as_machine(stage, token, acme)


def _introspect_as_machine(stage: Stage, *tokens: str) -> None:
    machine = stage.stack.outputs["MachineClientId"]
    stage.run("resources", "add", machine, "--client", "*", "--tenant", "*")
    own = stage.stack.pool.machine_token(machine, [_SCOPE])
    replies = [stage.stack.http_api.introspect(token, f"Bearer {own}") for token in tokens]
    stage.expect(
        f"A machine with the scope {_SCOPE}, which may ask about everybody, authenticates with its own access token.",
        holds=[reply.body.get("tenant_id") for reply in replies] == ["globex", "acme"],
    )
