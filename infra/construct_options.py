"""Options of a stage that are the props of a construct, each a table of its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from claimsmith_cdk.capacity import Capacity
from claimsmith_cdk.discovery import DiscoveryProps, check_address
from claimsmith_cdk.releases import Shift
from claimsmith_cdk.sign_in_probe import NAME, ProbeProps
from infra.options import Options

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReleaseOptions(Options):
    """How trigger and verifiers are released (``Releases``)."""

    shift: Shift | None = None
    prepare: bool = False


class ProbeOptions(Options):
    """What the probe does (``ProbeProps``)."""

    minutes: int = ProbeProps().minutes
    expects: dict[str, str | list[str]] = {"tenant_id": NAME}  # noqa: RUF012 - pydantic copies it

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.props  # noqa: B018 - refuses what is not possible
        return self

    @property
    def props(self) -> ProbeProps:
        """The same for a construct.

        Raises:
            PropsError: it is not possible.
        """
        return ProbeProps(minutes=self.minutes, expects=self.expects)


class SignOutOptions(Options):
    """Whose sign-outs in the user pool reach verifiers (``PoolSignOuts``)."""

    revoke_token: bool = False


class DiscoveryOptions(Options):
    """What documents say (``DiscoveryProps``).

    Attributes:
        resource_metadata: the address of the REST API's metadata, which its 401 names.
    """

    introspection_endpoint: str | None = None
    authorization_servers: Annotated[tuple[str, ...], Field(strict=False)] = ()
    scopes_supported: bool = True
    resource_metadata: str | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.props({}, ())
        if self.resource_metadata is not None:
            check_address("resource_metadata", self.resource_metadata)
        return self

    def props(self, logins: Mapping[str, str], token_from: tuple[str, ...]) -> DiscoveryProps:
        """The same for a construct.

        Args:
            logins: the address of each pool's domain, by the pool's id.
            token_from: as of the authorizer.

        Raises:
            PropsError: it is not possible.
        """
        return DiscoveryProps(
            logins=logins,
            introspection_endpoint=self.introspection_endpoint,
            authorization_servers=self.authorization_servers,
            scopes_supported=self.scopes_supported,
            token_from=token_from,
        )


class CapacityOptions(Options):
    """What a function gets of Lambda (``Capacity``)."""

    memory_mib: int = Capacity().memory_mib
    reserved_concurrency: int | None = None
    provisioned_concurrency: int | None = None
    snap_start: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.props  # noqa: B018 - refuses what is not possible
        return self

    @property
    def props(self) -> Capacity:
        """The same for a construct.

        Raises:
            PropsError: it is not possible.
        """
        return Capacity(**self.model_dump())
