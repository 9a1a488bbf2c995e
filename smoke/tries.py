"""How each question is tried, and whether what was seen is what is assumed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal

from smoke.probe import RefusedError, claims
from smoke.questions import QUESTIONS, Question
from smoke.template import GROUP, RESOURCE, SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smoke.probe import Probe

Outcome = Literal["as assumed", "differs", "not tried"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a question now.

    Attributes:
        seen: what happened; for what was not tried, why not and what to do by hand.
    """

    question: Question
    outcome: Outcome
    seen: str


#: Whether it is as assumed, and what was seen.
_Seen = tuple[bool, str]


def findings(probe: Probe) -> Iterator[Finding]:
    """Try every question, one after the other; none keeps the next from being tried."""
    for question in QUESTIONS:
        trial = TRIES.get(question.number)
        if trial is None:
            yield Finding(question, "not tried", question.by_hand)
            continue
        try:
            holds, seen = trial(probe)
        except RefusedError as error:
            yield Finding(question, "not tried", f"What it needs did not work: {error}")
        except Exception as error:  # noqa: BLE001 - an answer of a shape that nobody expected is a finding
            yield Finding(question, "differs", f"The answer has an unexpected shape: {type(error).__name__}: {error}")
        else:
            yield Finding(question, "as assumed" if holds else "differs", seen)


def _reserved(probe: Probe) -> _Seen:
    own = claims(probe.sign_in()["AccessToken"])
    objects = [{"a": 1}, {"b": [2]}]
    parts = []
    for name, value, expected in (
        ("sub", "somebody else", own["sub"]),
        ("aud", "https://elsewhere.example", own.get("aud")),
        ("nothing", None, None),
        ("objects", objects, objects),
    ):
        try:
            got = claims(probe.sign_in(access={name: value})["AccessToken"])
        except RefusedError as error:
            parts.append((True, f"{name}: refused ({error})"))
        else:
            # A null that arrives is not the same as none.
            holds = got.get(name) == expected and (expected is not None or name not in got)
            parts.append((holds, f"{name}: {json.dumps(got[name]) if name in got else 'not in the token'}"))
    return all(holds for holds, _ in parts), "; ".join(seen for _, seen in parts)


def _metadata_of_refresh(probe: Probe) -> _Seen:
    refresh = probe.sign_in()["RefreshToken"]
    got = claims(probe.refresh(refresh, by_initiate_auth=True, access={"carried": True})["AccessToken"])
    return "carried" not in got, "It reached the trigger." if "carried" in got else "It did not reach the trigger."


def _sources_of_refreshes(probe: Probe) -> _Seen:
    refresh = probe.sign_in()["RefreshToken"]
    by_api = claims(probe.refresh(refresh, by_initiate_auth=False)["AccessToken"])["smoke_source"]
    try:
        at_endpoint = claims(probe.refresh_at_endpoint(refresh))["smoke_source"]
    except RefusedError as error:
        at_endpoint = None
        said = f"not tried, {error}"
    else:
        said = str(at_endpoint)
    usual = {"TokenGeneration_RefreshTokens", "TokenGeneration_Authentication"}
    return {by_api, at_endpoint} <= {*usual, None}, f"GetTokensFromRefreshToken: {by_api}; token endpoint: {said}"


def _managed_login(probe: Probe) -> _Seen:
    source = claims(probe.managed_login(probe.username, ["openid", SCOPE]))["smoke_source"]
    return source in {"TokenGeneration_HostedAuth", "TokenGeneration_Authentication"}, source


def _groups(probe: Probe) -> _Seen:
    groups = "cognito:groups"
    without, null = (claims(probe.sign_in(**do)["AccessToken"]).get(groups) for do in ({}, {"groups": None}))
    return without == [GROUP] and not null, f"Without it: {without}; null: {null}"


def _sizes(probe: Probe) -> _Seen:
    accepted = []
    for kilobytes in (6, 20, 60):
        try:
            accepted.append(f"{kilobytes} kB: {len(probe.sign_in(long=kilobytes * 1000)['AccessToken'])} bytes")
        except RefusedError as error:
            accepted.append(f"{kilobytes} kB: refused ({error})")
    try:
        probe.sign_in(many=5001)
        many = "accepted"
    except RefusedError as error:
        many = f"refused ({error})"
    return "refused" not in accepted[0] and many != "accepted", "; ".join([*accepted, f"5,001 claims: {many}"])


def _user_info(probe: Probe) -> _Seen:
    answer = probe.user_info(probe.sign_in(scopes=["openid"])["AccessToken"])
    return answer.status != HTTPStatus.OK, f"Status {answer.status}"


def _bound(probe: Probe) -> _Seen:
    token = probe.managed_login(probe.bound, ["openid", f"{RESOURCE}/read"], RESOURCE)
    aud = claims(token).get("aud")
    return aud in (RESOURCE, probe.people), json.dumps(aud)


def _machine_claims(probe: Probe) -> _Seen:
    answer = probe.machine_answer([SCOPE])
    if answer.status != HTTPStatus.OK:
        raise RefusedError(f"the token endpoint answered {answer.status}: {answer.body}")
    got = claims(answer.body["access_token"])
    needed = {"exp", "iat", "jti", "sub", "client_id", "token_use", "scope"}
    extra = [name for name in ("auth_time", "version", "event_id") if name in got]
    missing = needed - got.keys()
    return (
        not missing,
        f"Of the three it has: {', '.join(extra) or 'none'}; missing: {', '.join(sorted(missing)) or 'none'}",
    )


def _machine_error(probe: Probe) -> _Seen:
    answer = probe.machine_answer([SCOPE], fail="smoke")
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    holds = answer.status == HTTPStatus.BAD_REQUEST and isinstance(error, str) and "access_token" not in answer.body
    return holds, f"Status {answer.status}: {str(answer.body)[:300]}"


def _scopes(probe: Probe) -> _Seen:
    undeclared, long = "nobody/declared-this", "smoke/" + "x" * 294
    got = claims(probe.sign_in(scopes=[undeclared, long])["AccessToken"])["scope"].split()
    said = [f"{name}: {'arrived' if scope in got else 'did not arrive'}" for name, scope in _named(undeclared, long)]
    return {undeclared, long} <= {*got}, "; ".join(said)


def _named(undeclared: str, long: str) -> tuple[tuple[str, str], ...]:
    return ("undeclared", undeclared), (f"of {len(long)} characters", long)


#: By the number of the question.
TRIES: Final[dict[int, Callable[[Any], _Seen]]] = {
    1: _reserved,
    2: _metadata_of_refresh,
    3: _sources_of_refreshes,
    4: _managed_login,
    5: _groups,
    6: _sizes,
    8: _user_info,
    9: _bound,
    10: _machine_claims,
    12: _machine_error,
    14: _scopes,
}
