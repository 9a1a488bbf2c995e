"""Looks whether a synthetic user, in a tenant of its own, gets the claims that it should.

``handler`` signs in through the pool, on a schedule: by whatever the pool calls now. ``before_traffic`` is CodeDeploy's
hook: it gives the event of the same user to a version that nobody calls yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.environment import ProbeEnvironment
from claimsmith.errors import ClaimsmithError, Code
from claimsmith.store.synthetic_user import SyntheticUser
from claimsmith.verifier import ANY, Verifier
from lambdas.telemetry import count, describe_bug, logger, metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def handler(_event: object, _context: object) -> dict[str, Any]:
    """Sign in, verify the token, and compare."""
    return _probe(lambda user, environment: _verified(user.access_token(), environment))


def before_traffic(event: Mapping[str, str], _context: object) -> dict[str, Any]:
    """Ask the version that is to get traffic, and tell CodeDeploy."""
    found = _probe(lambda user, environment: _claims(user.answer(environment.version)))
    environment = ProbeEnvironment.read()
    SyntheticUser(environment.user_pool_id, environment.client_id, environment.secret).tell(event, fine=found["fine"])
    return found


def wrong(claims: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """The names of expected claims that are not as expected.

    Args:
        claims: of an access token.
        expected: a value for each name; a list: what must be among several, also in a text with spaces (``scope``).
    """
    found = []
    for name, value in expected.items():
        actual = claims.get(name)
        if isinstance(value, list):
            among = actual.split() if isinstance(actual, str) else actual or ()
            fine = all(each in among for each in value)
        else:
            fine = actual == value
        if not fine:
            found.append(name)
    return found


def _probe(look: Callable[[SyntheticUser, ProbeEnvironment], Mapping[str, Any]]) -> dict[str, Any]:
    """Look, compare, log and count; names and codes only."""
    answer: dict[str, Any] = {"fine": False}
    try:
        environment = ProbeEnvironment.read()
        user = SyntheticUser(environment.user_pool_id, environment.client_id, environment.secret)
        answer["wrong"] = wrong(look(user, environment), environment.expects)
        answer["fine"] = not answer["wrong"]
        if answer["wrong"]:
            answer["code"] = Code.PROBE_DIFFERS
            logger.error("the synthetic user's claims are not as expected", extra=answer)
        else:
            logger.info("the synthetic user's claims are as expected")
    except ClaimsmithError as error:
        answer["code"] = error.code
        logger.error("the synthetic user got no token", extra={"code": error.code, "why": error.message})
    except Exception as error:  # noqa: BLE001 - CodeDeploy would wait for an hour
        answer["code"] = Code.INTERNAL
        logger.error("the probe failed because of a bug", extra={"code": Code.INTERNAL, **describe_bug(error)})
    count("ProbeSucceeded" if answer["fine"] else "ProbeFailed")
    metrics.flush_metrics()
    return answer


def _verified(token: str, environment: ProbeEnvironment) -> Mapping[str, Any]:
    """The claims of an access token, after every check of a verifier."""
    verifier = Verifier(
        issuers=environment.issuers,
        client_ids=[environment.client_id],
        token_use="access",  # noqa: S106 - a token's kind
        revocations=ANY,
        audience=ANY,
    )
    return verifier.verify(token)


def _claims(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the access token would have by the trigger's answer."""
    details = (answer.get("response") or {}).get("claimsAndScopeOverrideDetails") or {}
    changes = details.get("accessTokenGeneration") or {}
    return {**(changes.get("claimsToAddOrOverride") or {}), "scope": " ".join(changes.get("scopesToAdd") or ())}
