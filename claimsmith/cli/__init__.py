"""The claimsmith command."""
