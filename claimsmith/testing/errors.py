"""The errors of the kit: Cognito's own errors, with their names and in botocore's shape, and ``ContractViolation``.

None of them has a code of ``claimsmith.errors``: they are errors of Amazon Cognito, not of Claimsmith.
``error.response["Error"]["Code"]`` is the same as on botocore's ``ClientError``::

    CognitoError
     +- UserLambdaValidationException     the trigger refused or failed
     +- InvalidLambdaResponseException    the trigger's answer cannot be read
     +- UnexpectedLambdaException         the trigger did not answer in time
     +- NotAuthorizedException            disabled user; revoked, expired or foreign token
     +- RefreshTokenReuseException        a rotated refresh token after its grace period
     +- UserNotFoundException             no such user
     +- ResourceNotFoundException         no such app client
     +- InvalidParameterException         the app client or Cognito does not allow it
     +- InvalidOAuthFlowException         flows that cannot be combined
     +- UnsupportedOperationException     the app client has revocation switched off
     +- TokenEndpointError                an answer of ``/oauth2/token``; its code is that of RFC 6749 section 5.2
    ContractViolation                     the answer breaks a rule of the contract
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from claimsmith.testing.contract import Rule, Violation


class CognitoError(Exception):
    """An error as Cognito reports it.

    Attributes:
        code: Cognito's name for it.
        message: Cognito's text.
        response: both, in the form of botocore's ``ClientError``.
    """

    #: The code, if it is not the name of the class.
    named: ClassVar[str] = ""

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code or self.named or type(self).__name__
        super().__init__(f"{self.code}: {message}")
        self.message = message
        self.response = {"Error": {"Code": self.code, "Message": message}}


class UserLambdaValidationException(CognitoError):  # noqa: N818 - Cognito's name
    """The trigger refused or failed; the message contains the text of its error."""


class InvalidLambdaResponseException(CognitoError):  # noqa: N818 - Cognito's name
    """The trigger's answer cannot be read."""


class UnexpectedLambdaException(CognitoError):  # noqa: N818 - Cognito's name
    """The call of the trigger did not complete."""


class NotAuthorizedException(CognitoError):  # noqa: N818 - Cognito's name
    """The user or the token is not accepted."""


class RefreshTokenReuseException(CognitoError):  # noqa: N818 - Cognito's name
    """A refresh token that rotation has replaced, after its grace period."""


class UserNotFoundException(CognitoError):  # noqa: N818 - Cognito's name
    """There is no such user."""


class ResourceNotFoundException(CognitoError):  # noqa: N818 - Cognito's name
    """There is no such app client."""


class InvalidParameterException(CognitoError):  # noqa: N818 - Cognito's name
    """Cognito or the app client does not allow this."""


class InvalidOAuthFlowException(CognitoError):  # noqa: N818 - Cognito's name
    """Flows that one app client cannot have together."""


class UnsupportedOperationException(CognitoError):  # noqa: N818 - Cognito's name
    """The app client has this switched off."""


class TokenEndpointError(CognitoError):
    """An error of ``/oauth2/token``; ``code`` is ``invalid_grant`` and the like (RFC 6749 section 5.2)."""


class ContractViolation(Exception):  # noqa: N818 - the name is the finding
    """The trigger's answer breaks the contract in a way whose consequences AWS does not document.

    It does not derive from ``CognitoError``: code under test that handles Cognito's errors must not swallow it.

    Attributes:
        violations: each with its rule and its place in the answer.
    """

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("; ".join(str(violation) for violation in violations))
        self.violations = tuple(violations)

    @property
    def rules(self) -> frozenset[Rule]:
        """The rules that are broken."""
        return frozenset(violation.rule for violation in self.violations)
