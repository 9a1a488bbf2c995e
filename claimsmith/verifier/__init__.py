"""Checks tokens."""
