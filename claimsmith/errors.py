"""All errors of Claimsmith, their codes and their parents.

::

    ClaimsmithError            code, message
     +- ConfigurationError     the environment or an argument is wrong             CS4xxx
     +- PolicyError            a policy that must not be published, with findings  CS1xxx
     +- SignInRefusedError     no token is issued; the text is safe for the user   CS2xxx
     |   +- EventError         Cognito's event cannot be acted on
     +- VerificationError      a token that is not accepted, and at which stage    CS3xxx
     +- OperationError         an operation on the table or the pool failed        CS4xxx
         +- StoreError         DynamoDB is unavailable or its response is invalid

The meaning of a code never changes. ``docs/reference/codes.md`` has the remedy for each; a test compares the two.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Code(StrEnum):
    """The stable codes. The name sums up the cause; the value is what users, logs and metrics show."""

    # CS1xxx: lint errors. A policy with one of these is not published.
    SETTINGS_MISSING = "CS1001"
    UNKNOWN_ATTRIBUTE = "CS1002"
    WRONG_TYPE = "CS1003"
    UNKNOWN_ROW = "CS1004"
    UNKNOWN_ROLE = "CS1005"
    INHERITANCE_CYCLE = "CS1006"
    RESERVED_CLAIM = "CS1007"
    INVALID_SCOPE = "CS1008"
    UNMANAGED_SCOPE = "CS1009"
    INVALID_NAME = "CS1010"
    DUPLICATE = "CS1011"
    BUNDLE_TOO_LARGE = "CS1012"
    UNREADABLE_FILE = "CS1013"
    UNDEFINED_VARIABLE = "CS1014"
    UNSUPPORTED_VALUE = "CS1015"
    INVALID_ROUTE = "CS1016"
    UNKNOWN_PATH = "CS1017"
    UNKNOWN_OPERATOR = "CS1018"
    INVALID_CONDITION = "CS1019"
    CONDITION_TOO_LARGE = "CS1020"
    NEVER_HOLDS = "CS1021"
    INVALID_EXPRESSION = "CS1022"
    NOT_SUPPRESSIBLE = "CS1023"
    UNTRUSTED_INPUT = "CS1024"
    INVALID_TEST = "CS1025"
    TEST_FAILED = "CS1026"
    POLICY_TOO_LARGE = "CS1027"
    TEMPLATE_IN_LITERAL = "CS1029"
    CLAIM_NAME_USED = "CS1030"
    VERSION_NOT_TOLD = "CS1031"
    GROUPS_ATTRIBUTE_WRITABLE = "CS1033"
    PROVIDER_OUT_OF_BOUNDS = "CS1034"

    # CS1xxx: lint warnings. They do not prevent publishing.
    FINDINGS_CUT = "CS1028"
    RULE_NEVER_APPLIES = "CS1040"
    SCOPE_NOT_ALLOWED = "CS1041"
    MANY_ROUTE_SCOPES = "CS1042"
    TOKEN_MAY_EXCEED_BUDGET = "CS1043"
    USERS_WRITE_ATTRIBUTE = "CS1044"
    PROVIDER_UNHEARD = "CS1045"
    NOT_ADDED = "CS1046"
    PREFLIGHT_HIDDEN = "CS1047"
    CONTEXT_CLAIM_NEVER_SET = "CS1050"
    CONTEXT_CLAIM_SECRET = "CS1051"
    CONTEXT_MAY_BE_TOO_LARGE = "CS1052"

    # CS2xxx: sign-in. No token, or a degraded one.
    STORE_UNAVAILABLE = "CS2001"
    NO_BUNDLE = "CS2002"
    BUNDLE_UNREADABLE = "CS2003"
    DEADLINE_EXCEEDED = "CS2004"
    MALFORMED_EVENT = "CS2005"
    UNKNOWN_TRIGGER_SOURCE = "CS2006"
    TENANT_NOT_PERMITTED = "CS2007"
    TENANT_REQUIRED = "CS2008"
    USER_SUSPENDED = "CS2009"
    USER_UNREADABLE = "CS2010"
    TOO_MANY_CHANGES = "CS2011"
    EVENT_VERSION = "CS2012"
    TOKEN_OVER_BUDGET = "CS2013"
    USER_TOO_LARGE = "CS2014"
    INTERNAL = "CS2099"

    # CS3xxx: verification.
    TOKEN_MALFORMED = "CS3001"
    TOKEN_TOO_LARGE = "CS3002"
    ALGORITHM_NOT_ALLOWED = "CS3003"
    CRITICAL_HEADER = "CS3004"
    KEY_ID_MISSING = "CS3005"
    TYPE_NOT_ALLOWED = "CS3006"
    ISSUER_NOT_ALLOWED = "CS3010"
    KEY_NOT_FOUND = "CS3011"
    KEY_UNUSABLE = "CS3012"
    KEYS_UNAVAILABLE = "CS3013"
    SIGNATURE_INVALID = "CS3020"
    CLAIMS_MALFORMED = "CS3030"
    TOKEN_EXPIRED = "CS3031"
    TOKEN_NOT_YET_VALID = "CS3032"
    TOKEN_FROM_FUTURE = "CS3033"
    WRONG_TOKEN_USE = "CS3034"
    WRONG_CLIENT = "CS3035"
    SCOPE_MISSING = "CS3036"
    GROUP_MISSING = "CS3037"
    ROLE_MISSING = "CS3038"
    WRONG_TENANT = "CS3039"
    WRONG_AUDIENCE = "CS3040"
    TOKEN_REVOKED = "CS3050"
    REVOCATION_UNKNOWN = "CS3051"
    ROUTE_NOT_FOUND = "CS3060"
    REQUEST_MALFORMED = "CS3061"
    CALLER_REFUSED = "CS3062"
    ANSWER_NOT_CACHEABLE = "CS3063"
    METADATA_NOT_FOUND = "CS3070"
    TOO_MANY_REQUESTS = "CS3077"
    CONTEXT_TOO_LARGE = "CS3079"
    ORIGIN_NOT_ALLOWED = "CS3080"

    # CS4xxx: operations.
    MISCONFIGURED = "CS4001"
    AWS_UNREACHABLE = "CS4002"
    TABLE_MISSING = "CS4003"
    NOT_FOUND = "CS4004"
    CONFLICT = "CS4005"
    LEASE_HELD = "CS4006"
    BAD_ARGUMENT = "CS4007"
    ACCESS_DENIED = "CS4008"
    ROW_UNREADABLE = "CS4009"
    LEASE_LOST = "CS4010"
    ON_HOLD = "CS4011"
    PRIVILEGED_SCOPE_IN_DIRECTORY = "CS4012"
    AUDIT_CUT = "CS4013"
    NOT_CONFIRMED = "CS4014"
    VERSION_NOT_EXPORTABLE = "CS4015"
    ROW_TOO_LARGE = "CS4016"
    INPUT_UNREADABLE = "CS4018"
    USER_AMBIGUOUS = "CS4020"
    EMAIL_NOT_VERIFIED = "CS4021"
    CSV_UNREADABLE = "CS4022"
    IMPORT_REFUSED = "CS4023"
    INVALID_DIRECTORY_VALUE = "CS4024"
    PROBE_REFUSED = "CS4025"
    PROBE_DIFFERS = "CS4026"
    NO_TESTS = "CS4028"
    CURSOR_UNUSABLE = "CS4029"

    # CS4xxx: findings of doctor.
    POOL_PLAN = "CS4030"
    TRIGGER_MISSING = "CS4031"
    TRIGGER_NOT_OURS = "CS4032"
    EVENT_VERSION_TOO_OLD = "CS4033"
    MACHINES_NOT_CUSTOMIZED = "CS4034"
    TRIGGER_NOT_PERMITTED = "CS4035"
    TRIGGER_OPEN = "CS4036"
    TRUSTED_ATTRIBUTE_WRITABLE = "CS4037"
    CLIENT_WITHOUT_ROW = "CS4038"
    ROW_WITHOUT_CLIENT = "CS4039"
    SCOPE_WITHOUT_RESOURCE_SERVER = "CS4040"
    ISSUER_NOT_ACCEPTED = "CS4041"
    TABLE_KEYS = "CS4042"
    TABLE_STREAM = "CS4043"
    TABLE_TTL = "CS4044"
    TABLE_NOT_BACKED_UP = "CS4045"
    TABLE_NOT_PROTECTED = "CS4046"
    DRAFT_NOT_IN_FORCE = "CS4047"
    DRAFT_REFUSED = "CS4048"
    APPLY_UNFINISHED = "CS4049"
    PUBLISHER_MISSING = "CS4050"
    PUBLISHER_BEHIND = "CS4051"
    DEAD_LETTERS = "CS4052"
    NO_DEAD_LETTER_QUEUE = "CS4053"
    NO_ALARMS = "CS4054"
    ALARM_UNHEARD = "CS4055"
    ALARM_RAISED = "CS4056"
    UNKNOWN_ROLE_IN_DIRECTORY = "CS4057"
    UNKNOWN_TENANT_IN_DIRECTORY = "CS4058"
    CLIENT_OF_ANOTHER_POOL = "CS4090"
    ROLLOUT_UNFINISHED = "CS4092"
    UNCHANGED_ON_FAILURE = "CS4093"
    ROLLOUT_NOT_HELD = "CS4094"
    CLAIM_NEVER_SET = "CS4116"
    TENANTS_ALIKE = "CS4117"
    LOAD_BALANCER_CLIENT = "CS4108"

    # CS4xxx: attaching the trigger to a pool that exists already.
    POOL_SETTING_UNKNOWN = "CS4060"
    POOL_CHANGED_MEANWHILE = "CS4061"
    POOL_SETTINGS_DIFFER = "CS4062"
    POOL_UPDATE_REFUSED = "CS4063"
    NOT_A_TRIGGER = "CS4064"

    # CS4xxx: recovery.
    BATCH_UNREADABLE = "CS4070"
    BATCH_OF_OTHER_TABLE = "CS4071"
    BACKUP_UNREADABLE = "CS4072"
    BACKUP_FORMAT = "CS4073"
    ROWS_KEPT = "CS4074"
    VERSION_NOT_RESTORED = "CS4075"

    # CS4xxx: tokens for a machine.
    TOKEN_ENDPOINT_UNAVAILABLE = "CS4100"
    MACHINE_TOKEN_REFUSED = "CS4101"

    # CS4xxx: sign-outs in the user pool.
    SIGN_OUT_WITHOUT_USER = "CS4102"
    SIGN_OUT_MALFORMED = "CS4103"

    # CS4xxx: introspection.
    ANSWER_NOT_SIGNED = "CS4112"


class ClaimsmithError(Exception):
    """The parent of every error that Claimsmith raises deliberately.

    Attributes:
        code: the stable code, an entry of ``docs/reference/codes.md``.
        message: what happened; never contains a claim value, a token or an attribute.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code
        self.message = message


