from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli_w

from app import main
from infra.stateful_stack import StatefulStack
from infra.verifier_stack import VerifierStack
from tests.infra.template import PRODUCTION, ROOT, WITHOUT_ASSETS, cdk_app, config

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stages")


def _stage(folder: Path, options: Mapping[str, object]) -> dict[str, object]:
    """The context that names a stage with these options."""
    stage = folder / "test.toml"
    stage.write_text(tomli_w.dumps(options), encoding="utf-8")
    return {"stage": str(stage)}


def _run(folder: Path, options: Mapping[str, object]) -> tuple[int, list[str]]:
    """Run the app as the CDK command line does; its exit code and what it says."""
    given = {**WITHOUT_ASSETS, **_stage(folder, options)}
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={
            **os.environ,
            "CDK_CONTEXT_JSON": json.dumps(given),
            "CDK_OUTDIR": str(folder / "cdk.out"),
            "CDK_VALIDATION": "false",  # tests/infra/conftest.py has it validate these templates
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "Traceback" not in done.stderr
    said = done.stderr.splitlines()
    return done.returncode, [line.removeprefix("claimsmith: ") for line in said if line.startswith("claimsmith: ")]


def _refusal(folder: Path, options: Mapping[str, object]) -> list[str]:
    """What the app says when it ends, run in this process, where the CDK has started already."""
    with pytest.raises(SystemExit) as ended:
        main(cdk_app(_stage(folder, options), folder / "cdk.out"))
    return [line.removeprefix("claimsmith: ") for line in str(ended.value.code).splitlines()]


def test_a_wrong_choice_ends_in_a_sentence_and_not_in_a_traceback(folder: Path) -> None:
    code, said = _run(folder, {"setting": "prod"})
    assert (code, said) == (
        1,
        [f"{folder / 'test.toml'}: setting: Input should be 'production' or 'development'."],
    )


def test_an_attribute_that_users_write_is_not_trusted(folder: Path) -> None:
    said = _refusal(folder, {"setting": "development", "trusted_attributes": ["custom:unit", "locale"]})
    assert len(said) == 3
    assert all(line.startswith("trusted_attributes: users can write locale: ") for line in said)


def test_what_production_has_is_kept_and_never_lowered_or_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = _run(folder, PRODUCTION)
    snapshot = folder / "test.snapshot.json"
    assert (code, said) == (
        0,
        [f"{snapshot} is new or has changed: commit it. Later deployments are compared with it."],
    )
    written = snapshot.read_bytes()
    main(cdk_app(_stage(folder, {**PRODUCTION, "stack_suffix": "-test"})))  # the suffix that it has by default
    assert "claimsmith: " not in capsys.readouterr().err
    sources = ["$request.header.Authorization", "$context.routeKey", "$request.header.X-Tenant"]
    cached = {"authorizer_cache_seconds": 60, "authorizer_identity_sources": sources}
    said = _refusal(folder, {**PRODUCTION, **cached})
    assert "lacks the path ($context.path), and ClaimsmithVerifier/Http/Api/GET--tenants--{tenant}--orders" in said[0]
    said = _refusal(folder, {"setting": "development", "domain": "none", "stack_suffix": "-other"})
    for expected in (
        "Claimsmith would lose its termination protection.",
        "would be a second stack: StackName changes from Claimsmith-test to Claimsmith-other;",
        "(AWS::Cognito::UserPoolDomain) would be removed.",
        'would be less protected: DeletionProtection changes from "ACTIVE" to "INACTIVE".',
        "would be less protected: DeletionProtectionEnabled changes from true to false.",
        "would be less protected: PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled changes from true to",
        "would be less protected: RetentionInDays changes from 365 to 7.",
        "would be deleted with the stack: DeletionPolicy changes from RetainExceptOnCreate to Delete.",
        "Nothing was deployed.",
    ):
        assert any(expected in line for line in said), expected
    assert snapshot.read_bytes() == written


def test_the_app_runs_in_the_projects_own_environment_before_any_other() -> None:
    *assignments, program, script = shlex.split(json.loads((ROOT / "cdk.json").read_text())["app"])
    assert assignments == ["PATH=.venv/bin:$PATH"]
    assert (program, script) == ("python3", "app.py")


def test_synth_asks_nothing_of_an_account() -> None:
    app = cdk_app({})
    stateful = StatefulStack(app, "Claimsmith", config=config())
    VerifierStack(app, "ClaimsmithVerifier", stateful=stateful, config=config())
    assembly = app.synth()
    for name in ("Claimsmith", "ClaimsmithVerifier"):
        stack = assembly.get_stack_by_name(name)
        assert (stack.environment.account, stack.environment.region) == ("unknown-account", "unknown-region")
        assert stack.termination_protection
    assert "missing" not in json.loads(Path(assembly.directory, "manifest.json").read_text()), "a lookup"
