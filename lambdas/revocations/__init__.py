"""Ends at verifiers what was ended in the user pool."""
