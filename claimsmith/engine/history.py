"""What the names of claims have meant so far, over all versions: a name means one thing forever.

A token outlives the version that made it, and who reads it may know other names than the version in force has. So a
name that was ever a built-in claim's is nobody else's, and a name under which something else could be set is never
given to a built-in claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.claims import STANDARD
from claimsmith.engine.built_in import BUILT_IN_CLAIMS
from claimsmith.engine.codec import claim_names
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The built-in claims that a verifier decides by.
DECISIVE: Final = ("tenant_id", "roles")

#: Octets of all names that are remembered; a row has room for twice as many. What comes after is not remembered, and
#: then no built-in claim is given a new name: publishing goes on, renaming does not.
MAX_OCTETS: Final = 200_000

_NO_NAMES: Final[frozenset[str]] = frozenset()

#: Under these names the ID token shows what a user's attributes are, and users may write those.
_ATTRIBUTES: Final = "custom:"

_ROWS: Final = (("roles", "ROLE#"), ("clients", "CLIENT#"))
_OF_TOKENS: Final = ("access_claims", "id_claims")


class Conflict(NamedTuple):
    """A name that would mean two things.

    Attributes:
        row: the sort key of the policy's row that uses it.
        name: the name.
        meaning: the built-in claim that is to have it; None where the row sets another claim under it.
        why: what is in the way; a sentence without a beginning and an end.
    """

    row: str
    name: str
    meaning: str | None
    why: str


class History(NamedTuple):
    """What names have meant.

    Attributes:
        built_in: names that built-in claims have or had, with what they mean.
        ordinary: names under which some version could set another claim.
        decisive: the names of ``DECISIVE`` in the first version; what is not emitted is not there.
        renamed: whether a later version gives any of these another name.
        full: there were more names than are kept, so that of a new one nothing is known.
        versions: how many versions are in it.
    """

    built_in: Mapping[str, str] = {}
    ordinary: frozenset[str] = _NO_NAMES
    decisive: Mapping[str, str] = {}
    renamed: bool = False
    full: bool = False
    versions: int = 0

    @property
    def version_claims(self) -> tuple[str, ...]:
        """The claims in which tokens carry their version, where it decides by which names to read them; sorted."""
        if not self.renamed:
            return ()
        names = {name for name, meaning in self.built_in.items() if meaning == "policy_version"}
        return tuple(sorted(names | {"policy_version"}))

    def conflicts(self, document: Mapping[str, Any]) -> Iterator[Conflict]:
        """The names in a compiled policy that mean something else already."""
        for meaning, name in sorted(_names(document).items()):
            why = self._taken(meaning, name)
            if why is not None:
                yield Conflict("SETTINGS", name, meaning, why)
        for row, name in _settable(document):
            meant = self.built_in.get(name)
            if meant is not None:
                yield Conflict(row, name, None, f"{name} has been the name of {meant}, and tokens are read by it")

    def _taken(self, meaning: str, name: str) -> str | None:
        """Why a built-in claim cannot have this name."""
        meant = self.built_in.get(name)
        if meaning in (meant, name):
            return None
        if meant is not None:
            return f"{name} has been the name of {meant}"
        if name in self.ordinary:
            return f"an earlier version could set {name} as another claim"
        if self.versions and (name in STANDARD or name.startswith(_ATTRIBUTES)):
            return f"the ID tokens of earlier versions show a user's attribute as {name}"
        if self.full:
            return "earlier versions had more names than are remembered, so that a new one may be among them"
        return None

    def hides_version(self, document: Mapping[str, Any]) -> bool:
        """Whether tokens would not carry their version although it decides by which names they are read."""
        return not carries_version(document) and self.joined(document).renamed

    def begins_to_rename(self, document: Mapping[str, Any]) -> bool:
        """Whether this is the first version that gives the tenant or the roles other names."""
        return not self.renamed and self.joined(document).renamed

    def joined(self, document: Mapping[str, Any]) -> History:
        """With one more version. Where the two disagree about a name, what is known already stays."""
        names = _names(document)
        decisive: Mapping[str, str] = {meaning: names[meaning] for meaning in DECISIVE if meaning in names}
        built_in = {**self.built_in}
        for meaning, name in names.items():
            if name not in self.ordinary:
                built_in.setdefault(name, meaning)
        ordinary = self.ordinary | ({name for _, name in _settable(document)} - built_in.keys())
        full = self.full or sum(len(name.encode()) for name in (*built_in, *ordinary)) > MAX_OCTETS
        return History(
            built_in,
            self.ordinary if full else ordinary,
            self.decisive if self.versions else decisive,
            self.renamed or (self.versions > 0 and decisive != self.decisive),
            full,
            self.versions + 1,
        )

    def is_of(self, document: Mapping[str, Any]) -> bool:
        """Whether a version adds nothing to what is known."""
        return self.versions > 0 and self.joined(document)._replace(versions=self.versions) == self


def carries_version(document: Mapping[str, Any]) -> bool:
    """Whether every access token of a version carries its number; a rule may suppress the claim in some."""
    name = _names(document).get("policy_version")
    return name is not None and not any(
        name in rule.get("suppress_access_claims", ()) for rule in document.get("rules", ())
    )


def _names(document: Mapping[str, Any]) -> dict[str, str]:
    return claim_names({meaning: document["settings"]["claim_names"].get(meaning) for meaning in BUILT_IN_CLAIMS})


def _settable(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every row that sets claims, with the name of each, but for the names that nobody can set."""
    own = {*BUILT_IN_CLAIMS, *_names(document).values()}
    rows = [(prefix + name, row) for section, prefix in _ROWS for name, row in document[section].items()]
    rows += [(f"RULE#{rule['id']}", rule) for rule in document.get("rules", ())]
    for sk, row in rows:
        for name in sorted({name for attribute in _OF_TOKENS for name in row.get(attribute, ())} - own):
            yield sk, name
