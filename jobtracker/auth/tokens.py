"""Access tokens: whether one is ours, and whose.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

import jwt

from jobtracker.auth.keys import PoolKeys
from jobtracker.aws import USUAL_TIMEOUTS, Timeouts

# Seconds by which the clocks of Cognito and ours may differ.
LEEWAY = 10


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
        self.keys = PoolKeys(
            f"{endpoint_url or aws}/{user_pool_id}/.well-known/jwks.json", timeouts
        )

    def sub_of(self, token: str) -> str | None:
        """The ``sub`` of whoever bears the token, or None when it is not a valid one.

        Valid: RS256, whatever the token itself names, by a key of the pool; of our pool and app
        client; an access token; not expired.

        :raises jobtracker.errors.Unavailable: when the pool's keys cannot be had
        """
        try:
            header = jwt.get_unverified_header(token)
            key = self.keys.get(header["kid"]) if header["alg"] == "RS256" else None
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "sub"], "verify_aud": False},
            )
        except (jwt.PyJWTError, KeyError, ValueError, RecursionError):
            return None
        if claims.get("token_use") != "access" or claims.get("client_id") != self.client_id:
            return None
        return claims["sub"]
