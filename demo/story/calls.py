"""The protected APIs: what a token gives access to, what it does not and why, and who decides that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from claimsmith.errors import Code
from demo.stage import wait

if TYPE_CHECKING:
    from collections import Counter

    from demo.stage import Stage

#: The statuses of HTTP API and REST API.
ALLOWED: Final = (200, 200)
#: The token is valid, but not sufficient.
FORBIDDEN: Final = (403, 403)
#: The token is not valid. The authorizer of an HTTP API cannot express 401 in a simple response; a REST API's can.
REFUSED: Final = (403, 401)
#: Without a token at all, both kinds of API respond on their own and do not call the authorizer.
WITHOUT_TOKEN: Final = (401, 401)

_ROUTE: Final = "ROUTE#orders"
_MORE: Final = "orders/write"


@dataclass(frozen=True, slots=True)
class _Call:
    """A request, and its expected outcome.

    Attributes:
        statuses: of HTTP API and REST API.
        code: why it is refused, as the authorizer logs it.
    """

    path: str
    holding: str
    token: str | None
    statuses: tuple[int, int]
    code: Code | None = None


def call_the_api(stage: Stage) -> None:
    """One token at two APIs: what it gives access to, and what it does not."""
    screen, stack = stage.screen, stage.stack
    screen.step(
        "Alice calls the APIs",
        "An HTTP API and a REST API with the same Lambda authorizer in front. What a route requires is in the policy's "
        "route rows; behind it, a sample function returns what the authorizer passes it about the caller.",
    )
    with screen.progress("Sign in"):
        tokens = stage.tokens = stage.sign_in("alice")
    screen.shell(f"""curl --header "Authorization: Bearer $TOKEN" '{stack.http_api.url("/orders")}'""")
    reply = stack.http_api.get("/orders", tokens.access)
    stage.expect(
        "The API lets her in, and the function behind it receives her identity.",
        holds=reply.status == ALLOWED[0] and reply.body["sub"] == stage.subs["alice"],
    )
    received = {name: _text(value) for name, value in reply.body.items() if value is not None}
    screen.grid(("the function receives", ""), [(name, stage.short(received[name])) for name in sorted(received)])
    hers = "her access token"
    _make(
        stage,
        _Call("/orders", hers, tokens.access, ALLOWED),
        _Call("/tenants/globex/orders", hers, tokens.access, ALLOWED),
        _Call("/tenants/acme/orders", hers, tokens.access, FORBIDDEN, Code.WRONG_TENANT),
        _Call("/orders", "her ID token", tokens.id, REFUSED, Code.WRONG_TOKEN_USE),
        _Call("/orders", "no token", None, WITHOUT_TOKEN),
    )
    screen.say("She is a member of Acme, too. But her token is for Globex, so it gives no access to Acme's orders.")


def ask_more_of_a_route(stage: Stage) -> None:
    """What a route requires is a row, like everything else."""
    screen, stack = stage.screen, stage.stack
    screen.step(
        "An admin makes a route stricter",
        f"GET /orders will require {_MORE}, which a viewer does not have: one PutItem again, and no deployment.",
    )
    token = stage.signed_in().access
    row = stage.policy_row(_ROUTE)
    stage.edit(row | {"any_scope": {"L": [{"S": _MORE}]}})
    with screen.progress("Wait until the authorizers use the new row"):
        wait("The route is still open", lambda: stage.statuses("/orders", token) == FORBIDDEN)
    _make(stage, _Call("/orders", "the same token", token, FORBIDDEN, Code.SCOPE_MISSING))
    stage.edit(row)
    with screen.progress("Restore the row, and wait again"):
        wait("The route is still closed", lambda: stage.statuses("/orders", token) == ALLOWED)
    problems = stack.get_item("PROBLEMS", "DRAFT")
    stage.expect(
        "The same token gives access to the route again, and the draft has no findings.", holds=problems is None
    )


def _make(stage: Stage, *calls: _Call) -> None:
    """Make calls, check the outcome of each, and show it with the reason from the authorizer's log."""
    lines = []
    for call in calls:
        request = f"GET {call.path}"
        logged = _refusals(stage)
        got = stage.statuses(call.path, call.token)
        if call.code is not None:
            wait(f"No refusal of {request} is logged", partial(_has_refused_since, stage, logged))
        reasons = list(_refusals(stage) - logged)
        if (got, reasons) != (call.statuses, [] if call.code is None else [call.code]):
            stage.expect(
                f"{request} with {call.holding} is answered {call.statuses} by HTTP API and REST API"
                f"{'' if call.code is None else f', because of {call.code}'} (it was {got}, {reasons}).",
                holds=False,
            )
        lines.append((request, call.holding, *map(str, got), " ".join(map(_words, reasons))))
    stage.screen.grid(("request", "with", "HTTP API", "REST API", "why, as the authorizer logs it"), lines)
    stage.screen.good("The outcome of each call follows the policy.")


def _refusals(stage: Stage) -> Counter[str]:
    """How often the HTTP API's authorizer has refused, by code."""
    return stage.stack.codes(stage.stack.outputs["AuthorizerName"])


def _has_refused_since(stage: Stage, logged: Counter[str]) -> bool:
    return _refusals(stage) != logged


def _words(code: str) -> str:
    return f"{code}: {Code(code).name.replace('_', ' ').lower()}"


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
