"""The checks of lint, one module per concern: functions from a policy to findings."""
