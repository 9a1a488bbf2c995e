"""A sample of what stands behind the verifier: an API that believes its authorizer."""
