"""The companion verifier: the Lambda authorizer and the introspection endpoint."""
