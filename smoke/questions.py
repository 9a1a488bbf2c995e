"""The numbered questions about Amazon Cognito that its documentation leaves open, and what this project assumes.

Nothing depends on an answer that would be unsafe if it were another: what is assumed is what previews, the offline
issuer and the documentation say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Question:
    """A question.

    Attributes:
        number: its number, which stays.
        asks: the question.
        tried: how it is tried; empty if only by hand.
        assumed: the answer that this project assumes.
        by_hand: for what an account alone does not have: what to do instead.
    """

    number: int
    asks: str
    assumed: str
    tried: str = ""
    by_hand: str = ""


QUESTIONS: Final = (
    Question(
        1,
        "What becomes of a reserved claim, a foreign aud, a null and an array of objects in a trigger's answer?",
        "None of the first three reaches a token; an array of objects arrives unchanged. Or the sign-in is refused.",
        "A sign-in with each, by a trigger that answers what it is told.",
    ),
    Question(
        2,
        "Does client metadata of REFRESH_TOKEN_AUTH reach the trigger?",
        "No.",
        "A refresh by InitiateAuth with client metadata that the trigger would turn into a claim.",
    ),
    Question(
        3,
        "Which trigger source do GetTokensFromRefreshToken and a refresh at the token endpoint have?",
        "TokenGeneration_RefreshTokens or TokenGeneration_Authentication.",
        "Both kinds of refresh; the trigger puts its source into a claim.",
    ),
    Question(
        4,
        "Which trigger source does a user of the pool itself have who signs in by managed login?",
        "TokenGeneration_HostedAuth or TokenGeneration_Authentication.",
        "The authorization code grant, with the login page's form; the trigger puts its source into a claim.",
    ),
    Question(
        5,
        "Do groups stay without groupOverrideDetails, and go if it is null?",
        "They stay; they go.",
        "Two sign-ins of a user in a group.",
    ),
    Question(
        6,
        "How large may tokens be, and what is the error of more than 5,000 claims?",
        "6 kB of claims are accepted; 5,001 claims refuse the sign-in.",
        "Sign-ins with 6, 20 and 60 kB in one claim, and with 5,001 claims.",
    ),
    Question(
        7,
        "Does an Application Load Balancer take customized access tokens?",
        "Yes, up to 11 kB together with the user's claims.",
        by_hand=(
            "Needs a load balancer with a certificate. Add authenticate-cognito with the pool's code client to a "
            "listener, sign in, and read the claims of x-amzn-oidc-accesstoken at the target."
        ),
    ),
    Question(
        8,
        "Does userInfo answer to an API sign-in's token to which the trigger added openid?",
        "No.",
        "A sign-in by SRP with openid added, and a request to /oauth2/userInfo.",
    ),
    Question(
        9,
        "What is aud if a token is bound to a resource and the trigger sets it to the client id?",
        "One of the two: the resource or the client id.",
        "The authorization code grant with a resource (RFC 8707), by a user for whom the trigger sets aud.",
    ),
    Question(
        10,
        "Do machines' tokens have auth_time, version and event_id?",
        "None of them is relied upon: the token has exp, iat, jti, sub, client_id, token_use and scope.",
        "The client credentials grant.",
    ),
    Question(
        11,
        "Which iss do tokens of a replica have in a pool with the ORIGINAL issuer?",
        "That of the primary Region.",
        by_hand="Needs a second Region. Add a replica to a pool, sign in there, and read iss.",
    ),
    Question(
        12,
        "What does the token endpoint answer a machine if the trigger fails?",
        "Status 400 with an OAuth error in JSON, and no token.",
        "The client credentials grant with metadata that makes the trigger fail.",
    ),
    Question(
        13,
        "Which issuer hosts do China and GovCloud have, and is V3_0 available there?",
        "cognito-idp.REGION. and the partition's domain; V3_0 is not assumed.",
        by_hand=(
            "Needs an account of that partition. Create a pool with a V3_0 trigger there, and read issuer in "
            "/.well-known/openid-configuration."
        ),
    ),
    Question(
        14,
        "Are added scopes filtered by what resource servers declare, or limited in length?",
        "Neither: an undeclared one and one of 300 characters arrive.",
        "A sign-in with both.",
    ),
)
