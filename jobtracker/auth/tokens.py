"""Verification of Cognito's access tokens.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

import datetime
import functools
import hashlib
import logging
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import jwt
from jwt.utils import base64url_decode, base64url_encode

from jobtracker.auth.clock import CognitoClock
from jobtracker.auth.jwks import JWKSCache
from jobtracker.aws import DEFAULT_TIMEOUTS, Timeouts, endpoint_of
from jobtracker.errors import Unavailable
from jobtracker.logs.outages import log_outage

log = logging.getLogger(__name__)

LEEWAY = 10  # seconds after its exp for which a token is accepted, for clocks that differ
# Characters: Cognito's have a quarter of them.
MAX_TOKEN_LENGTH = 4096
MAX_CACHED = 200_000
# Seconds for which a token is cached at most: the longest validity that Cognito allows.
MAX_TTL = 24 * 3600
REJECTED_TTL = 10  # seconds for which it is cached that a token is revoked


def token_digest(token: str) -> bytes:
    """The key of an access token in caches, which contain no tokens."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


class AccessToken(NamedTuple):
    """The claims of an access token about its session: the sign-in and all refreshes after it."""

    sub: str
    #: When the user signed in, which a refresh does not change. Whole seconds.
    authenticated_at: datetime.datetime
    #: The same in all tokens of the session; empty where the user pool has no token revocation.
    origin_jti: str
    #: Of the user at the latest request with this token. The statement that finds the user checks
    #: it: after a restore of the database it can be out of date.
    user_id: int | None = None

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


# An entry of TokenCache: when it expires (Unix time), when the user signed in, the user's id or 0,
# and the length of origin_jti; origin_jti and sub follow. Of a token that is rejected nothing does.
_HEAD = struct.Struct("<dqqH")


def _pack(token: AccessToken | None, expires: float) -> bytes:
    if token is None:
        return _HEAD.pack(expires, 0, 0, 0)
    seconds, origin_jti = int(token.authenticated_at.timestamp()), token.origin_jti.encode()
    head = _HEAD.pack(expires, seconds, token.user_id or 0, len(origin_jti))
    return head + origin_jti + token.sub.encode()


@functools.lru_cache(16_384)  # each request unpacks it twice, which takes 5 us otherwise
def _unpack(entry: bytes) -> tuple[AccessToken | None, float]:
    expires, seconds, user_id, length = _HEAD.unpack_from(entry)
    start = _HEAD.size
    if len(entry) == start:
        return None, expires
    authenticated_at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    origin_jti, sub = entry[start : start + length].decode(), entry[start + length :].decode()
    return AccessToken(sub, authenticated_at, origin_jti, user_id or None), expires


