"""The demonstration, and the local stack that it shares with the end-to-end tests."""
