"""What the tables of options in a stage's file have in common, and how options that follow a pattern are written."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints

from infra.identity_providers import PROVIDER_NAME

_EMAIL = r"^[^\s@,]{1,64}@[^\s@,]+\.[^\s@,]+$"
_HOST = r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"
_ACCOUNT = r"^[0-9]{12}$"
_REGION = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"
_CERTIFICATE = r"^arn:[a-z-]+:acm:us-east-1:"
_SUFFIX = r"^(?:[A-Za-z0-9-]{0,40})$"

#: How to write what a pattern asks for.
FORMS: Final = {
    _ACCOUNT: 'the twelve digits of an account, as in "111122223333"',
    _REGION: 'the name of a Region, as in "eu-central-1"',
    _CERTIFICATE: "the ARN of a certificate in us-east-1: Cognito takes no other for a custom domain",
    _EMAIL: 'an address, as in "on-call@example.com"',
    _HOST: 'a host in lower case, as in "auth.example.com"',
    _SUFFIX: 'at most 40 letters, digits and hyphens, as in "-production"',
    PROVIDER_NAME: "3 to 32 letters, digits, dots and hyphens; an underscore only as the second character",
}

Address = Annotated[str, StringConstraints(pattern=_EMAIL)]
HostName = Annotated[str, StringConstraints(pattern=_HOST)]
Account = Annotated[str, StringConstraints(pattern=_ACCOUNT)]
Region = Annotated[str, StringConstraints(pattern=_REGION)]
Certificate = Annotated[str, StringConstraints(pattern=_CERTIFICATE)]
Suffix = Annotated[str, StringConstraints(pattern=_SUFFIX)]


class Options(BaseModel):
    """A table of options: an unknown one is refused, and none can be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
