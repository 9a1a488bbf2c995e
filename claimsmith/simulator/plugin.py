"""The pytest plug-in: the fixture ``claimsmith_pool``."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.errors import ConfigurationError, PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from claimsmith.simulator.pool import PolicyPool

#: What a policy is read with (extra ``policy``).
_NEEDED = ("pydantic", "yaml")


@pytest.fixture
def claimsmith_pool(request: pytest.FixtureRequest) -> Callable[..., PolicyPool]:
    """Make a user pool in memory whose tokens a policy file decides: ``claimsmith_pool(policy="policy.yaml", …)``.

    It takes the arguments of ``PolicyPool``. A relative path begins at pytest's root folder. Each call makes another
    pool, with an issuer and keys of its own.
    """
    numbers = count(1)

    def make(policy: str | PathLike[str], **given: Any) -> PolicyPool:  # noqa: ANN401 - the arguments of PolicyPool
        __tracebackhide__ = True
        pool_class = _pool_class()
        path = request.config.rootpath / policy
        given.setdefault("pool_id", f"eu-central-1_Claimsmith{next(numbers)}")
        try:
            return pool_class(path, **given)
        except PolicyError as refused:
            findings = [str(finding) for finding in refused.findings] or [str(refused)]
        # Outside the handler, so that pytest shows the findings and nothing else.
        pytest.fail("\n  ".join([f"The policy {path} is refused:", *findings]), pytrace=False)

    return make


def _pool_class() -> type[PolicyPool]:
    """Import late: pytest loads this module in every run, and few runs need a policy."""
    __tracebackhide__ = True
    try:
        from claimsmith.simulator.pool import PolicyPool  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _NEEDED:
            raise
        raise ConfigurationError(
            f"{missing.name} is not installed, and a policy cannot be read. Install 'claimsmith[policy,testing]'."
        ) from missing
    return PolicyPool
