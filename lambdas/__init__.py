"""The Lambda functions: each only wires and translates."""
