"""Turnstile: what its responses raise."""

import io
import json
from typing import Any

import pytest
import requests

from jobtracker.auth.turnstile import Turnstile
from jobtracker.errors import BadRequest, Unavailable
from jobtracker.local.turnstile import DUMMY_TOKEN, LocalTurnstile


@pytest.fixture
def cloudflare(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the response of siteverify."""

    def answers(body: Any, status: int = 200) -> Turnstile:
        verifier = Turnstile("https://turnstile.example/siteverify", "secret")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()

        def request(method: str, url: str, **options: Any) -> requests.Response:
            assert (method, url) == ("POST", verifier.url)
            assert options["data"] == {"secret": "secret", "response": "token"}
            response = requests.Response()
            response.status_code, response.raw = status, io.BytesIO(content)
            return response

        monkeypatch.setattr(verifier.http.session, "request", request)
        return verifier

    return answers


def test_successful_verification_passes(cloudflare: Any):
    cloudflare({"success": True, "error-codes": []}).check("token")


@pytest.mark.parametrize("code", ["invalid-input-response", "timeout-or-duplicate"])
def test_invalid_token_raises_bad_request(cloudflare: Any, code: str):
    with pytest.raises(BadRequest) as refused:
        cloudflare({"success": False, "error-codes": [code]}).check("token")
    assert refused.value.details == {"code": "CAPTCHA_FAILED"}


@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "error-codes": ["invalid-input-secret"]},
        {"success": False, "error-codes": ["internal-error"]},
        {"success": False, "error-codes": ["something-new", "invalid-input-response"]},
        {},
        [],
        None,
        b"<html>",
        b"\xff",
    ],
)
def test_malformed_or_failed_response_raises_unavailable(cloudflare: Any, body: Any):
    with pytest.raises(Unavailable):
        cloudflare(body, status=500 if body is None else 200).check("token")


@pytest.mark.parametrize("success", ["true", 1, None])
def test_success_other_than_true_raises_bad_request(cloudflare: Any, success: Any):
    with pytest.raises(BadRequest):
        cloudflare({"success": success}).check("token")


def test_unreachable_turnstile_raises_unavailable():
    with pytest.raises(Unavailable):
        Turnstile("http://127.0.0.1:1/", "secret").check("token")


def test_missing_secret_raises_unavailable():
    with pytest.raises(Unavailable):
        Turnstile("http://127.0.0.1:1/", None).check("token")


def test_local_turnstile_accepts_only_the_dummy_token(turnstile: LocalTurnstile):
    verifier = Turnstile(turnstile.url, turnstile.secret)
    verifier.check(DUMMY_TOKEN)
    for token in ("made-up", DUMMY_TOKEN.lower(), f"{DUMMY_TOKEN}&x=1", ""):
        with pytest.raises(BadRequest):
            verifier.check(token)
