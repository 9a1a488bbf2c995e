"""What would have to change for a token to hold something, in the order in which one would try it.

Nothing here is certain: ``absences`` tries the plans and keeps what helps.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal

from claimsmith import table
from claimsmith.cognito.claims import STANDARD, TOKENS, refused_name
from claimsmith.cognito.limits import SCOPE
from claimsmith.cognito.response import GROUPS_CLAIM
from claimsmith.engine import scopes
from claimsmith.engine.decide import Decision, Refusal
from claimsmith.engine.explanation.role_plans import RolePlans, texts
from claimsmith.engine.explanation.situation import REQUEST, Plan, one
from claimsmith.engine.explanation.truth import Truth
from claimsmith.engine.language import is_privileged, is_unmanaged
from claimsmith.engine.language.conditions import ANY_TEXT
from claimsmith.engine.language.values import form_of, template_parts
from claimsmith.engine.reasons import SETTINGS_ROW
from claimsmith.engine.role_sets import together
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from claimsmith.cognito.claims import Token
    from claimsmith.engine.explanation.situation import Situation
    from claimsmith.engine.reasons import Reason


#: Parts of a false condition that are named.
_LEAVES: Final = 3


class Target(NamedTuple):
    """What somebody misses.

    Attributes:
        kind: ``token`` is the sign-in as a whole.
        name: empty for ``token``.
        token: ``access`` or ``id`` for a claim, otherwise empty.
    """

    kind: Literal["token", "role", "scope", "group", "claim"]
    name: str = ""
    token: Token | Literal[""] = ""


class Plans:
    """Makes up what may bring something about."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.policy = situation.policy
        self.bundle = situation.policy.bundle
        self.document = situation.policy.document
        self.request = situation.request
        self.subject = situation.subject
        self.roles = RolePlans(situation)
        self.tenants = self.roles.tenants

    def for_target(self, target: Target) -> Iterator[Plan]:
        """Plans for the first thing that is in the way."""
        outcome = self.situation.outcome
        if isinstance(outcome, Refusal):
            return self.tenants.admitting(outcome)
        match target.kind:
            case "role":
                return self.roles.assigning(target.name, "")
            case "scope":
                return self.for_scope(target.name)
            case "group":
                return self.for_group(target.name)
            case "claim" if target.token:
                return self.for_claim(target.name, target.token)
        return iter(())

    def for_scope(self, scope: str) -> Iterator[Plan]:
        """A scope: that it is granted, within both ceilings, not suppressed, and asked for."""
        subject, client, tenant = self.subject, self.subject.client, self.subject.tenant
        suppressed = scopes.suppressions(subject, self.situation.applied)
        roles = self.situation.outcome.roles if isinstance(self.situation.outcome, Decision) else ()
        granted = scopes.grant(
            self.bundle, subject, together(self.bundle.roles, roles, subject.ceiling), self.situation.applied
        ).reasons_for
        unmanaged = is_unmanaged(scope, self.bundle.settings.unmanaged_scopes)
        row, via = self.grantor(scope)
        if not unmanaged and scope not in granted and row is None:
            yield from self.for_grant(scope)
        elif not unmanaged and scope not in granted:
            if client is not None and client.scopes_allowed is not None and scope not in client.scopes_allowed:
                why = f"{via} grants it; the client's scopes_allowed leaves it out"
                yield one(subject.client_row, "scopes_allowed", "add", scope, why)
            elif tenant is not None and tenant.scopes_allowed is not None and scope not in tenant.scopes_allowed:
                why = f"{via} grants it; the tenant's scopes_allowed leaves it out"
                yield one(subject.tenant_row, "scopes_allowed", "add", scope, why)
        elif scope in suppressed:
            yield from self.unsuppressed(suppressed[scope], "suppress_scopes", scope)
        elif scope not in self.request.scopes:
            if not unmanaged:
                yield from self.for_addition()
            why = "the request does not ask for it"
            if self.request.api and not self.request.machine:
                why = "a sign-in by API cannot ask for scopes, a managed login can"
            yield one(REQUEST, "scopes", "add", scope, f"{via} grants it; {why}" if via else why)

    def grantor(self, scope: str) -> tuple[str | None, str]:
        """The row that grants a scope, whatever the ceilings say, with words for it."""
        subject = self.subject
        if self.request.machine and subject.client is None:
            return None, ""
        outcome = self.situation.outcome
        for name in outcome.roles if isinstance(outcome, Decision) else ():
            if scope in self.bundle.roles[name].scopes:
                return self.bundle.roles[name].row, f"role {name}"
        membership = subject.membership
        privileged = is_privileged(scope, self.bundle.settings.privileged_scopes)
        if membership is not None and scope in membership.scopes and not privileged:
            return subject.membership_row, "the membership"
        for rule in self.situation.applied.rules:
            if scope in rule.scopes:
                return rule.row, f"rule {_rule_name(rule.row)}"
        return None, ""

    def for_grant(self, scope: str) -> Iterator[Plan]:
        """What makes something grant a scope."""
        roles = [name for name, role in self.bundle.roles.items() if scope in role.scopes]
        held = [name for name in roles if self.roles.is_held(name)]
        for name in (*held, *(name for name in roles if name not in held)):
            yield from self.roles.assigning(name, f"role {name} grants it; ")
        for rule in self.bundle.rules:
            if scope in rule.scopes:
                yield from self.for_rule(rule.row, f"rule {_rule_name(rule.row)} grants it; ", apply=True)
        subject = self.subject
        if not is_privileged(scope, self.bundle.settings.privileged_scopes):
            for other, member, _ in self.tenants.others():
                if scope in texts(member.get("scopes")):
                    yield from self.tenants.choosing(other, f"the membership of {other} grants it; ")
            if scope in self.bundle.scopes and subject.membership is not None:
                yield one(subject.membership_row, "scopes", "add", scope, "the membership does not grant it")
        if scope not in self.bundle.scopes and SCOPE.fullmatch(scope) and isinstance(self.situation.outcome, Decision):
            meant = similar(scope, self.bundle.scopes)
            for name in self.situation.outcome.roles:
                why = f"no role and no rule grants it{meant}; role {name}, which is assigned, could"
                yield one(self.bundle.roles[name].row, "scopes", "add", scope, why)

    def for_addition(self) -> Iterator[Plan]:
        """What lets the policy put something into the access token."""
        if not self.subject.adds_to_access_token:
            why = "the client's add_to_access_token is false: its access tokens get nothing from the policy"
            yield one(self.subject.client_row, "add_to_access_token", "set", value=True, why=why)

    # Groups.

    def for_group(self, group: str) -> Iterator[Plan]:
        """A group of the pool, or one that a rule adds."""
        if self.request.machine:
            return
        yield from self.for_claim_removed(GROUPS_CLAIM, TOKENS[0])
        for rule in self.situation.applied.rules:
            if group in rule.suppress_groups:
                yield from self.unsuppressed(rule.row, "suppress_groups", group)
        if group not in self.request.groups:
            yield from self.for_addition()
            yield one(REQUEST, "groups", "add", group, "the user is not in this group of the pool")
            for rule in self.bundle.rules:
                if group in rule.add_groups:
                    yield from self.for_rule(rule.row, f"rule {_rule_name(rule.row)} adds it; ", apply=True)

    # Claims.

    def for_claim(self, name: str, token: Token) -> Iterator[Plan]:
        """A claim: that there is the token, nothing removes the claim, its value is known, and a row sets it."""
        if not self.situation.tokens[TOKENS.index(token)]:
            if not self.request.machine:
                why = "there is no ID token, because the request does not ask for openid"
                yield one(REQUEST, "scopes", "add", "openid", why)
            return
        if token == TOKENS[0]:
            yield from self.for_addition()
        yield from self.for_claim_removed(name, token)
        yield from self.for_value(name, token)
        meaning = next((key for key, own in self.bundle.settings.claim_names.items() if own == name), None)
        if meaning is not None:
            yield from self.for_built_in(meaning)
        elif name == GROUPS_CLAIM:
            yield from self.for_any_group()
        elif name == "aud" and token == TOKENS[0]:
            why = "the client does not have audience: true"
            yield one(self.subject.client_row, "audience", "set", value=True, why=why)
        elif refused_name(token, name) is None:
            yield from self.for_setter(name, token)

    def for_claim_removed(self, name: str, token: Token) -> Iterator[Plan]:
        """What keeps a claim that is suppressed or left out."""
        for reason in self.against(name, token, "suppressed"):
            if reason.source != SETTINGS_ROW:
                yield from self.unsuppressed(reason.source, f"suppress_{token}_claims", name)
        if any(True for _ in self.against(name, token, "shed")):
            yield from self.tenants.lengthening(
                f"it is left out, because the {token} token would be longer than token_budget"
            )

    def for_value(self, name: str, token: Token) -> Iterator[Plan]:
        """What lets a value be worked out that reads what is not there."""
        for reason in self.against(name, token, "dropped"):
            written = self.row(reason.source).get(f"{token}_claims", {}).get(name)
            form = form_of(written)
            if form is None:
                continue
            paths = [written["from"]] if "from" in written else []
            if isinstance(written.get("template"), str):
                paths = [path for _, path in template_parts(written["template"]) if path is not None]
            truth = self.truth()
            ways = [tuple(truth.there(path, f"{named(reason.source)} sets it; ")) for path in dict.fromkeys(paths)]
            yield tuple(change for way in ways if way for change in way[0])

    def for_built_in(self, meaning: str) -> Iterator[Plan]:
        """A claim that only the engine sets."""
        tenant = self.subject.tenant
        if meaning == "tenant_name" and tenant is not None and not tenant.name:
            yield one(self.subject.tenant_row, "name", "set", ANY_TEXT, "the tenant has no name")
        if meaning in ("tenant_id", "tenant_name") and tenant is None:
            for name in self.tenants.memberships():
                yield from self.tenants.choosing(name, "")
        if meaning == "roles":
            for name in sorted(self.bundle.roles):
                yield from self.roles.assigning(name, "no role is assigned; ")

    def for_any_group(self) -> Iterator[Plan]:
        """The claim with the groups."""
        for group in sorted(self.bundle.groups) or ["any"]:
            if group not in self.request.groups:
                yield one(REQUEST, "groups", "add", group, "the user is in no group of the pool")

    def for_setter(self, name: str, token: Token) -> Iterator[Plan]:
        """What makes a row apply that sets a claim."""
        attribute = f"{token}_claims"
        for role, entry in self.document["roles"].items():
            if name in entry.get(attribute, {}):
                yield from self.roles.assigning(role, f"role {role} sets it; ")
        for rule in self.document.get("rules", ()):
            if name in rule.get(attribute, {}):
                row = f"{table.POLICY} {table.RULE}{rule['id']}"
                yield from self.for_rule(row, f"rule {rule['id']} sets it; ", apply=True)
        for other, *rows in self.tenants.others():
            if any(name in _keys(row.get(attribute)) | _keys(row.get("claims")) for row in rows):
                yield from self.tenants.choosing(other, f"tenant {other} has it; ")
        if token == TOKENS[1] and (name in STANDARD or name.startswith("custom:")):
            why = f"the user has no attribute {name}"
            yield one(REQUEST, "attributes", "set", ANY_TEXT, why, name)

    # Rules.

    def for_rule(self, row: str, because: str, *, apply: bool) -> Iterator[Plan]:
        """What makes a rule apply, or not."""
        condition = self.policy.conditions.get(row)
        if condition is None:
            return
        truth = self.truth()
        yield from truth.ways(condition, because, hold=apply)
        if apply:
            leaves = ", ".join(truth.against(condition, hold=True)[:_LEAVES])
            yield one(row, "when", "delete", None, f"{because}its condition is false ({leaves})")

    def unsuppressed(self, row: str, attribute: str, name: str) -> Iterator[Plan]:
        """What keeps something that a rule or the client suppresses."""
        why = f"{named(row)} has it in {attribute}"
        yield one(row, attribute, "remove", name, why)
        if f"{table.POLICY} {table.RULE}" in row:
            yield from self.for_rule(row, f"{why}; ", apply=False)

    def truth(self) -> Truth:
        """What brings conditions about."""
        outcome = self.situation.outcome
        context = self.subject.context(outcome.roles if isinstance(outcome, Decision) else ())
        return Truth(self.situation, context, self.roles)

    # What is there.

    def against(self, name: str, token: Token, outcome: str) -> Iterator[Reason]:
        """The reasons with this outcome for a claim."""
        return (
            reason
            for reason in self.situation.outcome.reasons
            if reason.kind == "claim" and reason.name == name and reason.token == token and reason.outcome == outcome
        )

    def row(self, key: str) -> Mapping[str, Any]:
        """A role, client or rule, as the document has it."""
        sk = key.removeprefix(f"{table.POLICY} ")
        for prefix, section in ((table.ROLE, "roles"), (table.CLIENT, "clients")):
            if sk.startswith(prefix):
                found: Mapping[str, Any] = self.document[section].get(sk.removeprefix(prefix), {})
                return found
        rules = (rule for rule in self.document.get("rules", ()) if f"{table.RULE}{rule['id']}" == sk)
        return next(rules, {})


def named(row: str) -> str:
    """A row of the policy in words: ``rule plan``."""
    sk = row.removeprefix(f"{table.POLICY} ")
    kind, _, name = sk.partition("#")
    return f"{kind.lower()} {name}" if name else row


def _rule_name(row: str) -> str:
    return row.removeprefix(f"{table.POLICY} {table.RULE}")


def _keys(value: object) -> set[str]:
    return set(value) if isinstance(value, dict) else set()


def similar(name: str, known: Iterable[str]) -> str:
    """A question in brackets, for a name that is perhaps a misspelt one."""
    close = get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {close[0]}?)" if close and close[0] != name else ""
