"""A plan as text, as JSON, and as Markdown for a pull request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape

from claimsmith.cli import rollout
from claimsmith.cli.shown import SIGNS, difference_text
from claimsmith.cli.terminal import one_line
from claimsmith.engine.ways import ANY_OTHER_CLIENT
from claimsmith.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.service.plan import Effect, Example, Plan

#: Tenants and effects that are shown to people; JSON has all.
_TENANTS: Final = 10
_EFFECTS: Final = 50

_SIGNS: Final = {"gained": ("+", "green"), "lost": ("-", "red"), "changed": ("~", "yellow")}
_FLOWS: Final = {"api": "API sign-in", "managed": "managed login", "machine": "machine"}
_NO_TENANT: Final = "no tenant"


def data(plan: Plan, failed: list[str]) -> dict[str, Any]:
    """The plan for ``--json``; the fields are documented in ``docs/how-to/plan.md``.

    Args:
        plan: what was found.
        failed: the conditions of ``--fail-on`` that are met.
    """
    return {
        "from": plan.before,
        "staged": plan.staged,
        "rollout": rollout.data(plan.rollout),
        "digest": plan.digest,
        "changes": plan.changes,
        "differences": [each._asdict() for each in plan.differences],
        "changed": {
            "users": plan.users,
            "machines": plan.machines,
            "tenants": dict(sorted(plan.tenants.items())),
            "no_tenant": plan.no_tenant,
        },
        "effects": [_effect_data(effect) for effect in plan.effects],
        "read": {
            "users": plan.users_read,
            "tenants": plan.tenants_read,
            "different_users": plan.classes,
            "ways": plan.ways,
            "sample": plan.sample,
            "interrupted": plan.interrupted,
            "unreadable_rows": plan.unreadable,
            "not_in_pool": plan.strangers,
            "unknown": plan.unknown,
        },
        "failed_on": failed,
    }


def _effect_data(effect: Effect) -> dict[str, Any]:
    return {
        **effect.change._asdict(),
        "privileged": effect.privileged,
        "users": effect.users,
        "machines": effect.machines,
        "tenants": len(effect.tenants),
        "clients": sorted(effect.clients),
        "examples": [example._asdict() for example in effect.examples],
    }


def lines(plan: Plan) -> Iterator[str]:
    """The plan as lines of rich markup."""
    yield from policy_lines(plan)
    yield from effect_lines(plan, examples=True)


def policy_lines(plan: Plan) -> Iterator[str]:
    """How the policy differs."""
    if not plan.differences:
        yield f"The policy is the one in force: version {plan.before}."
        return
    what = "Nothing is in force yet." if plan.before is None else f"Compared with version {plan.before}, in force:"
    yield what
    section = None
    for each in plan.differences:
        if each.section != section:
            section = each.section
            yield f"[bold]{escape(section)}[/bold]"
        sign, style = SIGNS[each.kind]
        yield f"[{style}]  {sign} {escape(difference_text(each))}[/{style}]"
    yield ""
    yield f"[bold]Plan[/bold]: {_counted_differences(plan)}."


def effect_lines(plan: Plan, *, examples: bool) -> Iterator[str]:
    """Whose tokens change and how, the most important first."""
    yield f"[bold]Tokens[/bold]: {summary(plan)}"
    for effect in plan.effects[:_EFFECTS]:
        sign, style = _SIGNS[effect.change.direction]
        mark = "[bold red]privileged [/bold red]" if effect.privileged else ""
        yield f"  [{style}]{sign} {escape(_named(effect))}[/{style}] {mark}{escape(_concerned(effect))}"
        for example in effect.examples if examples else ():
            yield f"      {escape(_example(example))}"
    if len(plan.effects) > _EFFECTS:
        yield f"  and {len(plan.effects) - _EFFECTS:,} more; --json lists all."
    if plan.tenants or plan.no_tenant:
        yield f"By tenant: {escape(_by_tenant(plan))}."
    yield from (f"[yellow]{escape(note)}[/yellow]" for note in notes(plan))


def summary(plan: Plan) -> str:
    """Whose tokens change, in one sentence."""
    if not plan.effects:
        whom = f" for any of {count_of(plan.users_read, 'user')}" if plan.users_read else ""
        return f"nothing changes{whom}."
    parts = [f"{plan.users:,} of {count_of(plan.users_read, 'user')}"]
    parts += [count_of(len(plan.machines), "machine")] if plan.machines else []
    where = f", in {count_of(len(plan.tenants), 'tenant')}" if plan.tenants else ""
    return f"those of {' and '.join(parts)} change{where}."


def notes(plan: Plan) -> Iterator[str]:
    """What the reader must know about how far the plan looked."""
    if plan.interrupted:
        yield f"Interrupted: the figures are those of {count_of(plan.users_read, 'user')} read until then."
    if plan.sample is not None:
        yield f"Sampled: the figures are those of the first {count_of(plan.sample, 'user')} of the table, not of all."
    if plan.staged is not None:
        yield f"Version {plan.staged} is staged; publishing ends that, so its subjects are compared with it."
    yield from rollout.plain_notes(plan.rollout)
    if plan.unreadable:
        yield f"{count_of(plan.unreadable, 'row')} cannot be read, here or at a sign-in; claimsmith doctor says which."
    if plan.strangers:
        yield f"{count_of(plan.strangers, 'user')} with rows left out, not being in the pool."
    yield from (f"Not taken into account: {each}." for each in plan.unknown)


def markdown(plan: Plan) -> str:
    """A summary for a pull request: no values of claims, and no user but in the examples."""
    found = ["### Claimsmith plan", ""]
    if not plan.differences:
        found.append(f"The policy is the one in force, version {plan.before}.")
    else:
        found += [f"**{_counted_differences(plan)}** in the policy.", "", f"**Tokens:** {summary(plan)}", ""]
        found += ["<details><summary>Policy</summary>", "", "```diff"]
        section = None
        for each in plan.differences:
            if each.section != section:
                section = each.section
                found.append(f"# {section}")
            found.append(f"{ {'added': '+', 'removed': '-'}.get(each.kind, '!') } {difference_text(each)}".strip())
        found += ["```", "", "</details>"]
    if plan.effects:
        found += ["", "| | what | users | machines | tenants | because of |", "|---|---|---:|---:|---:|---|"]
        for effect in plan.effects[:_EFFECTS]:
            sign = _SIGNS[effect.change.direction][0]
            what = _cell(_named(effect)) + (" **privileged**" if effect.privileged else "")
            because = _cell(", ".join(dict.fromkeys(example.row for example in effect.examples if example.row)))
            counts = f"{effect.users:,} | {len(effect.machines):,} | {len(effect.tenants):,}"
            found.append(f"| `{sign}` | {what} | {counts} | {because} |")
        if len(plan.effects) > _EFFECTS:
            found += ["", f"And {len(plan.effects) - _EFFECTS:,} more."]
    if plan.tenants or plan.no_tenant:
        found += ["", f"By tenant: {_cell(_by_tenant(plan))}."]
    said = [*notes(plan)]
    found += ["", *(f"- {_cell(note)}" for note in said)] if said else []
    return "\n".join(found) + "\n"


def _cell(text: str) -> str:
    """Text that Markdown takes as it is."""
    for character in "\\`*_{}[]<>|#":
        text = text.replace(
            character, f"\\{character}" if character not in "<>" else {"<": "&lt;", ">": "&gt;"}[character]
        )
    return text


def _counted_differences(plan: Plan) -> str:
    """As Terraform counts them."""
    counts = {"added": 0, "changed": 0, "removed": 0}
    for each in plan.differences:
        counts[each.kind if not each.path else "changed"] += 1
    return f"{counts['added']} to add, {counts['changed']} to change, {counts['removed']} to remove"


def _named(effect: Effect) -> str:
    change = effect.change
    if change.kind == "refusal":
        verb = {"gained": "refused", "lost": "no longer refused", "changed": "refused with another code"}
        return f"{verb[change.direction]}: {change.name} ({Code(change.name).name.lower()})"
    token = f" ({change.token} token)" if change.token else ""
    return f"{change.kind} {change.name}{token}".strip()


def _concerned(effect: Effect) -> str:
    parts = [count_of(effect.users, "user")] if effect.users else []
    parts += [f"machines {', '.join(map(_client, effect.machines[:_TENANTS]))}"] if effect.machines else []
    if effect.tenants:
        parts.append(f"in {count_of(len(effect.tenants), 'tenant')}")
    return ", ".join(parts)


def _example(example: Example) -> str:
    who = one_line(example.username or "machine")
    where = ", ".join(filter(None, (_FLOWS[example.flow] * (example.flow != "machine"), example.tenant or _NO_TENANT)))
    values = (
        ""
        if example.before is None and example.after is None
        else f": {_value(example.before)} -> {_value(example.after)}"
    )
    because = f" <- {example.row}" if example.row else ""
    why = f" ({example.why})" if example.why else ""
    return f"{who} at {_client(example.client)} ({where}){values}{because}{why}"


def _client(client: str) -> str:
    return "any other client" if client in (ANY_OTHER_CLIENT, "any other") else client


def _value(value: object) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _by_tenant(plan: Plan) -> str:
    named = [f"{tenant} {count_of(count, 'user')}" for tenant, count in plan.tenants.most_common(_TENANTS)]
    left = len(plan.tenants) - len(named)
    if left > 0:
        named.append(f"{count_of(left, 'more tenant')}")
    if plan.no_tenant:
        named.append(f"{_NO_TENANT} {count_of(plan.no_tenant, 'user')}")
    return ", ".join(named)


def count_of(count: int, what: str) -> str:
    """A number of things, in words."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
