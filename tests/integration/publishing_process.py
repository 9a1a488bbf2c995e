"""What the processes of ``test_publish_processes`` do; preloaded once, so that each of them starts in no time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config

from claimsmith.errors import OperationError
from claimsmith.policy import Draft, from_rows
from claimsmith.service.publish import apply, publish
from claimsmith.service.versions import promote, resume, rollback, stage
from claimsmith.store import bundles
from claimsmith.store.dynamodb import Table
from tests.conftest import REGION, TABLE
from tests.policies import policy_rows

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: More roles than one transaction writes: a process that is killed between two leaves a half-written draft.
ROLES = 105

#: The row that is edited by hand.
EDITED = "GROUP#edited"

#: No request is repeated when it is slow: a repeated write would not be the one whose outcome is recorded.
_ONCE = Config(connect_timeout=240, read_timeout=240, retries={"total_max_attempts": 1})

_CREDENTIALS = {"aws_access_key_id": "invented", "aws_secret_access_key": "invented"}
_SESSION = botocore.session.get_session()
_SESSION.create_client("dynamodb", region_name=REGION, **_CREDENTIALS)  # reads what the next ones then have in memory


def whole(tag: str, roles: int = ROLES) -> Draft:
    """A policy in which every role has the same scope, so that a mixture of two is easy to see."""
    return from_rows(policy_rows(roles={f"r{number:03d}": {"scopes": [f"is/{tag}"]} for number in range(roles)}))


def work(endpoint_url: str, what: str, tag: str, connection: Connection) -> None:
    """Do one thing and report the outcome: a result and a version, or the code of an error."""
    client = _SESSION.create_client(
        "dynamodb", region_name=REGION, endpoint_url=endpoint_url, config=_ONCE, **_CREDENTIALS
    )
    try:
        connection.send(("done", _done(Table(client, TABLE), what, tag)))
    except OperationError as error:
        connection.send(("refused", error.code))


def _done(rows: Table, what: str, tag: str) -> Any:  # noqa: ANN401 - what each thing returns
    match what:
        case "apply":
            outcome = apply(rows, whole(tag), by=tag, take_over=False)
        case "take over":
            outcome = apply(rows, whole(tag), by=tag, take_over=True)
        case "edit":
            # By hand, and what the stream does right after it.
            rows.put({"pk": "POLICY", "sk": EDITED, "roles": [f"r{ord(tag):03d}"]})
            outcome = publish(rows, by="stream")
        case "publish":
            outcome = publish(rows, by="stream")
        case "resume":
            outcome = resume(rows, by="admin")
        case "promote":
            outcome = promote(rows, None, by="admin")
        case "rollback":
            return rollback(rows, _earlier(rows), by="admin").version
        case "stage":
            return stage(rows, _earlier(rows), percent=50, by="admin").version
        case _:
            raise ValueError(what)
    return outcome.result, outcome.version


def _earlier(rows: Table) -> int:
    newest = bundles.newest(rows)
    return 1 if newest is None else max(1, newest.number - 1)
