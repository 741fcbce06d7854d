"""Verification of Cognito's access tokens.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

import datetime
import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import jwt

from jobtracker.auth.clock import CognitoClock
from jobtracker.auth.jwks import JWKSCache
from jobtracker.aws import DEFAULT_TIMEOUTS, Timeouts, endpoint_of
from jobtracker.errors import Unavailable

log = logging.getLogger(__name__)

LEEWAY = 10  # seconds after its exp for which a token is accepted, for clocks that differ
# Seconds for which the result of a verification is cached. A key that is withdrawn from the JWKS
# is accepted for as long.
VERIFIED_TTL = 60
# Characters: Cognito's have a quarter of them.
MAX_TOKEN_LENGTH = 4096
MAX_VERIFIED = 5000
REJECTED_TTL = 10  # seconds for which it is cached that a token is revoked


def token_digest(token: str) -> bytes:
    """The key of an access token in caches, which contain no tokens."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


class AccessToken(NamedTuple):
    """What an access token says of its session: the sign-in and all refreshes after it."""

    sub: str
    #: When the user signed in, which a refresh does not change. Whole seconds.
    authenticated_at: datetime.datetime
    #: The same in all tokens of the session; empty where the user pool has no token revocation.
    origin_jti: str

    @property
    def key(self) -> dict[str, Any]:
        """The parameters of the statements that find the user."""
        return self._asdict()

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Self:
        """:raises ValueError, TypeError, OverflowError: for claims that Cognito does not make"""
        issued_at = int(claims.get("iat", 0))
        seconds = min(issued_at, int(claims.get("auth_time", issued_at)))
        authenticated_at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        return cls(claims["sub"], authenticated_at, str(claims.get("origin_jti", "")))

    @classmethod
    def from_cognito(cls, token: str) -> Self:
        """Of a token that Cognito has just sent: see :meth:`Profile.from_id_token`.

        :raises Unavailable: when it is malformed
        """
        try:
            return cls.from_claims(jwt.decode(token, options={"verify_signature": False}))
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, OverflowError):
            raise Unavailable from None


class AccessTokens:
    """Verifies the access tokens that a user pool issued to an app client.

    At DEBUG it logs which check a token failed, without the token.

    :param issuer: the claim ``iss`` of the tokens; by default that of AWS, also for emulators
    """

    def __init__(
        self,
        user_pool_id: str,
        region: str,
        client_id: str,
        endpoint_url: str | None = None,
        issuer: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: CognitoClock | None = None,
    ) -> None:
        self.clock = clock or CognitoClock()
        aws = endpoint_of("cognito-idp", region)
        self.issuer = issuer or f"{aws}/{user_pool_id}"
        self.client_id = client_id
        url = f"{endpoint_url or aws}/{user_pool_id}/.well-known/jwks.json"
        self.keys = JWKSCache(url, timeouts)
        # By the SHA-256 of the token: the result, and when the entry expires (Unix time).
        # The oldest first; read without a lock.
        self._verified: OrderedDict[bytes, tuple[AccessToken | None, float]] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, token: str) -> AccessToken | None:
        """Return what a valid access token says, None for another token; Unavailable when the keys
        of the user pool cannot be fetched. Whether it is revoked, only the database says; see also
        :meth:`reject`."""
        if len(token) > MAX_TOKEN_LENGTH:
            log.debug("An access token has more than %d characters", MAX_TOKEN_LENGTH)
            return None
        digest = token_digest(token)
        verified, expires = self._verified.get(digest, (None, 0.0))
        if time.time() < expires:
            return verified
        try:
            claims = self._decode(token)
            verified = AccessToken.from_claims(claims)
            ahead = claims.get("iat", 0) - time.time()
        except jwt.PyJWTError as error:
            log.debug("An access token is not valid: %s", error)
            return None
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            log.debug("An access token is malformed: %s", type(error).__name__)
            return None
        if ahead > 0:
            self.clock.warn(ahead)
        self._put(digest, verified, min(claims["exp"] + LEEWAY, time.time() + VERIFIED_TTL))
        return verified

    def reject(self, token: str) -> None:
        """Cache that a token is not valid, since it is revoked: its requests no longer count as
        those of the user, nor execute statements."""
        log.debug("An access token is revoked")
        self._put(token_digest(token), None, time.time() + REJECTED_TTL)

    def latest_sign_in(self) -> float:
        """The latest time (Unix time) at which a user signed in, of the tokens that are cached:
        ahead of this machine's clock if that is behind."""
        with self._lock:
            cached = [token for token, _ in self._verified.values() if token is not None]
        return max((token.authenticated_at.timestamp() for token in cached), default=0.0)

    def check_source(self, token: str) -> None:
        """Unavailable when a token that Cognito has just sent is of another user pool or app
        client, so that :meth:`verify` would not accept it; a malformed one passes."""
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return
        expected = {"iss": self.issuer, "client_id": self.client_id}
        if {name: claims.get(name, value) for name, value in expected.items()} != expected:
            log.error(
                "Cognito: the app client cognito.client_id is not of cognito.user_pool_id, or the "
                "iss of its tokens is not %s (setting cognito.issuer)",
                self.issuer,
            )
            raise Unavailable

    def cached_sub(self, token: str) -> str | None:
        """The ``sub`` of a token that was valid when it was last verified, if that is cached."""
        verified, _expires = self._verified.get(token_digest(token), (None, 0.0))
        return verified.sub if verified is not None else None

    def _put(self, digest: bytes, verified: AccessToken | None, expires: float) -> None:
        with self._lock:
            self._verified[digest] = verified, expires
            self._verified.move_to_end(digest)
            if len(self._verified) > MAX_VERIFIED:
                self._verified.popitem(last=False)

    def _decode(self, token: str) -> dict[str, Any]:
        """Return the claims of a valid access token.

        :raises jwt.PyJWTError: for one that fails a check
        """
        header = jwt.get_unverified_header(token)
        # The algorithm is fixed: the token's own header must not choose it.
        if header.get("alg") != "RS256":
            raise jwt.InvalidAlgorithmError("alg is not RS256")
        if not isinstance(kid := header.get("kid"), str):
            raise jwt.InvalidTokenError("it has no kid")
        if (key := self.keys.get(kid)) is None:
            raise jwt.InvalidKeyError("the JWKS of the user pool has no such kid")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self.issuer,
                leeway=LEEWAY,
                # Access tokens of Cognito have client_id in the place of aud. The iat is no bound
                # (RFC 7519, 4.1.6): it can be ahead of this machine's clock.
                options={
                    "require": ["exp", "iss", "sub"],
                    "verify_aud": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidIssuerError:
            message = f"iss is not {self.issuer} (setting cognito.issuer)"
            raise jwt.InvalidIssuerError(message) from None
        if claims.get("token_use") != "access":
            raise jwt.InvalidTokenError("token_use is not access")
        if claims.get("client_id") != self.client_id:
            raise jwt.InvalidTokenError("client_id is not the setting cognito.client_id")
        return claims
