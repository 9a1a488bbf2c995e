"""One pure function, ``decide``, that determines the claims of a token, with a reason for each.

::

    bundle = from_document(policy.compile(draft), version=1)
    facts = Facts(read_user(user_rows, now), {"acme": tenant})
    outcome = decide(bundle, facts, parse_event(event), now)

``tenant`` is what ``read_tenant`` returns for the row of the tenant. The engine does no input or output.
"""

from claimsmith.cognito.event import Request
from claimsmith.cognito.event import parse as parse_event
from claimsmith.cognito.response import Changes, Groups, TokenChanges
from claimsmith.engine.bundle import Bundle
from claimsmith.engine.codec import BundleError, from_document
from claimsmith.engine.decide import Decision, Refusal, decide
from claimsmith.engine.facts import (
    Facts,
    Literals,
    Membership,
    Problem,
    Tenant,
    User,
    UserFacts,
    read_tenant,
    read_user,
)
from claimsmith.engine.reasons import Reason
from claimsmith.errors import EventError

__all__ = [
    "Bundle",
    "BundleError",
    "Changes",
    "Decision",
    "EventError",
    "Facts",
    "Groups",
    "Literals",
    "Membership",
    "Problem",
    "Reason",
    "Refusal",
    "Request",
    "Tenant",
    "TokenChanges",
    "User",
    "UserFacts",
    "decide",
    "from_document",
    "parse_event",
    "read_tenant",
    "read_user",
]
