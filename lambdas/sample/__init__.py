"""A sample API behind the verifier, which trusts its authorizer."""
