"""The cache of Cognito's accounts."""

from collections.abc import Iterator

import pytest

from jobtracker.auth.account_cache import MAX_ACCOUNTS, TTL, AccountCache
from jobtracker.auth.sign_in import Account, Profile
from jobtracker.errors import ApiError, RateLimited, Unauthorized, Unavailable

ADA = Account(Profile("ada", "ada@example.com", "Ada"), [])


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Answers the given results in turn, and counts its calls."""

    def __init__(self, *results: Account | ApiError | type[ApiError]) -> None:
        self.results: Iterator[Account | ApiError | type[ApiError]] = iter(results)
        self.calls = 0

    def __call__(self, access_token: str) -> Account:
        self.calls += 1
        result = next(self.results)
        if isinstance(result, Account):
            return result
        raise result


def test_account_is_cached_until_it_expires():
    clock, source = Clock(), Source(ADA, ADA)
    cache = AccountCache(clock)
    for _ in range(3):
        assert cache.get("token", 1, source) == ADA
    assert source.calls == 1
    clock.now = TTL + 1
    cache.get("token", 1, source)
    assert source.calls == 2


def test_other_token_and_other_version_are_other_entries():
    source = Source(ADA, ADA, ADA)
    cache = AccountCache()
    for token, version in (("token", 1), ("token", 2), ("other", 1)):
        cache.get(token, version, source)
    assert source.calls == 3


def test_rejection_is_cached():
    source = Source(Unauthorized)
    cache = AccountCache()
    raised = []
    for _ in range(3):
        with pytest.raises(Unauthorized) as rejected:
            cache.get("token", None, source)
        raised.append(rejected.value)
    assert source.calls == 1
    assert len({id(error) for error in raised}) == 3  # each with its own traceback


@pytest.mark.parametrize("error", [Unavailable(), RateLimited(limit="x")], ids=repr)
def test_other_errors_are_not_cached(error: ApiError):
    source = Source(error, ADA)
    cache = AccountCache()
    with pytest.raises(type(error)):
        cache.get("token", None, source)
    assert cache.get("token", None, source) == ADA


def test_cache_is_bounded_and_has_no_token_in_it():
    cache = AccountCache()
    for number in range(MAX_ACCOUNTS + 10):
        cache.get(f"token-{number}", None, lambda _token: ADA)
    assert len(cache._accounts) == MAX_ACCOUNTS
    assert "token-" not in repr(cache._accounts)
