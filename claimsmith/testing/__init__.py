"""CognitoKit: an offline user pool that implements Cognito's contract with the pre token generation trigger.

It imports nothing else from ``claimsmith``, so that it does not repeat the mistakes of the code under test.
"""

from claimsmith.testing.contract import CLAIMS, PREFIXES, ClaimRow, Rule, Violation
from claimsmith.testing.errors import (
    CognitoError,
    ContractViolation,
    InvalidLambdaResponseException,
    InvalidOAuthFlowException,
    InvalidParameterException,
    NotAuthorizedException,
    RefreshTokenReuseException,
    ResourceNotFoundException,
    TokenEndpointError,
    UnexpectedLambdaException,
    UnsupportedOperationException,
    UserLambdaValidationException,
    UserNotFoundException,
)
from claimsmith.testing.events import MACHINES, REFRESHES, SIGN_INS, Flow
from claimsmith.testing.key_server import KeyServer
from claimsmith.testing.kit import CognitoKit
from claimsmith.testing.pool import AppClient, User
from claimsmith.testing.tokens import Tokens

__all__ = [
    "CLAIMS",
    "MACHINES",
    "PREFIXES",
    "REFRESHES",
    "SIGN_INS",
    "AppClient",
    "ClaimRow",
    "CognitoError",
    "CognitoKit",
    "ContractViolation",
    "Flow",
    "InvalidLambdaResponseException",
    "InvalidOAuthFlowException",
    "InvalidParameterException",
    "KeyServer",
    "NotAuthorizedException",
    "RefreshTokenReuseException",
    "ResourceNotFoundException",
    "Rule",
    "TokenEndpointError",
    "Tokens",
    "UnexpectedLambdaException",
    "UnsupportedOperationException",
    "User",
    "UserLambdaValidationException",
    "UserNotFoundException",
    "Violation",
]
