"""What runs at sign-in or on every API call is imported in a fresh process, and what came with it is looked at."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REGION

ROOT = Path(__file__).parents[2]

#: What no sign-in and no API call should pay for.
HEAVY = (
    "pydantic", "pydantic_core", "yaml", "boto3", "s3transfer", "aws_xray_sdk", "jwt", "jose", "joserfc", "authlib",
    "jwcrypto", "fastapi", "starlette", "typer", "rich", "hypothesis", "moto", "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.parser", "claimsmith.policy", "claimsmith.cli",
    "claimsmith.testing", "claimsmith.simulator",
)  # fmt: skip

#: What a client of botocore's cannot do without. Powertools imports its first module, which is small.
BOTOCORE = ("botocore.session", "botocore.auth", "urllib3", "claimsmith.store.dynamodb")

TYPING_NAMED_TUPLE = re.compile(r"^\s*from typing import .*\bNamedTuple\b", re.MULTILINE)

LIGHT_OF = {
    "lambdas.pre_token.handler": (*BOTOCORE, "cryptography", "claimsmith.verifier"),
    "lambdas.verifier.authorizer": (*BOTOCORE, "claimsmith.verifier.introspection"),
    "lambdas.verifier.introspection": (*BOTOCORE, "claimsmith.verifier.authorizer", "claimsmith.verifier.gateway"),
    "claimsmith.engine": ("botocore", "cryptography", "claimsmith.store", "aws_lambda_powertools"),
    "claimsmith.verifier": ("botocore", "claimsmith.store", "aws_lambda_powertools"),
}


def modules_after(statement: str, environment: dict[str, str]) -> set[str]:
    """What is imported in a fresh process after a statement."""
    program = f"{statement}\nimport sys; sys.stderr.write(' '.join(sys.modules))"
    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return set(process.stderr.split())


@pytest.fixture
def environment(aws_environment: dict[str, str]) -> dict[str, str]:
    return {
        **aws_environment,
        "CLAIMSMITH_TABLE": "claimsmith",
        "CLAIMSMITH_ISSUERS": f"https://cognito-idp.{REGION}.amazonaws.com/{REGION}_aBcDeFgHi",
        "CLAIMSMITH_CLIENT_IDS": "1example23456789",
        # Nothing listens here, so that a handler that reads at start learns at once that it cannot.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }


@pytest.mark.parametrize("module", LIGHT_OF)
def test_what_runs_often_imports_nothing_heavy(module: str, environment: dict[str, str]) -> None:
    loaded = modules_after(f"import {module}", environment)
    assert module in loaded
    assert sorted(loaded & {*HEAVY, *LIGHT_OF[module]}) == []


def test_a_key_for_signed_answers_costs_nothing_before_somebody_asks_for_one(environment: dict[str, str]) -> None:
    signing = {"CLAIMSMITH_SIGNING_KEYS": "arn", "CLAIMSMITH_SIGNING_ISSUER": "https://api.example.com"}
    loaded = modules_after("import lambdas.verifier.introspection", environment | signing)
    assert "claimsmith.verifier.signed_answers" in loaded
    assert sorted(loaded & {*HEAVY, *BOTOCORE}) == []


@pytest.mark.parametrize("folder", ["claimsmith", "lambdas"])
def test_named_tuples_are_those_that_are_made_fast(folder: str) -> None:
    made = {path.name for path in (ROOT / folder).rglob("*.py") if TYPING_NAMED_TUPLE.search(path.read_text("utf-8"))}
    assert made <= {"named_tuple.py"}


def test_the_check_would_find_a_heavy_import(environment: dict[str, str]) -> None:
    assert {"pydantic", "yaml"} <= modules_after("import claimsmith.policy", environment)
