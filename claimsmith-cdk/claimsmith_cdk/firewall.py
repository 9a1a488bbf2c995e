"""A firewall in front of a REST API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aws_cdk import Stack, Token
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from claimsmith_cdk.props import PropsError

if TYPE_CHECKING:
    from aws_cdk import aws_apigateway as rest

#: Of a web ACL for API Gateway; one for CloudFront is global.
WEB_ACL: Final = re.compile(r"arn:[a-z-]+:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/[^/\s]+/[^/\s]+")


class Firewall(Construct):
    """A web ACL of AWS WAF on a stage of a REST API.

    AWS WAF does not protect HTTP APIs and WebSocket APIs: put CloudFront in front of them, with a web ACL of its own
    (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vs-rest.html).

    Attributes:
        association: the association of stage and web ACL.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: rest.IStage, web_acl_arn: str) -> None:
        """Associate them.

        Args:
            scope: where.
            construct_id: its id.
            stage: of a REST API, such as ``api.deployment_stage``.
            web_acl_arn: of a web ACL with the scope REGIONAL, in the Region of the API.

        Raises:
            PropsError: the stage is of an API of another kind, or the ARN is of something else.
        """
        if isinstance(stage, http.HttpStage | http.WebSocketStage):
            raise PropsError(
                f"{stage.node.path} is no stage of a REST API, and AWS WAF protects no other: put CloudFront in front."
            )
        if not Token.is_unresolved(web_acl_arn) and not WEB_ACL.fullmatch(web_acl_arn):
            raise PropsError(
                f"web_acl_arn={web_acl_arn!r} is not possible; use the ARN of a web ACL with the scope REGIONAL: "
                "arn:aws:wafv2:REGION:ACCOUNT:regional/webacl/NAME/ID."
            )
        super().__init__(scope, construct_id)
        arn = Stack.of(self).format_arn(
            service="apigateway",
            account="",
            resource="/restapis",
            resource_name=f"{stage.rest_api.rest_api_id}/stages/{stage.stage_name}",
        )
        self.association = wafv2.CfnWebACLAssociation(self, "Association", resource_arn=arn, web_acl_arn=web_acl_arn)
