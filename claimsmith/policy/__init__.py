"""The policy that admins write: load it from YAML or rows, lint it, compile it into a bundle document."""

from claimsmith.errors import PolicyError
from claimsmith.policy.draft import Draft, Entry, from_rows
from claimsmith.policy.dump import dump
from claimsmith.policy.finding import Finding, Severity
from claimsmith.policy.lint import compile, lint  # noqa: A004 - the usual word
from claimsmith.policy.schema import schema, schema_text
from claimsmith.policy.yaml import load

__all__ = [
    "Draft",
    "Entry",
    "Finding",
    "PolicyError",
    "Severity",
    "compile",
    "dump",
    "from_rows",
    "lint",
    "load",
    "schema",
    "schema_text",
]
