"""Verification of Cognito's access tokens.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

import hashlib
import threading
import time
from typing import Any

import jwt
from cachetools import FIFOCache

from jobtracker.auth.jwks import JWKSCache
from jobtracker.aws import DEFAULT_TIMEOUTS, Timeouts

LEEWAY = 10  # seconds by which the clocks of Cognito and of this machine may differ
# Seconds for which the result of a verification is cached. A key that is withdrawn from the JWKS
# is accepted for as long.
VERIFIED_TTL = 60
MAX_VERIFIED = 5000


class AccessTokens:
    """Verifies the access tokens that a user pool issued to an app client."""

    def __init__(
        self,
        user_pool_id: str,
        region: str,
        client_id: str,
        endpoint_url: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        aws = f"https://cognito-idp.{region}.amazonaws.com"
        self.issuer = f"{aws}/{user_pool_id}"  # emulators issue tokens with AWS's URL too
        self.client_id = client_id
        url = f"{endpoint_url or aws}/{user_pool_id}/.well-known/jwks.json"
        self.keys = JWKSCache(url, timeouts)
        # By the SHA-256 of the token: sub, and when the entry expires (Unix time).
        self._verified: FIFOCache[bytes, tuple[str, float]] = FIFOCache(MAX_VERIFIED)
        self._lock = threading.Lock()

    def verify(self, token: str) -> str | None:
        """Return the ``sub`` of a valid access token, None for another token; Unavailable when the
        keys of the user pool cannot be fetched."""
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        with self._lock:
            sub, expires = self._verified.get(digest, ("", 0.0))
        if time.time() < expires:
            return sub
        claims = self._decode(token)
        if claims is None:
            return None
        expires = min(claims["exp"] + LEEWAY, time.time() + VERIFIED_TTL)
        with self._lock:
            self._verified[digest] = claims["sub"], expires
        return claims["sub"]

    def cached_sub(self, token: str) -> str | None:
        """The ``sub`` of a token that was valid when it was last verified, if that is cached."""
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        with self._lock:
            return self._verified.get(digest, (None, 0.0))[0]

    def _decode(self, token: str) -> dict[str, Any] | None:
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
        return claims
