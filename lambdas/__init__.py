"""The Lambda functions: wiring and translation only."""
