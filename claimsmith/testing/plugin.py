"""The pytest plug-in: the fixture ``cognito_kit``."""

from __future__ import annotations

import pytest

from claimsmith.testing.kit import CognitoKit


@pytest.fixture
def cognito_kit() -> CognitoKit:
    """An empty user pool without a trigger; set ``cognito_kit.trigger`` to the handler under test."""
    return CognitoKit()
