"""The fixture as users get it; imported, so that it is there without the package being installed."""

from claimsmith.testing.plugin import cognito_kit

__all__ = ["cognito_kit"]
