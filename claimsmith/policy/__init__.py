"""What admins write: documents, YAML, lint, compile."""

from claimsmith.policy.compile import compile  # noqa: A004 - the field's own word
from claimsmith.policy.draft import Draft, from_rows
from claimsmith.policy.lint import Finding, lint
from claimsmith.policy.yaml import load

__all__ = ["Draft", "Finding", "compile", "from_rows", "lint", "load"]
