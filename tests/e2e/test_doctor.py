"""``doctor`` on the deployed app: it finds what this emulator and this policy lack, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo.local_stack import LocalStack

#: What other tests cause: rows that they write by hand, and alarms.
OF_OTHER_TESTS = {"row_unreadable", "unknown_role_in_directory", "unknown_tenant_in_directory", "alarm_raised"}


def test_a_fresh_deployment_has_the_findings_of_a_development_stack(stack: LocalStack) -> None:
    answer = stack.cli("doctor")
    found = [(each["name"], each["subject"]) for each in answer.data["findings"] if each["name"] not in OF_OTHER_TESTS]
    tables = [stack.table, stack.audit_table]
    assert sorted(found) == sorted(
        [
            # Of the development setting.
            *(("table_not_protected", table) for table in tables),
            *(("table_not_backed_up", table) for table in tables),
            # The emulator ignores this property.
            *(("table_ttl", table) for table in tables),
            # Nobody is given to the topic, and the trigger is not called for machines.
            ("alarm_unheard", stack.outputs["AlarmTopicArn"].rpartition(":")[2]),
            ("machines_not_customized", stack.outputs["MachineClientId"]),
        ]
    )
    assert answer.code == 1


def test_what_the_emulator_does_not_show_is_not_said_to_be_fine(stack: LocalStack) -> None:
    data = stack.cli("doctor").data
    not_checked = {each["check"]: each["action"] for each in data["not_checked"]}
    assert not_checked.keys() <= {"publisher_lag"}
    readers = sorted(stack.outputs[name] for name in ("AuditName", "PublisherName"))
    assert data["deployment"]["publisher"] == ", ".join(readers)
