"""The app clients whose tokens verifiers accept: those of the policy in force, and those that the deployment lists.

Cognito makes the ids of clients, and nobody can choose one, so an id is of one pool. An issuer that is no user pool
could choose any; so where several issuers are allowed, it has only the clients that are said to be its own (ADR 34).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from claimsmith.cognito.identifiers import pool_issuers, pool_of
from claimsmith.verifier import ANY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from claimsmith.engine.bundle import Bundle
    from claimsmith.unchecked import Unchecked


def accepted_clients(
    bundle: Bundle, listed: Iterable[tuple[str, str | None]], issuers: Iterable[str]
) -> dict[str, frozenset[str]]:
    """The clients of each issuer; a client that is said to be of some pool is of no other.

    Args:
        bundle: the policy in force.
        listed: further clients, each with the id of its user pool if that is known.
        issuers: the allowed issuers.
    """
    pools: defaultdict[str, set[str]] = defaultdict(set)
    for client_id, pool_id in [*((name, client.user_pool) for name, client in bundle.clients.items()), *listed]:
        pools[client_id].update(() if pool_id is None else (pool_id,))
    unpaired = frozenset(client_id for client_id, of in pools.items() if not of)
    allowed = tuple(issuers)
    return {
        issuer: frozenset(client_id for client_id, of in pools.items() if pool_of(issuer) in of)
        | (unpaired if _may_be_unpaired(issuer, allowed) else frozenset())
        for issuer in allowed
    }


def any_client(accepted: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str] | Unchecked]:
    """Any client of each issuer, as far as its id cannot have been chosen.

    Args:
        accepted: as ``accepted_clients`` returns it.
    """
    return {issuer: ANY if _may_be_unpaired(issuer, accepted) else own for issuer, own in accepted.items()}


def _may_be_unpaired(issuer: str, allowed: Iterable[str]) -> bool:
    return pool_issuers(issuer) is not None or {*allowed} == {issuer}
