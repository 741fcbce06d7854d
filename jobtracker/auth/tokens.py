"""Access tokens: whether one is ours, and whose.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

import time
from typing import NamedTuple

import jwt

from jobtracker.auth.jwks import JWKSCache
from jobtracker.aws import USUAL_TIMEOUTS, Timeouts

# Seconds by which the clocks of Cognito and ours may differ.
LEEWAY = 10


# A token that was verified is not verified again for so many seconds: a signature costs more than
# all else that a poll does. For so long may a key hold that Cognito has withdrawn.
VERIFIED_TTL = 60
# Tokens, of 1 KB or so.
MAX_REMEMBERED = 5000


class Verified(NamedTuple):
    """Whose a token is, and until when we need not look again (seconds of the epoch)."""

    sub: str
    until: float


class AccessTokens:
    """Verifies the access tokens that a user pool issued to our app client."""

    def __init__(
        self,
        *,
        region: str,
        user_pool_id: str,
        client_id: str,
        endpoint_url: str | None = None,
        timeouts: Timeouts = USUAL_TIMEOUTS,
    ) -> None:
        aws = f"https://cognito-idp.{region}.amazonaws.com"
        self.issuer = f"{aws}/{user_pool_id}"  # of every token, whatever endpoint issued it
        self.client_id = client_id
        self._verified: dict[str, Verified] = {}
        self.keys = JWKSCache(
            f"{endpoint_url or aws}/{user_pool_id}/.well-known/jwks.json", timeouts
        )

    def sub_of(self, token: str) -> str | None:
        """The ``sub`` of whoever bears the token, or None when it is not a valid one.

        Valid: RS256, whatever the token itself names, by a key of the pool; of our pool and app
        client; an access token; not expired.

        :raises jobtracker.errors.Unavailable: when the pool's keys cannot be had
        """
        verified = self._verified.get(token)
        if verified is not None and time.time() < verified.until:
            return verified.sub
        sub, expires = self._verify(token)
        if sub is not None:
            until = min(expires + LEEWAY, time.time() + VERIFIED_TTL)
            if len(self._verified) >= MAX_REMEMBERED:
                self._verified.clear()  # those who are here will be back at once
            self._verified[token] = Verified(sub, until)
        return sub

    def _verify(self, token: str) -> tuple[str | None, float]:
        """The ``sub`` and the end of a valid token."""
        try:
            header = jwt.get_unverified_header(token)
            key = self.keys.get(header["kid"]) if header["alg"] == "RS256" else None
            if key is None:
                return None, 0
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "sub"], "verify_aud": False},
            )
        except (jwt.PyJWTError, KeyError, ValueError, RecursionError):
            return None, 0
        if claims.get("token_use") != "access" or claims.get("client_id") != self.client_id:
            return None, 0
        return claims["sub"], claims["exp"]
