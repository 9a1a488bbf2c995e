from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.config import Config
from infra.stateful_stack import StatefulStack
from tests.infra.template import Template, cdk_app

if TYPE_CHECKING:
    from collections.abc import Mapping


def _synthesise(context: Mapping[str, object]) -> Template:
    app = cdk_app(context)
    StatefulStack(app, "Claimsmith", config=Config.from_context(context))
    return Template(app.synth().get_stack_by_name("Claimsmith").template)


@pytest.fixture(scope="session")
def production() -> Template:
    return _synthesise({})


@pytest.fixture(scope="session")
def development() -> Template:
    return _synthesise({"setting": "development"})
