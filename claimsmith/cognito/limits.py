"""Cognito's limits and syntax, each with the page it comes from.

Pages are those of the Amazon Cognito developer guide.
"""

from __future__ import annotations

import re
from typing import Final

#: Changes in one transaction: claims and scopes, existing and added, over both tokens (quotas).
MAX_CHANGES: Final = 5_000

#: Characters of client metadata that are read at all. Cognito documents no limit; real metadata is a few hundred.
MAX_METADATA: Final = 32_768

#: The subject. Cognito's are UUIDs today and documented only as strings; what could be key syntax is not one.
SUB: Final = re.compile(r"[A-Za-z0-9._:@+=-]{1,128}")

#: An app client id (CreateUserPoolClient, ClientId).
CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_+]{1,128}")

#: A scope: the characters of RFC 6749 section 3.3, at most 256 of them (CreateResourceServer).
SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,256}")

#: Scopes of OpenID Connect that Cognito knows (cognito-user-pools-define-resource-servers).
OIDC_SCOPES: Final = frozenset({"openid", "profile", "email", "phone"})

#: What an API sign-in gets as its only scope: it lets the user call the user pool about itself.
ADMIN_SCOPE: Final = "aws.cognito.signin.user.admin"
