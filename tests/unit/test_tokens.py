"""Access tokens: how often Cognito is asked for its keys, and what when it does not answer."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from jobtracker.auth.tokens import AccessTokens
from jobtracker.errors import Unavailable

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test"


class KeyServer(HTTPServer):
    """Where the keys of a pool are, if ``answer`` is what they are."""

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
        """Nothing to tell."""


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with KeyServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def tokens(keys: KeyServer) -> AccessTokens:
    return AccessTokens(
        region="eu-central-1",
        user_pool_id="eu-central-1_Test",
        client_id="client",
        endpoint_url=f"http://127.0.0.1:{keys.server_port}",
    )


def token(kid: str = "known") -> str:
    claims = {"sub": "ada", "iss": ISSUER, "client_id": "client", "token_use": "access"}
    return jwt.encode(
        {**claims, "exp": 4_000_000_000}, KEY, algorithm="RS256", headers={"kid": kid}
    )


def test_keys_are_fetched_once(tokens: AccessTokens, keys: KeyServer):
    for _ in range(5):
        assert tokens.sub_of(token()) == "ada"
    assert keys.paths == ["/eu-central-1_Test/.well-known/jwks.json"]


def test_unknown_key_ids_do_not_hammer_cognito(tokens: AccessTokens, keys: KeyServer):
    for number in range(50):
        assert tokens.sub_of(token(f"unknown {number}")) is None
    assert tokens.sub_of(token()) == "ada"
    assert len(keys.paths) == 1


def test_what_no_key_could_sign_asks_for_none(tokens: AccessTokens, keys: KeyServer):
    payload = {"sub": "ada"}
    for bad in ("garbage", jwt.encode(payload, "", algorithm="none"), "a.b.c"):
        assert tokens.sub_of(bad) is None
    assert keys.paths == []


@pytest.mark.parametrize(
    "answer", [(500, b""), (200, b"<html>"), (200, b"[]"), (200, b'{"keys": []}')]
)
def test_keys_that_cannot_be_had_are_no_fault_of_the_token(
    tokens: AccessTokens, keys: KeyServer, answer: tuple[int, bytes]
):
    good, keys.answer = keys.answer, answer
    with pytest.raises(Unavailable):
        tokens.sub_of(token())
    keys.answer = good
    assert tokens.sub_of(token()) == "ada"


def test_nobody_there_is_no_fault_of_the_token():
    tokens = AccessTokens(
        region="eu-central-1",
        user_pool_id="eu-central-1_Test",
        client_id="client",
        endpoint_url="http://127.0.0.1:1",
    )
    with pytest.raises(Unavailable):
        tokens.sub_of(token())
