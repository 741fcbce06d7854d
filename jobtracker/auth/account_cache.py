"""A cache of accounts, so that many requests with one token make few calls to Cognito."""

import threading
import time
from collections.abc import Callable, Hashable

from cachetools import TTLCache

from jobtracker.auth.sign_in import Account
from jobtracker.auth.tokens import token_digest
from jobtracker.errors import Unauthorized

TTL = 30  # seconds until a change is seen that was not made by JobTracker
MAX_ACCOUNTS = 5000
_REJECTED = "rejected"  # in the place of an account


class AccountCache:
    """Caches the account of an access token, and that Cognito rejects the token: of an account that
    was deleted, for example. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # By the SHA-256 of the token, and the version.
        self._accounts: TTLCache[tuple[bytes, Hashable], Account | str] = TTLCache(
            MAX_ACCOUNTS, TTL, clock
        )
        self._lock = threading.Lock()

    def get(
        self, access_token: str, version: Hashable, get_user: Callable[[str], Account]
    ) -> Account:
        """The account, from ``get_user`` unless it is cached with the same version; Unauthorized
        for a rejected token. Other errors are not cached."""
        key = token_digest(access_token), version
        with self._lock:
            cached = self._accounts.get(key)
        if cached is None:
            try:
                cached = get_user(access_token)
            except Unauthorized:
                self._put(key, _REJECTED)
                raise
            self._put(key, cached)
        if isinstance(cached, Account):
            return cached
        raise Unauthorized

    def _put(self, key: tuple[bytes, Hashable], account: Account | str) -> None:
        with self._lock:
            self._accounts[key] = account
