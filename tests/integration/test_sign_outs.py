"""Sign-outs in the user pool: CloudTrail's events in, revocation rows out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.errors import Code, OperationError
from claimsmith.service.sign_outs import OPERATIONS, record_sign_out
from claimsmith.store.dynamodb import Table
from tests.conftest import TABLE

if TYPE_CHECKING:
    from tests.conftest import Client

POOL = "eu-central-1_EXAMPLE"
SUB = "0d9c1c2e-1111-4222-8333-444455556666"
AT = 1_649_223_492  # 2022-04-06T05:38:12Z


def event(operation: str = "AdminDisableUser", time: str = "2022-04-06T05:38:12Z", **changes: object) -> dict[str, Any]:
    detail = {
        "eventVersion": "1.08",
        "eventTime": time,
        "eventSource": "cognito-idp.amazonaws.com",
        "eventName": operation,
        "requestParameters": {"userPoolId": POOL, "username": "HIDDEN_DUE_TO_SECURITY_REASONS"},
        "responseElements": None,
        "additionalEventData": {"sub": SUB},
        **changes,
    }
    return {"source": "aws.cognito-idp", "detail-type": "AWS API Call via CloudTrail", "detail": detail}


def revoked_at(rows: Table) -> object:
    row = rows.get(f"REVOKED#user#{SUB}", "REVOKED")
    return None if row is None else row["revoked_at"]


def test_each_operation_ends_what_was_signed_in_before_it(dynamodb: Client) -> None:
    rows = Table(dynamodb, TABLE)
    for later, operation in enumerate(sorted(OPERATIONS)):
        assert record_sign_out(rows, event(operation, f"2022-04-06T05:38:{12 + later}Z"), {POOL}, AT)
        assert revoked_at(rows) == AT + later


def test_twice_late_and_in_another_order_the_latest_stays(dynamodb: Client) -> None:
    rows = Table(dynamodb, TABLE)
    for time in ("2022-04-06T05:38:12Z", "2020-01-01T00:00:00Z", "2022-04-06T05:38:12Z"):
        record_sign_out(rows, event(time=time), {POOL}, AT)
        assert revoked_at(rows) == AT


@pytest.mark.parametrize(
    "changes",
    [
        {"errorCode": "NotAuthorizedException"},
        {"requestParameters": {"userPoolId": "eu-central-1_OTHER"}},
        {"additionalEventData": {"sub": SUB, "userPoolId": "eu-central-1_OTHER"}, "requestParameters": None},
    ],
)
def test_failed_calls_and_other_pools_end_nothing(dynamodb: Client, changes: dict[str, Any]) -> None:
    rows = Table(dynamodb, TABLE)
    assert not record_sign_out(rows, event(**changes), {POOL}, AT)
    assert revoked_at(rows) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"additionalEventData": None}, Code.SIGN_OUT_WITHOUT_USER),
        ({"additionalEventData": {"sub": ""}}, Code.SIGN_OUT_WITHOUT_USER),
        ({"additionalEventData": {"sub": f"x#{SUB}"}}, Code.SIGN_OUT_WITHOUT_USER),
        ({"eventSource": "signin.amazonaws.com"}, Code.SIGN_OUT_MALFORMED),
        ({"eventName": "AdminGetUser"}, Code.SIGN_OUT_MALFORMED),
        ({"eventTime": "2022-04-06T05:44:12Z"}, Code.SIGN_OUT_MALFORMED),
        ({"eventTime": "2022-04-06T05:38:12"}, Code.SIGN_OUT_MALFORMED),
        ({"eventTime": 1649223492}, Code.SIGN_OUT_MALFORMED),
    ],
)
def test_what_is_no_such_event_ends_nothing(dynamodb: Client, changes: dict[str, Any], code: Code) -> None:
    rows = Table(dynamodb, TABLE)
    with pytest.raises(OperationError) as refused:
        record_sign_out(rows, {**event(), "detail": {**event()["detail"], **changes}}, {POOL}, AT)
    assert refused.value.code is code
    assert revoked_at(rows) is None
