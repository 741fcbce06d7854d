"""Verification of Cognito's access tokens.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

import hashlib
import threading
import time
from typing import NamedTuple

import jwt
from cachetools import LRUCache

from jobtracker.auth.jwks import JWKSCache
from jobtracker.aws import DEFAULT_TIMEOUTS, Timeouts

# Seconds by which the clocks of Cognito and of this machine may differ.
LEEWAY = 10

# Seconds for which the result of a verification is cached. A key that is withdrawn from the JWKS
# is accepted for as long.
VERIFIED_TTL = 60
MAX_VERIFIED = 5000


class VerifiedToken(NamedTuple):
    """The ``sub`` of a valid token, and the time until which it is cached (Unix time)."""

    sub: str
    cached_until: float


class AccessTokens:
    """Verifies the access tokens that a user pool issued to an app client."""

    def __init__(
        self,
        *,
        region: str,
        user_pool_id: str,
        client_id: str,
        endpoint_url: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        aws = f"https://cognito-idp.{region}.amazonaws.com"
        self.issuer = f"{aws}/{user_pool_id}"  # emulators issue tokens with AWS's URL too
        self.client_id = client_id
        self.keys = JWKSCache(
            f"{endpoint_url or aws}/{user_pool_id}/.well-known/jwks.json", timeouts
        )
        self._verified: LRUCache[bytes, VerifiedToken] = LRUCache(MAX_VERIFIED)
        self._lock = threading.Lock()  # of the cache

    def verify(self, token: str) -> str | None:
        """Return the ``sub`` of an access token, or None when the token is not valid.

        :raises jobtracker.errors.Unavailable: when the keys of the user pool cannot be fetched
        """
        # The cache holds no tokens, which are credentials.
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        with self._lock:
            verified = self._verified.get(digest)
        if verified is None or time.time() >= verified.cached_until:
            verified = self._decode(token)
            if verified is None:
                return None
            with self._lock:
                self._verified[digest] = verified
        return verified.sub

    def _decode(self, token: str) -> VerifiedToken | None:
        try:
            header = jwt.get_unverified_header(token)
            # The algorithm is fixed: the token's own header must not choose it.
            key = self.keys.get(header["kid"]) if header["alg"] == "RS256" else None
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self.issuer,
                leeway=LEEWAY,
                # Access tokens of Cognito have client_id in the place of aud.
                options={"require": ["exp", "iss", "sub"], "verify_aud": False},
            )
        except (jwt.PyJWTError, KeyError, ValueError, RecursionError):
            return None
        if claims.get("token_use") != "access" or claims.get("client_id") != self.client_id:
            return None
        cached_until = min(claims["exp"] + LEEWAY, time.time() + VERIFIED_TTL)
        return VerifiedToken(claims["sub"], cached_until)
