"""The app of `docs/how-to/cdk.md` as a stranger has it: from the built wheels alone, with no `uv` to build anything."""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo import aws
from demo.cdk import ASSET_BUCKET
from tests.e2e.conftest import InProcess, Person, never_time_out

if TYPE_CHECKING:
    from demo.emulator import Emulator

ROOT = Path(__file__).parents[2]
PYPI_LIMIT = 100_000_000
POLICY = "settings: {cache_seconds: 0}\nroles: {editor: {access_claims: {approval_limit: 1000}}}\n"


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the app synthesises: a fresh environment has the two wheels, and borrows what they depend on."""
    folder = tmp_path_factory.mktemp("stranger")
    arch = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    build = (sys.executable, "scripts/wheels.py", "--arch", arch, "--python", python, "--out-dir", folder)
    subprocess.run(build, cwd=ROOT, check=True, timeout=600)
    uv = Path(sysconfig.get_path("scripts"), "uv")
    environment = folder / "venv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True, timeout=600)
    (packages,) = environment.glob("lib/python*/site-packages")
    # A path in a .pth file is not searched for .pth files itself: the editable packages of this project stay out.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    wheels = map(str, folder.glob("*.whl"))
    # The build measures whole wheels; with both processors one has, at most, twice as much.
    assert 2 * sum(wheel.stat().st_size for wheel in folder.glob("claimsmith_cdk-*.whl")) < PYPI_LIMIT
    install = [str(uv), "pip", "install", "-q", "--offline", "--no-deps", "--python", str(environment), *wheels]
    subprocess.run(install, check=True, timeout=600)
    page = (ROOT / "docs/how-to/cdk.md").read_text(encoding="utf-8")
    (app,) = re.findall(r"```python\n(from aws_cdk import App.*?)```", page, re.DOTALL)
    assert "hosting = Hosting()\n" in app
    app = app.replace("Hosting()", f"Hosting(arch={arch!r}, python={python!r}, retain=False)")
    (folder / "app.py").write_text(app)
    node = shutil.which("node")
    assert node is not None
    home = {name: value for name, value in os.environ.items() if name in {"HOME", "TMPDIR"}}
    subprocess.run(
        [environment / "bin/python", "app.py"],
        cwd=folder,
        env={
            **home,
            "PATH": f"{Path(node).parent}:/usr/bin:/bin",
            "CDK_OUTDIR": str(folder / "cdk.out"),
            "CDK_VALIDATION": "false",  # of templates; tests/infra has it
        },
        check=True,
        timeout=600,
    )
    return folder / "cdk.out"


@pytest.fixture
def own_app(assembly: Path, bootstrapped: Emulator) -> InProcess:
    """It, deployed."""
    running = bootstrapped
    bucket: Any = aws.client("s3", running.endpoint)
    for file in json.loads((assembly / "Shop.assets.json").read_text())["files"].values():
        assert file["source"]["packaging"] == "file", "the functions' code is packed already"
        (place,) = file["destinations"].values()
        content = (assembly / file["source"]["path"]).read_bytes()
        if file["source"]["path"] == "Shop.template.json":
            content = _without_metric_math(content)
            template = f"{running.endpoint}/{ASSET_BUCKET}/{place['objectKey']}"
        bucket.put_object(Bucket=ASSET_BUCKET, Key=place["objectKey"], Body=content)
    formation: Any = aws.client("cloudformation", running.endpoint)
    formation.create_stack(StackName="Shop", TemplateURL=template, Capabilities=["CAPABILITY_IAM"])
    formation.get_waiter("stack_create_complete").wait(StackName="Shop", WaiterConfig={"Delay": 1, "MaxAttempts": 240})
    never_time_out(running.endpoint)
    (stack,) = formation.describe_stacks(StackName="Shop")["Stacks"]
    own = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    names = {"UserPoolId": "UserPool", "PublicClientId": "Client", "TableName": "Rows", "AuditTableName": "Audit"}
    trigger = next(
        resource["PhysicalResourceId"]
        for resource in formation.describe_stack_resources(StackName="Shop")["StackResources"]
        if resource["LogicalResourceId"].startswith("ClaimsTriggerFunction")
    )
    outputs = {name: own[output] for name, output in names.items()}
    apis = dict.fromkeys(("HttpApiId", "RestApiId", "RestApiUrl"), "")  # it has none of the sample's
    return InProcess(running.endpoint, {**outputs, **apis, "TriggerName": trigger})


def _without_metric_math(template: bytes) -> bytes:
    """Without the alarms on several metrics: the emulator's CloudFormation fails at the first."""
    document = json.loads(template)
    kept = {name: each for name, each in document["Resources"].items() if "Metrics" not in each.get("Properties", ())}
    assert len(kept) < len(document["Resources"])
    return json.dumps({**document, "Resources": kept}).encode()


def test_a_strangers_app_signs_in_with_claims(own_app: InProcess, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    assert own_app.cli("apply", str(policy), "--yes").code == 0
    password = f"{secrets.token_urlsafe(18)}-aA1"
    person = Person(own_app, "alice", own_app.pool.put_user("alice", "alice@example.com", password), password)
    own_app.put_item({"pk": {"S": "TENANT#acme"}, "sk": {"S": "TENANT"}, "name": {"S": "Acme Ltd"}})
    person.join("acme", "editor")
    access, _ = person.claims(person.sign_in())
    assert (access["tenant_id"], access["roles"], access["approval_limit"]) == ("acme", ["editor"], 1000)
    metrics = [json.loads(line) for line in own_app.log(own_app.outputs["TriggerName"]) if '"Issued"' in line]
    assert {(entry["service"], entry["deployment"]) for entry in metrics} == {("pre_token", "Shop")}
