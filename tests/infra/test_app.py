from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from infra.config import Config
from infra.stateful_stack import StatefulStack
from infra.verifier_stack import VerifierStack
from tests.infra.template import ROOT, WITHOUT_ASSETS, cdk_app

pytestmark = pytest.mark.xdist_group("cdk")


def _run(context: dict[str, object]) -> subprocess.CompletedProcess[str]:
    """Run the app as the CDK command line does."""
    environment = {**os.environ, "CDK_CONTEXT_JSON": json.dumps(context)}
    return subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def test_a_wrong_choice_ends_in_a_sentence_and_not_in_a_traceback() -> None:
    done = _run({"setting": "prod"})
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if not line.startswith("b'")]  # jsii, about Node's version
    assert said == ["claimsmith: setting='prod' is not possible; choose one with -c setting=production|development."]


def test_a_cache_that_would_open_other_requests_ends_in_a_sentence_too() -> None:
    sources = "$request.header.Authorization,$context.routeKey,$request.header.X-Tenant"
    cached = {"authorizer_cache_seconds": "60", "authorizer_identity_sources": sources}
    done = _run({**WITHOUT_ASSETS, **cached})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = done.stderr[done.stderr.index("claimsmith: ") :]
    assert "lacks the path ($context.path), and ClaimsmithVerifier/Http/Api/GET--tenants--{tenant}--orders" in said


def test_an_attribute_that_users_write_is_not_trusted() -> None:
    done = _run({**WITHOUT_ASSETS, "trusted_attributes": "custom:unit,locale"})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("claimsmith: ")]
    assert len(said) == 3
    assert all(line.startswith("claimsmith: trusted_attributes: users can write locale: ") for line in said)


def test_the_app_runs_in_the_projects_own_environment_before_any_other() -> None:
    *assignments, program, script = shlex.split(json.loads((ROOT / "cdk.json").read_text())["app"])
    assert assignments == ["PATH=.venv/bin:$PATH"]
    assert (program, script) == ("python3", "app.py")


def test_synth_asks_nothing_of_an_account() -> None:
    app = cdk_app({})
    stateful = StatefulStack(app, "Claimsmith", config=Config())
    VerifierStack(app, "ClaimsmithVerifier", stateful=stateful, config=Config())
    assembly = app.synth()
    for name in ("Claimsmith", "ClaimsmithVerifier"):
        stack = assembly.get_stack_by_name(name)
        assert (stack.environment.account, stack.environment.region) == ("unknown-account", "unknown-region")
        assert stack.termination_protection
    assert "missing" not in json.loads(Path(assembly.directory, "manifest.json").read_text()), "a lookup"
