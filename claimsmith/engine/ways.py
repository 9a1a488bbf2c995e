"""The ways to get a token that can make a difference: a finite set of requests that stands for all there could be.

Which app clients, sources, scopes and client metadata are tried follows from the policies alone; which tenants a user
can ask for follows from the user's memberships. A difference that no request of the set shows would need several
literals of conditions on client metadata or requested scopes to come together. Where those are too many to try
together, or there is more than ``MAX_WAYS`` to try at all, ``Ways.cut`` says so.
"""

from __future__ import annotations

from itertools import chain, combinations, product
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.event import MACHINE_SOURCE, MANAGED_LOGIN, REFRESH, SOURCES, Request
from claimsmith.cognito.limits import ADMIN_SCOPE, CLIENT_ID, OIDC_SCOPES, SCOPE
from claimsmith.engine.language import TENANT_HINT
from claimsmith.engine.language.conditions import OPERATORS
from claimsmith.engine.language.paths import METADATA
from claimsmith.engine.reads import reads
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from claimsmith.engine.reads import Operand, Reads

    Document = Mapping[str, Any]
    Metadata = tuple[tuple[str, str], ...]

#: Ways of one kind that are tried at most, without the tenants that a user can ask for.
MAX_WAYS: Final = 400

#: Literals on requested scopes that are tried in every combination, and combinations of client metadata.
_MAX_TOGETHER: Final = 4
_MAX_METADATA: Final = 32

API_SIGN_IN: Final = "TokenGeneration_Authentication"
_DEVICE: Final = "TokenGeneration_AuthenticateDevice"
_OTHER_API: Final = ("TokenGeneration_NewPasswordChallenge", _DEVICE, REFRESH)

_API_SCOPES: Final = (ADMIN_SCOPE,)
_OPENID: Final = ("openid",)

#: Stands for every app client that neither has a row nor is named in a condition.
ANY_OTHER_CLIENT: Final = "any_other_client"

#: What no condition asks for.
_OTHER: Final = "other"


class Way(NamedTuple):
    """How tokens are asked for.

    Attributes:
        client_id: the app client; ``ANY_OTHER_CLIENT`` stands for all that the policies do not know.
        source: the trigger source.
        scopes: the requested scopes; a user's own memberships may add to them (``all_scopes``).
        metadata: client metadata.
        all_scopes: every scope there is, is requested.
        only_hinted: without a hint at a tenant, another way shows the same.
    """

    client_id: str
    source: str
    scopes: tuple[str, ...]
    metadata: Metadata = ()
    all_scopes: bool = False
    only_hinted: bool = False

    @property
    def hinted(self) -> bool:
        """Whether client metadata, and so a hint at a tenant, reaches the trigger. Managed login passes none on."""
        return self.source not in (MANAGED_LOGIN, MACHINE_SOURCE)

    @property
    def flow(self) -> str:
        """The kind of sign-in: ``machine``, ``api`` or ``managed``; a refresh is of the kind that it goes back to."""
        if self.source == MACHINE_SOURCE:
            return "machine"
        return "api" if self.scopes == _API_SCOPES else "managed"


class Ways(NamedTuple):
    """All ways that can make a difference.

    Attributes:
        users: those of users' sign-ins; each stands for all clients like its own.
        closely: the same, and those that differ only in how long the token is.
        machines: those of client credentials.
        alike: the clients that each tried client stands for, itself included; sorted.
        hint_read: a policy reads the hint at a tenant, beside following it.
        cut: what was too much to try, in words.
    """

    users: tuple[Way, ...]
    closely: tuple[Way, ...]
    machines: tuple[Way, ...]
    alike: Mapping[str, tuple[str, ...]]
    hint_read: bool
    cut: tuple[str, ...] = ()

    @property
    def known(self) -> frozenset[str]:
        """Every client that is tried, or that another stands for."""
        return frozenset(name for alike in self.alike.values() for name in alike)

    def of(self, tried: str, client_id: str, *, closely: bool = False) -> Iterator[Way]:
        """The ways at a client that is like the tried one."""
        for way in self.closely if closely else self.users:
            if way.client_id == tried:
                yield way._replace(client_id=client_id)


def ways(documents: Sequence[Document], *, only: Collection[str] | None = None) -> Ways:
    """The ways that can make a difference under any of these compiled policies.

    Args:
        documents: one to ask what tokens hold, two or more to ask what differs.
        only: try no other clients, because nothing can differ at them.
    """
    return _Finder(documents, only).ways()


