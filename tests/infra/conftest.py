from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.record_requests import REGION
from tests.infra.template import ROOT, Synthesised, synthesise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.template import Template


@pytest.fixture(scope="session")
def production_app() -> Iterator[Synthesised]:
    """The whole app as it is deployed by default, with the REST form of the sample, checked by cdk-nag."""
    with tempfile.TemporaryDirectory() as folder:
        yield synthesise({"rest_api": True}, checked_in=Path(folder))


@pytest.fixture(scope="session")
def development_app() -> Iterator[Synthesised]:
    """The same in the development setting."""
    with tempfile.TemporaryDirectory() as folder:
        yield synthesise({"setting": "development", "rest_api": True}, checked_in=Path(folder))


@pytest.fixture(scope="session")
def production(production_app: Synthesised) -> Template:
    return production_app.stateful


@pytest.fixture(scope="session")
def development(development_app: Synthesised) -> Template:
    return development_app.stateful


@pytest.fixture(scope="session")
def verifier(production_app: Synthesised) -> Template:
    return production_app.verifier


@pytest.fixture(scope="session")
def development_verifier(development_app: Synthesised) -> Template:
    return development_app.verifier


@pytest.fixture(scope="session")
def requests(aws_environment: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """What the functions and the personas' commands ask of AWS, from running them."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.infra.record_requests"],
        cwd=ROOT,
        env={
            **aws_environment,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "CLAIMSMITH_TABLE": "Table",
            "CLAIMSMITH_AUDIT_TABLE": "AuditTable",
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
            "POWERTOOLS_METRICS_DISABLED": "true",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    recorded: dict[str, list[dict[str, Any]]] = json.loads(done.stdout.splitlines()[-1])
    return recorded
