"""CDK constructs of Claimsmith: claims for user pools, verification for APIs, alarms and policies for people.

``ClaimCustomizer`` gives user pools the trigger; ``ClaimsAuthorizer`` and ``Introspection`` check tokens;
``ClaimAlarms``, ``ClaimsDashboard`` and ``AdminPersonas`` are for those who run it.
"""

from claimsmith_cdk.alarms import AlarmThresholds, AlarmTopic, ClaimAlarms
from claimsmith_cdk.bundling import BundlingError
from claimsmith_cdk.capacity import Capacity
from claimsmith_cdk.claim_customizer import ClaimCustomizer, CustomizerProps
from claimsmith_cdk.claims_authorizer import AuthorizerProps, ClaimsAuthorizer
from claimsmith_cdk.dashboard import ClaimsDashboard
from claimsmith_cdk.discovery import DiscoveryProps
from claimsmith_cdk.firewall import Firewall
from claimsmith_cdk.hosting import Hosting
from claimsmith_cdk.introspection import Introspection
from claimsmith_cdk.personas import AdminPersonas
from claimsmith_cdk.pool_attachment import AttachmentProps, PoolAttachment
from claimsmith_cdk.props import PropsError
from claimsmith_cdk.releases import Releases
from claimsmith_cdk.sign_in_probe import ProbeProps, SignInProbe
from claimsmith_cdk.sign_outs import PoolSignOuts
from claimsmith_cdk.tokens import AcceptedTokens

__all__ = [
    "AcceptedTokens",
    "AdminPersonas",
    "AlarmThresholds",
    "AlarmTopic",
    "AttachmentProps",
    "AuthorizerProps",
    "BundlingError",
    "Capacity",
    "ClaimAlarms",
    "ClaimCustomizer",
    "ClaimsAuthorizer",
    "ClaimsDashboard",
    "CustomizerProps",
    "DiscoveryProps",
    "Firewall",
    "Hosting",
    "Introspection",
    "PoolAttachment",
    "PoolSignOuts",
    "ProbeProps",
    "PropsError",
    "Releases",
    "SignInProbe",
]
