"""What a sign-in comes to: tokens or the next challenge, and whose they are."""

from dataclasses import dataclass
from typing import Any

import jwt

NEXT_STEPS = ("MFA_SETUP", "SOFTWARE_TOKEN_MFA", "NEW_PASSWORD_REQUIRED", "CUSTOM_CHALLENGE")


@dataclass(frozen=True)
class Tokens:
    """What a sign-in is worth. ``expires_in`` counts seconds."""

    access_token: str
    id_token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 (RFC 6750's name)


@dataclass(frozen=True)
class SignIn:
    """How far a sign-in has come: to tokens, or to Cognito's next challenge."""

    tokens: Tokens | None = None
    challenge_name: str | None = None
    session: str | None = None

    @property
    def status(self) -> str:
        return "OK" if self.tokens else "CHALLENGE"

    @property
    def next_step(self) -> str | None:
        if self.tokens:
            return None
        return self.challenge_name if self.challenge_name in NEXT_STEPS else "UNKNOWN"

    @property
    def message(self) -> str:
        return "Signed in" if self.tokens else "One more step is needed to sign in"


@dataclass(frozen=True)
class Profile:
    """Who an account is, by Cognito's attributes."""

    sub: str
    email: str
    name: str | None


def profile_of(tokens: Tokens) -> Profile:
    """Who signed in.

    The ID token came straight from Cognito over TLS, so its signature need not be checked: OpenID
    Connect Core 1.0, section 3.1.3.7, point 6.
    """
    return profile_from(jwt.decode(tokens.id_token, options={"verify_signature": False}))


def profile_from(attributes: dict[str, str]) -> Profile:
    """Who that is, by Cognito's attributes or the claims of an ID token."""
    return Profile(
        sub=attributes["sub"],
        email=attributes.get("email", "").lower(),
        name=attributes.get("name") or None,
    )


def sign_in_of(answer: dict[str, Any], refresh_token: str = "") -> SignIn:
    """How far it has come, by Cognito's answer.

    :param refresh_token: the one that goes on where Cognito sends none
    """
    if result := answer.get("AuthenticationResult"):
        return SignIn(
            tokens=Tokens(
                access_token=result["AccessToken"],
                id_token=result["IdToken"],
                refresh_token=result.get("RefreshToken", refresh_token),
                expires_in=result["ExpiresIn"],
            )
        )
    return SignIn(challenge_name=answer.get("ChallengeName"), session=answer.get("Session"))
