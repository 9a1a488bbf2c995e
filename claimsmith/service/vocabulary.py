"""What rows of the directory may name: the roles, scopes and claims that the policy lets them have."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from claimsmith.cognito.claims import TOKENS, UnacceptableError, checked
from claimsmith.cognito.limits import SCOPE
from claimsmith.engine.built_in import ONLY_CLAIMSMITH
from claimsmith.engine.codec import BundleError
from claimsmith.engine.language import is_privileged, is_unmanaged
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy.finding import clipped, nearest
from claimsmith.store import bundles

if TYPE_CHECKING:
    from claimsmith.engine.bundle import Bundle
    from claimsmith.store.dynamodb import Table

#: The attributes that set claims, and the tokens that each is for.
CLAIM_ATTRIBUTES = {"claims": TOKENS, "access_claims": TOKENS[:1], "id_claims": TOKENS[1:]}


class Vocabulary(NamedTuple):
    """The policy in force, and the staged one if there is one.

    Every method but ``admits`` returns None for what may be used, or why it may not, as the end of a sentence.
    """

    bundles: tuple[Bundle, ...]

    def role_problem(self, role: str) -> str | None:
        """Why a row may not name a role."""
        known = sorted(set().union(*(bundle.roles for bundle in self.bundles)))
        if role in known:
            return None
        return f"There is no role {clipped(role)}." + _hint(role, known)

    def admits(self, tenant: str) -> bool:
        """Whether an identity provider makes its users members of a tenant without a row."""
        providers = (provider for bundle in self.bundles for provider in bundle.providers.values())
        return any(provider.just_in_time and tenant in provider.tenants for provider in providers)

    def scope_problem(self, scope: str) -> str | None:
        """Why a membership may not have a scope by name."""
        if not SCOPE.fullmatch(scope):
            return f"Cognito does not take the characters of scope {clipped(scope)}."
        if any(is_privileged(scope, bundle.settings.privileged_scopes) for bundle in self.bundles):
            return f"Only the policy grants the privileged scope {scope}; give the user a role that has it."
        if all(
            scope not in bundle.scopes and is_unmanaged(scope, bundle.settings.unmanaged_scopes)
            for bundle in self.bundles
        ):
            return f"The policy does not manage the scope {scope}."
        return None

    def unknown_scope(self, scope: str) -> str | None:
        """Why a limit that names this scope may be a mistake."""
        known = sorted(set().union(*(bundle.scopes for bundle in self.bundles)))
        if scope in known:
            return None
        return f"No role and no rule of the policy grants {clipped(scope)}." + _hint(scope, known)

    def claim_problem(self, attribute: str, name: str, value: object) -> str | None:
        """Why a row may not set a claim.

        Args:
            attribute: ``claims``, ``access_claims`` or ``id_claims``.
            name: of the claim.
            value: a JSON value.
        """
        if any(name in bundle.settings.own_claims for bundle in self.bundles):
            return f"{attribute}.{clipped(name)}: {ONLY_CLAIMSMITH}."
        for token in CLAIM_ATTRIBUTES[attribute]:
            try:
                checked(token, name, value)
            except UnacceptableError as unacceptable:
                return f"{attribute}.{clipped(name)}: {unacceptable} ({token} token)."
        return None


def _hint(name: str, known: list[str]) -> str:
    close = nearest(name, known)
    return f" Did you mean {close}?" if close else ""


def load(rows: Table) -> Vocabulary:
    """What the policy in force and a staged one know.

    Raises:
        OperationError: no policy has been published yet.
        BundleError: the one in force cannot be read.
        StoreError: DynamoDB is unavailable.
    """
    pointer = bundles.pointer(rows)
    if pointer is None:
        message = "No policy has been published yet, so there are no roles. Apply one first."
        raise OperationError(Code.NOT_FOUND, message)
    found = [bundles.load(rows, pointer.version, pointer.digest)]
    if pointer.staging is not None:
        with suppress(BundleError):  # an unreadable version serves nobody
            found.append(bundles.load(rows, pointer.staging.candidate))
    return Vocabulary(tuple(found))
