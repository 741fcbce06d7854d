"""The outcome of a sign-in: tokens or a challenge, and the profile of the user."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import jwt

NEXT_STEPS = ("MFA_SETUP", "SOFTWARE_TOKEN_MFA", "NEW_PASSWORD_REQUIRED", "CUSTOM_CHALLENGE")


@dataclass(frozen=True)
class Tokens:
    """The tokens of a completed sign-in; ``expires_in`` is in seconds."""

    access_token: str
    id_token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 (RFC 6750's name)


@dataclass(frozen=True)
class Profile:
    """The attributes of a Cognito user that the database has copies of."""

    sub: str
    email: str
    name: str | None

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, str]) -> Self:
        """The profile of Cognito's user attributes, or of the claims of an ID token."""
        email = attributes.get("email", "").lower()
        return cls(attributes["sub"], email, attributes.get("name") or None)

    @classmethod
    def from_id_token(cls, id_token: str) -> Self:
        """The profile of an ID token that Cognito has just sent.

        The signature of a token that came directly from the issuer over TLS need not be checked:
        OpenID Connect Core 1.0, section 3.1.3.7, point 6.
        """
        return cls.from_attributes(jwt.decode(id_token, options={"verify_signature": False}))


@dataclass(frozen=True)
class SignIn:
    """The state of a sign-in: completed with tokens, or waiting for the answer to a challenge."""

    tokens: Tokens | None = None
    challenge_name: str | None = None
    session: str | None = None

    @classmethod
    def from_response(cls, response: Mapping[str, Any], refresh_token: str = "") -> Self:
        """The state by Cognito's response to InitiateAuth or RespondToAuthChallenge; the given
        refresh token is the current one, for a response without a new one."""
        result = response.get("AuthenticationResult")
        if not result:
            return cls(None, response.get("ChallengeName"), response.get("Session"))
        refresh_token = result.get("RefreshToken", refresh_token)
        access_token, id_token = result["AccessToken"], result["IdToken"]
        return cls(Tokens(access_token, id_token, refresh_token, result["ExpiresIn"]))

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
