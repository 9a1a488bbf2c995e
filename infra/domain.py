"""Where the pool serves its pages, and how it sends e-mail."""

from __future__ import annotations

import re
from typing import Final, Self

from pydantic import model_validator

from infra.options import Address, Certificate, HostName, Options, Region

_PREFIX: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_PREFIX_RESERVED: Final = ("aws", "amazon", "cognito")


class Domain(Options):
    """Where the pool serves ``/oauth2/token`` and the sign-in pages.

    Attributes:
        prefix: of ``PREFIX.auth.REGION.amazoncognito.com``.
        name: a host of one's own, whose parent domain has an A record.
        certificate_arn: its certificate, in us-east-1.
    """

    prefix: str | None = None
    name: HostName | None = None
    certificate_arn: Certificate | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.prefix is None) == (self.name is None) or (self.name is None) != (self.certificate_arn is None):
            raise ValueError('has either prefix = "…", or name = "auth.example.com" with its certificate_arn')
        prefix = self.prefix
        if prefix is not None and (not _PREFIX.fullmatch(prefix) or any(word in prefix for word in _PREFIX_RESERVED)):
            raise ValueError(
                f"prefix {prefix!r} is not possible; use 1 to 63 lower-case letters, digits and inner hyphens, "
                f"without the words {', '.join(_PREFIX_RESERVED)}"
            )
        return self


class Email(Options):
    """How the pool sends e-mail: by Amazon SES. Cognito's own sender is limited to a few messages a day.

    Attributes:
        from_address: an identity that is verified at SES.
        from_name: shown beside it.
        reply_to: where answers go.
        region: of SES; the stage's by default.
        verified_domain: where the domain is verified instead of the address.
    """

    from_address: Address
    from_name: str | None = None
    reply_to: Address | None = None
    region: Region | None = None
    verified_domain: HostName | None = None

    @model_validator(mode="after")
    def _from_the_verified_domain(self) -> Self:
        if self.verified_domain not in {None, domain := self.from_address.partition("@")[2]}:
            raise ValueError(
                f"verified_domain must be the domain of from_address, which is {domain}; or leave it out and verify "
                "the address"
            )
        return self
