"""Access tokens: how often the JWKS is fetched, and what its failure raises."""

import datetime
import json
import string
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from jobtracker.auth.tokens import AccessToken, AccessTokens, TokenCache
from jobtracker.errors import Unavailable

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test"


class KeyServer(HTTPServer):
    """An HTTP server of the JWKS, which responds with ``answer``."""

    answer: tuple[int, bytes] = (
        200,
        json.dumps(
            {"keys": [{**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "known"}]}
        ).encode(),
    )

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), KeyHandler)
        self.paths: list[str] = []


class KeyHandler(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        status, body = self.server.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """No log."""


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with KeyServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Clock:
    """A clock that the test sets, in seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def access_tokens(port: int, issuer: str | None = None) -> AccessTokens:
    return AccessTokens(
        issuer=issuer,
        region="eu-central-1",
        user_pool_id="eu-central-1_Test",
        client_id="client",
        endpoint_url=f"http://127.0.0.1:{port}",
    )


@pytest.fixture
def tokens(keys: KeyServer, clock: Clock) -> AccessTokens:
    tokens = access_tokens(keys.server_port)
    tokens.keys.clock = clock
    return tokens


def token(kid: str = "known", **others: Any) -> str:
    claims = {"sub": "ada", "iss": ISSUER, "client_id": "client", "token_use": "access"}
    return jwt.encode(
        {**claims, "exp": 4_000_000_000, **others}, KEY, algorithm="RS256", headers={"kid": kid}
    )


def verified_sub(tokens: AccessTokens, token: str) -> str | None:
    verified = tokens.verify(token)
    return verified and verified.sub


def test_jwks_is_fetched_once(tokens: AccessTokens, keys: KeyServer):
    for _ in range(5):
        assert verified_sub(tokens, token()) == "ada"
    assert keys.paths == ["/eu-central-1_Test/.well-known/jwks.json"]


def test_unknown_key_ids_refetch_the_jwks_at_most_every_30_seconds(
    tokens: AccessTokens, keys: KeyServer, clock: Clock
):
    for number in range(100):
        clock.now += 1
        assert tokens.verify(token(f"unknown {number}")) is None
    assert verified_sub(tokens, token()) == "ada"
    assert len(keys.paths) == 4


@pytest.mark.parametrize(
    ("claims", "seconds"),
    [
        ({"iat": 2000}, 2000),
        ({"iat": 2000, "auth_time": 1000}, 1000),  # a refreshed one
        ({"iat": 1000, "auth_time": 2000}, 1000),
        ({}, 0),
    ],
)
def test_time_of_authentication_is_the_earlier_of_iat_and_auth_time(
    tokens: AccessTokens, claims: dict[str, Any], seconds: int
):
    verified = tokens.verify(token(**claims))
    assert verified is not None
    assert verified.authenticated_at.timestamp() == seconds
    assert verified.origin_jti == ""
    again = tokens.verify(token(**claims, origin_jti="of the session"))
    assert again is not None
    assert again.origin_jti == "of the session"


@pytest.mark.parametrize("claims", [{"iat": -1e300}, {"iat": 1, "auth_time": "x"}])
def test_time_that_cannot_be_read_is_invalid(tokens: AccessTokens, claims: dict[str, Any]):
    assert tokens.verify(token(**claims)) is None


def test_malformed_token_does_not_fetch_the_jwks(tokens: AccessTokens, keys: KeyServer):
    for bad in ("garbage", jwt.encode({"sub": "ada"}, "", algorithm="none"), "a.b.c"):
        assert tokens.verify(bad) is None
    assert keys.paths == []


def test_token_that_is_too_long_is_not_verified(tokens: AccessTokens, keys: KeyServer):
    assert tokens.verify(token(padding="x" * 4000)) is None
    assert keys.paths == []


def test_valid_token_has_one_text(tokens: AccessTokens):
    valid = token()
    assert verified_sub(tokens, valid) == "ada"
    *signed, signature = valid.split(".")
    last = "-0123456789_" + string.ascii_letters
    encoded = [signature[:-1] + each for each in last if each != signature[-1]]
    others = [*encoded, f"{signature}=", f"{signature}==", f"!{signature}", f"{signature[:9]} x"]
    others += [f"{signature[:9]}{each}{signature[9:]}" for each in "!~=\u00e9\n"]
    for other in others:
        assert tokens.verify(".".join((*signed, other))) is None
    assert len(tokens.cache) == 1


def test_verified_token_is_cached(tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch):
    verify = jwt.decode
    verified: list[str] = []

    def counted(token: str, *args: Any, **options: Any) -> Any:
        verified.append(token)
        return verify(token, *args, **options)

    monkeypatch.setattr(jwt, "decode", counted)
    assert [verified_sub(tokens, each) for each in [token()] * 3] == ["ada"] * 3
    assert len(verified) == 1
    bad = token()[:-4] + "AAAA"
    assert [tokens.verify(bad) for _ in range(2)] == [None] * 2
    assert len(verified) == 3
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 24 * 3600)
    tokens.verify(token())
    assert len(verified) == 4


def expired(*_args: Any, **_options: Any) -> Any:
    raise jwt.ExpiredSignatureError


def test_cached_token_expires_with_its_exp(tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch):
    now = time.time()
    ends = token(exp=int(now) + 5)
    assert verified_sub(tokens, ends) == "ada"
    monkeypatch.setattr(time, "time", lambda: now + 16)
    monkeypatch.setattr(jwt, "decode", expired)
    assert tokens.verify(ends) is None


def test_cache_drops_the_oldest_tokens_and_those_that_expired(monkeypatch: pytest.MonkeyPatch):
    cache, now = TokenCache(3), time.time()
    signed_in = datetime.datetime.fromtimestamp(1, datetime.UTC)
    digests = [bytes([number]) for number in range(6)]
    for number, digest in enumerate(digests):
        cache.put(digest, AccessToken("ada", signed_in, "session", number), now + 10)
        cache.put(digest, AccessToken("ada", signed_in, "session", 7), now + 10)
    assert [cache.get(digest)[0] for digest in digests] == [None] * 3 + [
        AccessToken("ada", signed_in, "session", 7)
    ] * 3
    monkeypatch.setattr(time, "time", lambda: now + 11)
    cache.put(b"new", None, now + 20)
    assert len(cache) == 1
    assert cache.get(b"new") == (None, now + 20)
    cache.put(b"new", None, now)
    assert len(cache) == 0


def test_cache_contains_no_tokens(tokens: AccessTokens):
    assert verified_sub(tokens, token()) == "ada"
    assert token() not in str(vars(tokens.cache))


def test_user_id_is_cached_with_the_token(tokens: AccessTokens):
    first = tokens.verify(token())
    tokens.set_user_id(token(), 2**53 - 1)
    tokens.set_user_id(token(jti="unknown"), 1)
    assert first is not None
    assert first.user_id is None
    assert tokens.verify(token()) == first._replace(user_id=2**53 - 1)
    assert len(tokens.cache) == 1
    tokens.reject(token())
    tokens.set_user_id(token(), 1)
    assert tokens.verify(token()) is None


def test_token_of_a_withdrawn_key_is_not_valid_although_it_was_cached(
    tokens: AccessTokens, keys: KeyServer, clock: Clock
):
    both, keys.answer = keys.answer, (200, keys.answer[1].replace(b"known", b"old"))
    assert verified_sub(tokens, token("old")) == "ada"
    keys.answer = both
    assert tokens.verify(token()) is None
    assert verified_sub(tokens, token("old")) == "ada"
    clock.now += 30
    assert verified_sub(tokens, token()) == "ada"
    assert tokens.verify(token("old")) is None


def test_token_whose_key_is_withdrawn_during_its_verification_is_not_cached(
    tokens: AccessTokens, keys: KeyServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    decode = jwt.decode

    def decode_then_withdraw(*args: Any, **options: Any) -> Any:
        monkeypatch.undo()
        claims = decode(*args, **options)
        keys.answer = (200, keys.answer[1].replace(b"known", b"new"))
        clock.now += 30
        assert verified_sub(tokens, token("new")) == "ada"
        return claims

    assert tokens.verify(token("unknown")) is None  # fetches the keys
    monkeypatch.setattr(jwt, "decode", decode_then_withdraw)
    tokens.verify(token())
    tokens.set_user_id(token(), 1)
    assert tokens.verify(token()) is None


BROKEN = [
    (500, b""),
    (302, b""),
    (200, b"<html>"),
    (200, b"[]"),
    (200, b'{"keys": []}'),
    (200, b"[" * 100_000),
    (200, b" " * 300_000 + b'{"keys": []}'),
]


@pytest.mark.parametrize("answer", BROKEN)
def test_invalid_jwks_response_raises_unavailable(
    tokens: AccessTokens, keys: KeyServer, clock: Clock, answer: tuple[int, bytes]
):
    good, keys.answer = keys.answer, answer
    for _ in range(3):
        with pytest.raises(Unavailable):
            tokens.verify(token())
    assert len(keys.paths) == 1
    keys.answer = good
    clock.now += 5
    assert verified_sub(tokens, token()) == "ada"


@pytest.mark.parametrize("answer", BROKEN)
def test_cached_keys_are_used_while_the_jwks_is_unavailable(
    tokens: AccessTokens, keys: KeyServer, clock: Clock, answer: tuple[int, bytes]
):
    assert verified_sub(tokens, token()) == "ada"
    keys.answer = answer
    clock.now += 60
    for number in range(50):
        with pytest.raises(Unavailable):  # it may be a new one
            tokens.verify(token(f"unknown {number}"))
    assert len(keys.paths) == 2
    clock.now += 7 * 24 * 3600
    assert verified_sub(tokens, token()) == "ada"


def test_known_key_does_not_wait_for_a_slow_fetch(
    tokens: AccessTokens, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    assert verified_sub(tokens, token()) == "ada"
    clock.now += 60
    begun, end = threading.Event(), threading.Event()

    def slow() -> dict[str, jwt.PyJWK]:
        begun.set()
        assert end.wait(10)
        return {}

    monkeypatch.setattr(tokens.keys, "_fetch", slow)
    garbage = threading.Thread(target=tokens.verify, args=(token("unknown"),))
    garbage.start()
    assert begun.wait(10)
    assert verified_sub(tokens, token()) == "ada"
    assert garbage.is_alive()
    end.set()
    garbage.join()


def test_unreachable_jwks_raises_unavailable():
    tokens = access_tokens(1)
    with pytest.raises(Unavailable):
        tokens.verify(token())


def test_issuer_is_compared_exactly_with_the_setting(keys: KeyServer):
    tokens = access_tokens(keys.server_port, issuer="http://cognito:9229/pool")
    assert verified_sub(tokens, token(iss="http://cognito:9229/pool")) == "ada"
    for other in (ISSUER, "http://cognito:9229/pool/", "http://cognito:9229", ""):
        assert tokens.verify(token(iss=other)) is None


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1}, "expired"),
        ({"iss": "https://other.example"}, f"iss is not {ISSUER} (setting cognito.issuer)"),
        ({"token_use": "id"}, "token_use"),
        ({"client_id": "other"}, "cognito.client_id"),
        ({"kid": "unknown"}, "kid"),
        ({"nbf": 4_000_000_000}, "not yet valid"),
        ({"auth_time": "x"}, "malformed: ValueError"),
        ({"padding": "x" * 4000}, "more than 4096 characters"),
    ],
)
def test_check_that_a_token_failed_is_logged_without_the_token(
    tokens: AccessTokens, claims: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
):
    bad = token(**{"jti": "secret", **claims})
    with caplog.at_level("DEBUG", "jobtracker.auth.tokens"):
        assert tokens.verify(bad) is None
    (record,) = caplog.records
    assert record.levelname == "DEBUG"
    assert reason in record.getMessage()
    for part in ("secret", "ada", *bad.split(".")):
        assert part not in record.getMessage()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("garbage", "not valid"),
        ("a.b.c", "not valid"),
        (jwt.encode({"sub": "ada"}, "x" * 32, algorithm="HS256"), "alg is not RS256"),
        (jwt.encode({"sub": "ada"}, KEY, algorithm="RS256"), "no kid"),
    ],
)
def test_token_of_another_kind_is_logged_without_a_fetch(
    tokens: AccessTokens, keys: KeyServer, bad: str, reason: str, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level("DEBUG", "jobtracker.auth.tokens"):
        assert tokens.verify(bad) is None
    assert reason in caplog.records[-1].getMessage()
    assert keys.paths == []
