"""The app clients of a simulated pool: those of the policy, those that a test describes, and which one is meant."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.language import ALWAYS_UNMANAGED
from claimsmith.errors import ConfigurationError
from claimsmith.simulator.directory import check_names
from claimsmith.testing import AppClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from claimsmith.engine.bundle import Bundle
    from claimsmith.testing import CognitoKit

MACHINE_FLOW: Final = "client_credentials"

#: The app client of a policy that names none for users.
DEFAULT: Final = "app"

#: What a test may say of a client.
_SETTINGS: Final = tuple(field.name for field in fields(AppClient) if field.name != "id")


class Clients:
    """App clients in a pool.

    Attributes:
        settings: by client id, as ``CognitoKit.add_client`` takes them; what is left out has a default.
    """

    def __init__(self, kit: CognitoKit, bundle: Bundle, given: dict[str, dict[str, Any]]) -> None:
        """The policy's clients, and these.

        Args:
            kit: the pool.
            bundle: the policy.
            given: settings by client id.
        """
        self.settings: dict[str, dict[str, Any]] = {**{client_id: {} for client_id in bundle.clients}, **given}
        self._kit = kit
        self._bundle = bundle

    def fill(self, scopes: Iterable[str]) -> None:
        """Bring the pool up to date with the settings. By default a client may request every scope there is.

        Args:
            scopes: further scopes than those of the policy.

        Raises:
            ConfigurationError: a setting is unknown.
        """
        custom = {*_scopes(self._bundle), *scopes} - ALWAYS_UNMANAGED
        machines = {client_id for client_id, client in self._bundle.clients.items() if client.roles}
        for client_id, settings in self.settings.items():
            check_names(f"clients[{client_id!r}]", settings, _SETTINGS)
            flows = settings.get("flows", (MACHINE_FLOW,) if client_id in machines else ())
            defaults: dict[str, Any] = {"scopes": sorted(custom | ALWAYS_UNMANAGED)}
            if MACHINE_FLOW in flows:
                defaults = {"scopes": sorted(custom), "flows": flows, "secret": "invented"}
            self._kit.add_client(client_id, **{**defaults, **settings})
        if not self._ids(machine=False):
            self._kit.add_client(DEFAULT, scopes=sorted(custom | ALWAYS_UNMANAGED))

    def choose(self, client: str | None, *, machine: bool) -> str:
        """Return the id of the client that is meant.

        Args:
            client: its id, or its name in the policy; None means the only one.
            machine: of its kind.

        Raises:
            ConfigurationError: it is unknown, or there are several.
        """
        if client is not None:
            named = [name for name, row in self._bundle.clients.items() if row.name == client]
            found = [client] if client in self._kit.clients else named
            if len(found) == 1:
                return found[0]
            what = "is no app client" if not found else f"is the name of several app clients ({', '.join(found)})"
            raise ConfigurationError(f"{client} {what}. Use one of these ids: {', '.join(self._kit.clients)}.")
        ids = self._ids(machine=machine)
        if len(ids) == 1:
            return ids[0]
        kind = "machines" if machine else "users"
        if ids:
            raise ConfigurationError(f"There are several app clients for {kind}. Choose one: {', '.join(ids)}.")
        example = f'{{"ID": {{"flows": ["{MACHINE_FLOW}"]}}}}'
        raise ConfigurationError(f"There is no app client for {kind}. Add one to clients: {example}.")

    def _ids(self, *, machine: bool) -> list[str]:
        return [client.id for client in self._kit.clients.values() if (MACHINE_FLOW in client.flows) is machine]


def _scopes(bundle: Bundle) -> Iterator[str]:
    """Yield every scope that a policy names."""
    yield from bundle.scopes
    yield from (scope for scope in bundle.settings.unmanaged_scopes if not scope.endswith("*"))
    for client in bundle.clients.values():
        yield from client.scopes_allowed or ()
    for route in bundle.routes.values():
        yield from (*route.get("any_scope", ()), *route.get("all_scopes", ()))
