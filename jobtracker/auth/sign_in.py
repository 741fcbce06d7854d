"""Cognito's responses: tokens or a challenge, and the account of a user.

The service model of AWS calls nearly all members of the responses optional.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import jwt

from jobtracker import unicode
from jobtracker.errors import Unavailable

NEXT_STEPS = ("MFA_SETUP", "SOFTWARE_TOKEN_MFA", "NEW_PASSWORD_REQUIRED", "CUSTOM_CHALLENGE")

# Seconds: the shortest validity of access tokens that an app client can have, for a response
# without ExpiresIn.
MIN_TOKEN_VALIDITY = 300


def required_member(response: Mapping[str, Any], member: str) -> Any:
    """A member of a response of Cognito, without which it cannot be used; Unavailable if it is
    missing or empty."""
    if not (value := response.get(member)):
        raise Unavailable
    return value


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
        name = unicode.normalize_name(attributes.get("name") or "")
        return cls(required_member(attributes, "sub"), email, name or None)

    @classmethod
    def from_id_token(cls, id_token: str) -> Self:
        """The profile of an ID token that Cognito has just sent.

        The signature of a token that came directly from the issuer over TLS need not be checked:
        OpenID Connect Core 1.0, section 3.1.3.7, point 6.
        """
        try:
            claims = jwt.decode(id_token, options={"verify_signature": False})
        except jwt.PyJWTError:
            raise Unavailable from None
        return cls.from_attributes(claims)


@dataclass(frozen=True)
class Account:
    """An account of the user pool, with Cognito's names of the second factors that are enabled."""

    profile: Profile
    mfa_methods: list[str]

    @classmethod
    def from_response(cls, response: Mapping[str, Any]) -> Self:
        """The account by Cognito's response to GetUser."""
        attributes = required_member(response, "UserAttributes")
        profile = Profile.from_attributes(
            {each["Name"]: each.get("Value", "") for each in attributes}
        )
        return cls(profile, response.get("UserMFASettingList", []))


@dataclass(frozen=True)
class SignIn:
    """The state of a sign-in: completed with tokens, or waiting for the answer to a challenge."""

    tokens: Tokens | None = None
    challenge_name: str | None = None
    session: str | None = None

    @classmethod
    def from_response(cls, response: Mapping[str, Any], refresh_token: str = "") -> Self:
        """The state by Cognito's response to InitiateAuth, RespondToAuthChallenge or
        GetTokensFromRefreshToken; the given refresh token is the current one, for a response
        without a new one."""
        result = response.get("AuthenticationResult")
        if not result:
            return cls(None, required_member(response, "ChallengeName"), response.get("Session"))
        tokens = Tokens(
            required_member(result, "AccessToken"),
            required_member(result, "IdToken"),
            result.get("RefreshToken", refresh_token),
            result.get("ExpiresIn", MIN_TOKEN_VALIDITY),
        )
        return cls(tokens)

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