class _Finder:
    """Finds the ways, given what the policies read."""

    def __init__(self, documents: Sequence[Document], only: Collection[str] | None) -> None:
        self.documents = documents
        self.only = only
        self.reads: Reads = reads(documents)
        self.cut: list[str] = []
        self.scopes = _scopes(documents)

    def ways(self) -> Ways:
        alike = self.clients()
        hint_read = METADATA + TENANT_HINT in self.reads.paths
        metadata = self.metadata()
        # What matters most comes first: a cut leaves every client with its plain sign-ins.
        users = self.kept("sign-ins", chain(*zip(*(self.plain(client) for client in alike), strict=False)))
        rest = chain(*(self.variants(client, metadata) for client in alike))
        users = self.kept("sign-ins", chain(users, rest))
        longer = (Way(client, source, _API_SCOPES) for client in alike for source in (_DEVICE, REFRESH))
        closely = tuple(dict.fromkeys(chain(users, longer)))
        machines = self.kept("machines", chain(*(self.machine(client, metadata) for client in self.machine_clients())))
        return Ways(users, closely, machines, alike, hint_read, tuple(dict.fromkeys(self.cut)))

    def kept(self, what: str, found: Iterable[Way]) -> tuple[Way, ...]:
        kept = tuple(dict.fromkeys(found))
        if len(kept) > MAX_WAYS:
            self.cut.append(f"{len(kept) - MAX_WAYS:,} of {len(kept):,} ways of {what}")
        return kept[:MAX_WAYS]

    def clients(self) -> dict[str, tuple[str, ...]]:
        """The clients that are tried, each with those that it stands for: no policy tells their users apart."""
        named = {name for document in self.documents for name in document["clients"]} | self.named_clients()
        groups: dict[str, list[str]] = {}
        # Clients with roles of their own are machines' as a rule, so examples come from the others.
        for name in (*sorted(named, key=lambda name: (self.has_roles(name), name)), ANY_OTHER_CLIENT):
            if self.only is None or name in self.only:
                groups.setdefault(self.what_users_get(name), []).append(name)
        return {names[0]: tuple(names) for names in groups.values()}

    def what_users_get(self, client: str) -> str:
        """All that can make a difference to the users of a client."""
        if "client.id" in self.reads.paths:
            return client
        unread = {"roles"} if "client.name" in self.reads.paths else {"roles", "name"}
        records = [document["clients"].get(client, {}) for document in self.documents]
        return repr([{name: value for name, value in record.items() if name not in unread} for record in records])

    def has_roles(self, client: str) -> bool:
        return any(document["clients"].get(client, {}).get("roles") for document in self.documents)

    def named_clients(self) -> set[str]:
        """Clients that conditions name."""
        return {text for text in _texts(self.reads.operands.get("client.id", ())) if CLIENT_ID.fullmatch(text)}

    def machine_clients(self) -> list[str]:
        """Every client may be a machine's; each of them is reported, so none stands for another."""
        named = {name for document in self.documents for name in document["clients"]} | self.named_clients()
        chosen = [*sorted(named), ANY_OTHER_CLIENT]
        return [name for name in chosen if self.only is None or name in self.only]

    def plain(self, client: str) -> tuple[Way, Way]:
        """A sign-in by API, and a managed login that asks for everything: all that most policies tell apart."""
        return Way(client, API_SIGN_IN, _API_SCOPES), Way(client, MANAGED_LOGIN, self.scopes, all_scopes=True)

    def variants(self, client: str, metadata: Sequence[Metadata]) -> Iterator[Way]:
        """What else can make a difference at a client. A managed login passes no client metadata on."""
        by_source = "request.source" in self.reads.paths
        api = [API_SIGN_IN]
        if by_source:
            api += _OTHER_API
        elif any(document["clients"].get(client, {}).get("audience") for document in self.documents):
            api.append(REFRESH)
        for source, given in product(api, metadata):
            yield Way(client, source, _API_SCOPES, given)
        for scopes in self.requested(client, _OPENID):
            everything = scopes == self.scopes
            yield Way(client, MANAGED_LOGIN, scopes, all_scopes=everything)
            # The refresh of a managed login can have a hint at a tenant, and other metadata.
            for given in metadata:
                yield Way(client, REFRESH, scopes, given, everything, only_hinted=not given and not by_source)

    def machine(self, client: str, metadata: Sequence[Metadata]) -> Iterator[Way]:
        """The ways to get a machine token at a client. A hint can only contradict a pin."""
        pins = {document["clients"].get(client, {}).get("tenant") for document in self.documents}
        hints: list[Metadata] = [()]
        if len(pins) > 1 or METADATA + TENANT_HINT in self.reads.paths:
            hints += [((TENANT_HINT, pin),) for pin in sorted(filter(None, pins))]
        for scopes in self.requested(client, ()):
            asked = tuple(scope for scope in scopes if scope not in OIDC_SCOPES and scope != ADMIN_SCOPE)
            for given, hint in product(metadata, hints):
                everything = scopes == self.scopes
                yield Way(
                    client, MACHINE_SOURCE, asked, tuple(sorted({**dict(given), **dict(hint)}.items())), everything
                )

    def requested(self, client: str, least: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """The sets of scopes to ask for: everything, nearly nothing, and what conditions tell apart."""
        yield self.scopes
        operands = self.reads.operands.get("request.scopes", ())
        if "request.scopes" not in self.reads.paths:
            # Where the mode is the same throughout, what is not asked for differs in nothing that asking does not show.
            modes = {_mode(document, client) for document in self.documents}
            if len(modes) > 1:
                yield least
            return
        yield least
        for operand in operands:
            if isinstance(operand.value, list) and all(isinstance(scope, str) for scope in operand.value):
                yield tuple(operand.value)
        literals = sorted({text for text in _texts(operands) if SCOPE.fullmatch(text)})
        if len(literals) > _MAX_TOGETHER:
            self.cut.append(f"combinations of the {len(literals)} scopes that conditions on request.scopes name")
            together: Iterable[tuple[str, ...]] = ((literal,) for literal in literals)
        else:
            together = chain(*(combinations(literals, size) for size in range(1, len(literals) + 1)))
        for some in together:
            yield tuple(dict.fromkeys((*least, *some)))
            yield tuple(scope for scope in self.scopes if scope not in some)

    def metadata(self) -> list[Metadata]:
        """Client metadata to send: none, and what conditions and values tell apart."""
        names = sorted(
            {path[len(METADATA) :] for path in self.reads.paths if path.startswith(METADATA)} - {TENANT_HINT}
        )
        values = [[None, *dict.fromkeys(_tried(self.reads.operands.get(METADATA + name, ())))] for name in names]
        count = 1
        for each in values:
            count *= len(each)
        if count <= _MAX_METADATA:
            together: Iterable[tuple[str | None, ...]] = product(*values)
        else:
            self.cut.append(f"combinations of the {len(names)} client metadata entries that the policy reads")
            nothing = (None,) * len(names)
            together = chain(
                (nothing,),
                ((*nothing[:at], value, *nothing[at + 1 :]) for at, each in enumerate(values) for value in each),
            )
        found = (
            tuple((name, value) for name, value in zip(names, row, strict=True) if value is not None)
            for row in together
        )
        return list(dict.fromkeys(found))


def request_of(
    way: Way,
    *,
    sub: str | None,
    username: str = "ClientCredentials",
    attributes: Mapping[str, str] | None = None,
    memberships: tuple[tuple[str, ...], tuple[str, ...], str | None] = ((), (), None),
    more_scopes: tuple[str, ...] = (),
    pool_id: str = "",
) -> Request:
    """The token request of a user, or of a machine, that asks in this way.

    Args:
        way: how.
        sub: the user; None for a machine.
        username: its name in the pool.
        attributes: its attributes, with ``sub``.
        memberships: its groups in the pool, their IAM roles, and the preferred one.
        more_scopes: requested too, where every scope is.
        pool_id: the user pool, if it is known.
    """
    scopes = tuple(dict.fromkeys((*way.scopes, *more_scopes))) if way.all_scopes else way.scopes
    groups, iam_roles, preferred_role = memberships
    return Request(
        source=way.source,
        client_id=way.client_id,
        sub=sub,
        username=username,
        attributes=attributes or {},
        groups=groups,
        scopes=scopes,
        metadata=dict(way.metadata),
        iam_roles=iam_roles,
        preferred_role=preferred_role,
        pool_id=pool_id,
    )


def _mode(document: Document, client: str) -> str:
    mode: str = document["clients"].get(client, {}).get("scope_mode") or document["settings"]["scope_mode"]
    return mode


def _scopes(documents: Sequence[Document]) -> tuple[str, ...]:
    """Every scope that one of the policies names, by itself or as a prefix, and those that Cognito has; sorted."""
    found = {*OIDC_SCOPES, ADMIN_SCOPE}
    for document in documents:
        settings = document["settings"]
        found.update(settings["unmanaged_scopes"], settings.get("privileged_scopes", ()))
        for section in ("roles", "clients"):
            for row in document[section].values():
                for attribute in ("scopes", "scopes_allowed", "suppress_scopes"):
                    found.update(row.get(attribute) or ())
        for rule in document.get("rules", ()):
            found.update(rule.get("add_scopes", ()), rule.get("suppress_scopes", ()))
    for operand in reads(documents).operands.get("request.scopes", ()):
        found.update(_texts((operand,)))
    return tuple(sorted(scope for scope in found if SCOPE.fullmatch(scope)))


def _texts(operands: Iterable[Operand]) -> Iterator[str]:
    """The texts that conditions compare with."""
    for operand in operands:
        for value in operand.value if isinstance(operand.value, list) else (operand.value,):
            if isinstance(value, str):
                yield value


def _tried(operands: Iterable[Operand]) -> Iterator[str]:
    """Texts that conditions distinguish, and another. A condition may read a text as something else."""
    yield _OTHER
    for operand in operands:
        yield from _texts((operand,))
        for sample in OPERATORS[operand.op].samples(operand.value) if operand.op in OPERATORS else ():
            if isinstance(sample, bool):
                yield from ("true", "false")
            elif isinstance(sample, str | int | float):
                yield str(sample)


assert {API_SIGN_IN, *_OTHER_API, MANAGED_LOGIN, MACHINE_SOURCE} == SOURCES  # noqa: S101 - a new source is a new way
