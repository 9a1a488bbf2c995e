"""Looks at a deployed stack and finds what to mend. Checks are pure functions; ``doctor`` looks and runs them."""
