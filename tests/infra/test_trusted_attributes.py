"""What the policy trusts, no client of the app may write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import aws_cognito as cognito

from claimsmith_cdk.trusted_attributes import problems
from infra.config import OptionError
from infra.stateful_stack import StatefulStack
from tests.infra.template import cdk_app, config

if TYPE_CHECKING:
    from tests.infra.template import Template


def client(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - a property of CloudFormation's
    return template("UserPoolClient", properties)


def template(kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"Stack": {"Resources": {"It": {"Type": f"AWS::Cognito::{kind}", "Properties": properties}}}}


@pytest.mark.parametrize("name", ["name", "locale"])
def test_an_attribute_that_a_client_of_this_app_may_write_is_refused(production: Template, name: str) -> None:
    found = list(problems([name], {"Claimsmith": production.document}))
    assert len(found) == 3, "one for each client"
    assert all(name in problem and "WriteAttributes" in problem for problem in found)


@pytest.mark.parametrize("name", ["custom:unit", "email", "sub", "email_verified", "identities", "cognito:user_status"])
def test_an_attribute_that_no_client_may_write_is_accepted(production: Template, name: str) -> None:
    assert list(problems([name], {"Claimsmith": production.document})) == []


@pytest.mark.parametrize(
    "templates",
    [
        client(),
        client(WriteAttributes=[]),
        client(WriteAttributes=["family_name"]),
        client(WriteAttributes={"Ref": "Writable"}),
        client(WriteAttributes=["locale", {"Ref": "Writable"}]),
        template("UserPool", {"Schema": [{"Name": "family_name", "Required": True}]}),
        template("UserPool", {"Schema": [{"Name": "family_name", "Required": {"Fn::If": ["a", True, False]}}]}),
        template("UserPool", {"Schema": {"Ref": "Schema"}}),
    ],
)
def test_an_attribute_that_cannot_be_checked_is_refused(templates: dict[str, Any]) -> None:
    [problem] = problems(["family_name"], templates)
    assert "Stack/It" in problem
    assert list(problems(["email_verified"], templates)) == []


def test_a_client_that_somebody_adds_is_seen_and_so_is_an_override() -> None:
    app = cdk_app({})
    stack = StatefulStack(app, "Claimsmith", config=config())
    added = cognito.CfnUserPoolClient(stack, "Added", user_pool_id=stack.pool.user_pool.user_pool_id)
    added.add_property_override("WriteAttributes", ["custom:unit"])
    templates = {one.stack_name: one.template for one in app.synth().stacks}
    [problem] = problems(["custom:unit"], templates)
    assert "Claimsmith/Added" in problem


def test_they_are_named_as_in_the_pool() -> None:
    with pytest.raises(OptionError, match="name it as in the pool: custom:unit"):
        config({"trusted_attributes": ["user.attributes.custom:unit"]})