class ConfigurationError(ClaimsmithError):
    """The environment or an argument is missing or wrong; nothing was done."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.MISCONFIGURED, message)


class PolicyError(ClaimsmithError):
    """A policy that must not be published.

    Attributes:
        findings: what is wrong, each with a code and a place (``claimsmith.policy.lint.Finding``).
    """

    def __init__(self, code: Code, message: str, findings: Sequence[object] = ()) -> None:
        super().__init__(code, message)
        self.findings = tuple(findings)


#: The text for the user. Causes that could help an attacker share one sentence; only the code differs.
_SIGN_IN_TEXT = {
    Code.TENANT_NOT_PERMITTED: "This organisation is not available to you.",
    Code.TENANT_REQUIRED: "You are not a member of an organisation here.",
    Code.USER_SUSPENDED: "This account is suspended.",
    Code.TOKEN_OVER_BUDGET: "The token for this account would be too large.",
}


class SignInRefusedError(ClaimsmithError):
    """No token is issued. Cognito shows the text to the user, so it contains only a sentence and a code."""

    def __init__(self, code: Code) -> None:
        super().__init__(code, _SIGN_IN_TEXT.get(code, "Sign-in is not possible right now."))


class EventError(SignInRefusedError):
    """Cognito's event cannot be acted on.

    Attributes:
        detail: the path of the wrong part in the event, for the log; never its value.
    """

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code)
        self.detail = detail


class VerificationError(ClaimsmithError):
    """A token that is not accepted.

    Attributes:
        stage: where the check failed: ``structure``, ``key``, ``signature``, ``claims`` or ``revocation``; in the
            authorizer also ``route``.
    """

    def __init__(self, code: Code, stage: str, message: str | None = None) -> None:
        super().__init__(code, message or code.name.replace("_", " ").lower())
        self.stage = stage


class OperationError(ClaimsmithError):
    """An operation on the table or the user pool failed; the message says what to do."""


class StoreError(OperationError):
    """DynamoDB is unavailable, or its response is invalid."""
