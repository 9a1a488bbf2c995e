"""The ``explain`` command: the chain of rows behind each thing in the tokens, and what is in the way of others."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from claimsmith.cli import completion, panels, requests
from claimsmith.cli.preview import as_of_data, refused, show_as_of, show_outcome, show_problems, show_shadow
from claimsmith.cli.progress import progress
from claimsmith.cli.requests import Options, asked, of_its_time
from claimsmith.engine.explanation import Target
from claimsmith.service.compare import item_differences
from claimsmith.service.explain import Explanation, explain, read_situation
from claimsmith.service.rollout import is_in_shadow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from claimsmith.cli.requests import Asked
    from claimsmith.cli.session import Session
    from claimsmith.engine.explanation import Absence, Change, Item, Link
    from claimsmith.service.compare import ItemDifference

Kind = Literal["scope", "claim", "role", "group"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain", rich_help_panel=panels.ANSWERS)(explain_command)


def explain_command(  # noqa: PLR0913 - the options of a request
    context: typer.Context,
    user: requests.User = None,
    scope: Annotated[
        requests.Repeated, typer.Option(help="Explain this scope. Repeatable.", autocompletion=completion.scopes)
    ] = None,
    claim: Annotated[requests.Repeated, typer.Option(help="Explain this claim. Repeatable.")] = None,
    role: Annotated[
        requests.Repeated, typer.Option(help="Explain this role. Repeatable.", autocompletion=completion.roles)
    ] = None,
    group: Annotated[requests.Repeated, typer.Option(help="Explain this group. Repeatable.")] = None,
    client: requests.Client = None,
    source: requests.Source = None,
    tenant: requests.Tenant = None,
    request_scope: Annotated[requests.Repeated, typer.Option(help=requests.REQUESTED)] = None,
    in_group: Annotated[requests.Repeated, typer.Option(help=requests.IN_GROUP)] = None,
    attribute: requests.Attribute = None,
    event: requests.Event = None,
    with_rows: requests.With = None,
    version: requests.Version = None,
    compare: requests.Compare = None,
    at: requests.At = None,
) -> None:
    """Explain what is in a user's tokens, row by row; or why something is not. Exits with 1 if it is not there.

    Example: claimsmith explain --user alice --client web --scope orders/write
    """
    session: Session = context.obj
    options = Options(
        user=user,
        client=client,
        source=source,
        tenant=tenant,
        scopes=request_scope,
        groups=in_group,
        attributes=attribute,
        event=event,
        rows=with_rows,
        version=version,
        at=at,
    )
    given: tuple[tuple[Kind, requests.Repeated], ...] = (
        ("scope", scope),
        ("claim", claim),
        ("role", role),
        ("group", group),
    )
    targets = [Target(kind, name) for kind, names in given for name in names or ()]
    request = asked(session, options)
    others = () if compare is None else (replace(request, version=compare),)
    # Changes are tried until one makes it so, which takes seconds with a thousand rules.
    with progress("Explaining", total=max(1, len(targets)) * (1 + len(others))) as done, of_its_time(request):
        result, *compared = [_explained(each, targets, done) for each in (request, *others)]
    other = next(iter(compared), None)
    in_shadow = is_in_shadow(request.rows, request.request)
    if session.as_json:
        answer = {**_data(result, other), "in_shadow": in_shadow, **as_of_data(request.past)}
        session.out.print_json(json.dumps(answer))
    else:
        show_as_of(session, request.past)
        show_shadow(session, in_shadow=in_shadow)
        _show(session, result)
        if other is not None:
            _show_differences(session, result, other)
    if result.absences:
        raise typer.Exit(1)


def _explained(request: Asked, targets: list[Target], done: Callable[[int], None]) -> Explanation:
    situation = read_situation(
        request.rows, request.request, readable=request.readable, version=request.version, clock=request.clock
    )
    return explain(situation, targets, done=done)


def _data(result: Explanation, other: Explanation | None) -> dict[str, Any]:
    outcome = result.situation.outcome
    data: dict[str, Any] = {
        "policy_version": result.situation.policy.number,
        "refused": refused(outcome),
        "present": [
            {"kind": item.kind, "name": item.name, "token": item.token, "chain": _links(item.chain)}
            for item in result.items
        ],
        "absent": [
            {
                "kind": absence.target.kind,
                "name": absence.target.name,
                "token": absence.target.token,
                "why": absence.why,
                "steps": [change._asdict() for change in absence.steps],
            }
            for absence in result.absences
        ],
        "problems": [problem._asdict() for problem in outcome.problems],
    }
    if other is not None:
        data["compared"] = {
            "policy_version": other.situation.policy.number,
            "refused": refused(other.situation.outcome),
            "differences": [
                {
                    "kind": difference.kind,
                    "name": difference.name,
                    "token": difference.token,
                    "before": _links(difference.before),
                    "after": _links(difference.after),
                }
                for difference in item_differences(other, result)
            ],
        }
    return data


def _links(chain: Iterable[Link] | None) -> list[dict[str, str]] | None:
    return None if chain is None else [link._asdict() for link in chain]


def _show(session: Session, result: Explanation) -> None:
    show_outcome(session, result.situation.outcome, result.situation.policy.number)
    for item in result.items:
        _say(session, _chained(item, item.chain))
    for absence in result.absences:
        _show_absence(session, absence)
    show_problems(session, result.situation.outcome.problems)


def _show_absence(session: Session, absence: Absence) -> None:
    kind, name, token = absence.target
    what = "This sign-in is refused" if kind == "token" else f"{kind} {name} is not there"
    if token and absence.steps:
        what += f" ({token} token)"
    if not absence.steps:
        _say(session, f"{what}: {absence.why}.")
        return
    _say(session, f"{what}. {_needed(len(absence.steps))}")
    for number, change in enumerate(absence.steps, 1):
        _say(session, f"  {number}. {change.why}.")
        _say(session, f"     {change.row}: {_done(change)}")


def _needed(count: int) -> str:
    return "This would have to be different:" if count == 1 else f"These {count} would all have to be different:"


def _done(change: Change) -> str:
    """A change, as one would make it."""
    name = change.attribute if change.member is None else f"{change.attribute}.{change.member}"
    value = change.value if isinstance(change.value, str) else json.dumps(change.value, ensure_ascii=False)
    match change.action:
        case "add":
            return f"add {value} to {name}"
        case "remove":
            return f"remove {value} from {name}"
        case "set":
            return f"set {name} to {value}"
        case "delete":
            return f"delete {name}"
        case "create":
            return "create the row"


def _show_differences(session: Session, result: Explanation, other: Explanation) -> None:
    number = other.situation.policy.number
    found = item_differences(other, result)
    if not found:
        _say(session, f"Nothing differs from version {number}.")
        return
    _say(session, f"Compared with version {number}:")
    for difference in found:
        before, after = difference.before, difference.after
        if after is None:
            _say(session, f"  - {_chained(difference, before or ())}")
        elif before is None:
            _say(session, f"  + {_chained(difference, after)}")
        else:
            _say(session, f"  ~ {_chained(difference, after)}")
            _say(session, f"    before{_chain(before)}")


def _chained(item: Item | ItemDifference, chain: Sequence[Link]) -> str:
    """Something with its chain, whose first link is perhaps the thing itself: ``role editor (POLICY ROLE#editor)``."""
    name = _name(item)
    if chain and chain[0].what == name:
        return f"{name} ({chain[0].row}){_chain(chain[1:])}"
    return f"{name}{_chain(chain)}"


def _name(item: Item | ItemDifference) -> str:
    return f"{item.token} {item.kind} {item.name}" if item.kind == "claim" else f"{item.kind} {item.name}"


def _chain(links: Iterable[Link]) -> str:
    return "".join(f" <- {link.what} ({link.row})" for link in links)


def _say(session: Session, text: str) -> None:
    session.out.print(text, markup=False, highlight=False, soft_wrap=True)