class TokenCache:
    """The claims of verified access tokens, by the digests of these, until they expire; the oldest
    are dropped first. Thread-safe; reading takes no lock.

    The values are bytes: 300 bytes of memory for a token, half of what the objects take, and no
    work for the garbage collector.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._entries: dict[bytes, bytes] = {}
        # A dict alone needs linear time to find its first key after deletions.
        self._oldest_first: deque[bytes] = deque()
        self._lock = threading.Lock()
        #: When the user of a token signed in, the latest of all tokens (Unix time).
        self.latest_sign_in = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, digest: bytes) -> tuple[AccessToken | None, float]:
        """The token, None if it was rejected or is not cached; and when the entry expires."""
        entry = self._entries.get(digest)
        return (None, 0.0) if entry is None else _unpack(entry)

    def put(self, digest: bytes, token: AccessToken | None, expires: float) -> None:
        """:param token: None for one that is rejected"""
        if token is not None:
            seconds = int(token.authenticated_at.timestamp())
            self.latest_sign_in = max(self.latest_sign_in, seconds)
        entry, now = _pack(token, expires), time.time()
        with self._lock:
            if digest not in self._entries:
                self._oldest_first.append(digest)
            self._entries[digest] = entry
            while len(self._entries) > self._max_tokens or self._is_oldest_expired(now):
                del self._entries[self._oldest_first.popleft()]

    def _is_oldest_expired(self, now: float) -> bool:
        return bool(self._oldest_first) and self.get(self._oldest_first[0])[1] <= now


class AccessTokens:
    """Verifies the access tokens that a user pool issued to an app client.

    At DEBUG it logs which check a token failed, without the token.

    :param issuer: the claim ``iss`` of the tokens; by default that of AWS, also for emulators
    :param max_cached: the maximum number of tokens in :class:`TokenCache`
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
        max_cached: int = MAX_CACHED,
    ) -> None:
        self.clock = clock or CognitoClock()
        aws = endpoint_of("cognito-idp", region)
        self.issuer = issuer or f"{aws}/{user_pool_id}"
        self.client_id = client_id
        url = f"{endpoint_url or aws}/{user_pool_id}/.well-known/jwks.json"
        self._max_cached = max_cached
        self.clear_cache()
        # A token that a withdrawn key has signed is not valid, cached or not.
        self.keys = JWKSCache(url, timeouts, on_withdrawal=self.clear_cache)

    def clear_cache(self) -> None:
        """Replace the cache, so that a concurrent :meth:`verify` does not put what it has verified
        with the keys of before."""
        self.cache = TokenCache(self._max_cached)

    def verify(self, token: str) -> AccessToken | None:
        """Return the claims of a valid access token, None for another token; Unavailable when the
        keys of the user pool cannot be fetched. Revocations are in the database; see also
        :meth:`reject`."""
        if len(token) > MAX_TOKEN_LENGTH:
            log.debug("An access token has more than %d characters", MAX_TOKEN_LENGTH)
            return None
        digest, cache = token_digest(token), self.cache
        verified, expires = cache.get(digest)
        now = time.time()
        if now < expires:
            return verified
        try:
            claims = self._decode(token)
            verified = AccessToken.from_claims(claims)
            ahead = claims.get("iat", 0) - now
            expires = min(int(claims["exp"]) + LEEWAY, now + MAX_TTL)
            cache.put(digest, verified, expires)
        except jwt.PyJWTError as error:
            log.debug("An access token is not valid: %s", error)
            return None
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            log.debug("An access token is malformed: %s", type(error).__name__)
            return None
        if ahead > 0:
            self.clock.warn(ahead)
        return verified

    def set_user_id(self, token: str, user_id: int) -> None:
        """Cache the id of a token's user."""
        digest, cache = token_digest(token), self.cache
        verified, expires = cache.get(digest)
        if verified is not None:
            cache.put(digest, verified._replace(user_id=user_id), expires)

    def reject(self, token: str) -> None:
        """Cache that a token is not valid, since it is revoked: its requests no longer count as
        those of the user, nor execute statements."""
        log.debug("An access token is revoked")
        self.cache.put(token_digest(token), None, time.time() + REJECTED_TTL)

    def check_source(self, token: str) -> None:
        """Unavailable when a token that Cognito has just sent is of another user pool or app
        client, so that :meth:`verify` would not accept it; a malformed one passes."""
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return
        expected = {"iss": self.issuer, "client_id": self.client_id}
        if {name: claims.get(name, value) for name, value in expected.items()} != expected:
            log_outage(
                log,
                "Cognito",
                "Cognito: the app client cognito.client_id is not of cognito.user_pool_id, or the "
                "iss of its tokens is not %s (setting cognito.issuer)",
                self.issuer,
            )
            raise Unavailable

    def cached_sub(self, token: str) -> str | None:
        """The ``sub`` of a token that was valid when it was last verified, if that is cached."""
        verified, _expires = self.cache.get(token_digest(token))
        return verified.sub if verified is not None else None

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
        # Otherwise one token has many texts, each of which would be cached, and not be rejected
        # with the others.
        signature = token.rpartition(".")[2]
        if base64url_encode(base64url_decode(signature)).decode() != signature:
            raise jwt.InvalidTokenError("its signature is not encoded canonically")
        return claims
