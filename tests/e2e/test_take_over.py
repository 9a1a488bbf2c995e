"""A production stack is deleted, and a new one takes over what it left, as `docs/how-to/recover.md` says."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from demo import aws
from demo.cdk import architecture, outputs, run
from demo.emulator import ACCOUNT, REGION
from demo.local_stack import ROOT
from tests.e2e.conftest import InProcess, Person, never_time_out

if TYPE_CHECKING:
    from demo.emulator import Emulator

#: Its id in the app, and its name, which ends with the stage's.
STACK: Final = "Claimsmith"
NAME: Final = "Claimsmith-live"
POLICY: Final = "settings: {cache_seconds: 0}\nroles: {editor: {access_claims: {approval_limit: 1000}}}\n"
PAGE: Final = (ROOT / "docs" / "how-to" / "recover.md").read_text(encoding="utf-8")


class Production:
    """A production stage, with the CDK's command line."""

    def __init__(self, running: Emulator, folder: Path) -> None:
        self._running = running
        self._folder = folder
        self._environment = aws.environment(running.endpoint, Path(sysconfig.get_path("scripts")))
        self.formation: Any = aws.client("cloudformation", running.endpoint)

    def cdk(self, *arguments: str) -> None:
        run(ROOT, arguments, ROOT, self._environment, print)

    def synth(self) -> Path:
        """The assembly, without alarms on several metrics: the emulator's CloudFormation fails at the first."""
        stage = self._folder / "live.toml"
        chosen = {
            "account": ACCOUNT,
            "region": REGION,
            "callback_urls": ["https://app.example.com/callback"],
            "arch": architecture(),
            "python": self._running.python_version(),
            "dashboard": False,
        }
        stage.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in chosen.items()))
        assembly = self._folder / "cdk.out"
        self.cdk("synth", "--quiet", "--context", f"stage={stage}", "--output", str(assembly))
        template = assembly / f"{STACK}.template.json"
        document = json.loads(template.read_text())
        document["Resources"] = {
            name: each for name, each in document["Resources"].items() if "Metrics" not in each.get("Properties", ())
        }
        template.write_text(json.dumps(document))
        return assembly

    def deploy(self, assembly: Path) -> InProcess:
        written = str(self._folder / "outputs.json")
        self.cdk("deploy", STACK, "--require-approval", "never", "--outputs-file", written, "--app", str(assembly))
        never_time_out(self._running.endpoint)
        apis = dict.fromkeys(("HttpApiId", "RestApiId", "RestApiUrl"), "")  # they are the verifier's
        return InProcess(self._running.endpoint, {**outputs(self._folder), **apis})

    def delete(self) -> None:
        self.formation.update_termination_protection(StackName=NAME, EnableTerminationProtection=False)
        self.formation.delete_stack(StackName=NAME)
        self.formation.get_waiter("stack_delete_complete").wait(StackName=NAME, WaiterConfig={"Delay": 1})

    def resources(self) -> dict[str, str]:
        found = self.formation.describe_stack_resources(StackName=NAME)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}


def _mapping(physical: dict[str, str]) -> dict[str, dict[str, str]]:
    """The page's, with the resources of this deployment."""
    _, _, rest = PAGE.partition("```json\n   {\n")
    mapping: dict[str, dict[str, str]] = json.loads("{" + rest.partition("```")[0])
    return {logical: dict.fromkeys(names, physical[logical]) for logical, names in mapping.items()}


def test_pool_and_tables_serve_under_a_new_stack(bootstrapped: Emulator, tmp_path: Path) -> None:
    production = Production(bootstrapped, tmp_path)
    assembly = production.synth()
    before = production.deploy(assembly)
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    assert before.cli("apply", str(policy), "--yes").code == 0
    password = f"{secrets.token_urlsafe(18)}-aA1"
    person = Person(before, "alice", before.pool.put_user("alice", "alice@example.com", password), password)
    before.put_item({"pk": {"S": "TENANT#acme"}, "sk": {"S": "TENANT"}, "name": {"S": "Acme Ltd"}})
    person.join("acme", "editor")
    issued, _ = person.claims(person.sign_in())
    assert issued["approval_limit"] == 1000
    physical = production.resources()
    rows = before.rows(before.table)

    production.delete()
    jq = shutil.which("jq")
    if jq is None:
        pytest.skip("the page's command needs jq")
    imported = tmp_path / "import.out"
    shutil.copytree(assembly, imported)
    template = imported / f"{STACK}.template.json"
    [remove] = [line.split("'")[1] for line in PAGE.splitlines() if line.strip().startswith("jq '")]
    done = subprocess.run([jq, remove, template], check=True, capture_output=True, timeout=60)
    template.write_bytes(done.stdout)
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps(_mapping(physical)))
    production.cdk("import", STACK, "--resource-mapping", str(mapping), "--app", str(imported))
    assert production.resources() == {name: physical[name] for name in _mapping(physical)}
    after = production.deploy(assembly)

    assert (after.pool.id, after.table, after.audit_table) == (before.pool.id, before.table, before.audit_table)
    assert after.rows(after.table) == rows
    returned = Person(after, "alice", person.sub, password)
    access, _ = returned.claims(returned.sign_in())
    assert {name: access[name] for name in ("sub", "tenant_id", "roles", "approval_limit")} == {
        name: issued[name] for name in ("sub", "tenant_id", "roles", "approval_limit")
    }
    assert access["client_id"] != issued["client_id"], "app clients are new, as the page says"
