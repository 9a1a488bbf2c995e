"""A deployment in memory, for the tests of an application: CognitoKit's pool, the real trigger, a policy file.

``claimsmith.testing`` judges triggers and so knows none; this package puts it together with Claimsmith's own.
"""
