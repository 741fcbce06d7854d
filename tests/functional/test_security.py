"""Authentication and authorization of every endpoint: tokens of every kind, other users' ids."""

import base64
import datetime
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cornice.service import get_services
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import text
from sqlalchemy.orm import Session

from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from tests.common.api import Api
from tests.common.endpoints import endpoints, example_ids, fill
from tests.common.isolation import (
    assert_cached_responses_are_separate,
    assert_cursors_are_separate,
    assert_hidden_from_others,
    assert_stored_responses_are_separate,
    assert_token_required,
)
from tests.common.user_pool import KEY_ID, MotoUserPool, public_key, signing_key

# The endpoints without a token, by hand: an endpoint that is not here must require one.
PUBLIC = {
    "/",
    "/health",
    "/ready",
    "/openapi.json",
    "/auth/cognito/signup",
    "/auth/cognito/confirm",
    "/auth/cognito/verification/send",
    "/auth/cognito/verification/confirm",
    "/auth/cognito/forgot-password",
    "/auth/cognito/reset-password",
    "/auth/cognito/login",
    "/auth/cognito/challenge",
    "/auth/cognito/mfa/setup",
    "/auth/cognito/mfa/verify",
    "/auth/cognito/refresh",
    "/auth/cognito/logout",
}


JOB = {"company_name": "Acme", "job_title": "Second"}


@pytest.fixture
def bobs(bob: Api) -> dict[str, int]:
    """The ids of Bob's resources."""
    return example_ids(bob)


@pytest.fixture
def two_of_each(ada: Api, bob: Api) -> None:
    """Two items in some list of each user, so that it has a second page."""
    for client in (ada, bob):
        job = f"/jobs/{example_ids(client)['job_id']}"
        client.post("/jobs", JOB)
        client.post("/saved-views", {"name": "Second", "data": {}})
        client.post(f"{job}/notes", {"body": "second"})
        client.post(f"{job}/interviews", {"scheduled_at": "2026-11-30T13:00:00Z"})


def hs256(payload: dict[str, Any], secret: bytes) -> str:
    """A token signed by HMAC. PyJWT refuses a public key as the secret."""

    def encoded(part: bytes) -> bytes:
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    header = {"alg": "HS256", "kid": KEY_ID}
    signed = b".".join(encoded(json.dumps(part).encode()) for part in (header, payload))
    return (signed + b"." + encoded(hmac.digest(secret, signed, "sha256"))).decode()


def invalid_tokens(user_pool: MotoUserPool) -> dict[str, str]:
    """Invalid tokens, by the reason."""
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = jwt.decode(user_pool.token(), options={"verify_signature": False})
    return {
        "blank": "",
        "garbage": "garbage",
        "three parts of garbage": "a.b.c",
        "not ASCII": "\u00fc\u00fc.\u00fc.\u00fc",
        "long": "x" * 20_000,
        "alg none": user_pool.token(algorithm="none"),
        "HS256 by the public key": hs256(payload, pem),
        "unknown kid": user_pool.token(key_id="unknown"),
        "known kid, other key": user_pool.token(key=stranger),
        "no kid": jwt.encode(payload, signing_key(), algorithm="RS256"),
        "RS512": user_pool.token(algorithm="RS512"),
        "expired": user_pool.token(exp=1_700_000_000),
        "never expires": user_pool.token(exp=None),
        "not yet valid": user_pool.token(nbf=4_000_000_000),
        "other issuer": user_pool.token(iss=user_pool.issuer + "x"),
        "no issuer": user_pool.token(iss=None),
        "other client": user_pool.token(client_id="other"),
        "audience instead of client": user_pool.token(client_id=None, aud=user_pool.client_id),
        "ID token": user_pool.user("ada@example.com", "Ada").id_token,
        "token_use id": user_pool.token(token_use="id"),
        "no token_use": user_pool.token(token_use=None),
        "no sub": user_pool.token(sub=None),
        "sub is no text": jwt.api_jws.encode(
            json.dumps({**payload, "sub": 5}).encode(),
            signing_key(),
            algorithm="RS256",
            headers={"kid": KEY_ID},
        ),
        "cut": user_pool.user("ada@example.com", "Ada").access_token[:-20],
    }


def test_every_endpoint_declares_its_permission_and_context(app: Any):
    assert len(list(endpoints())) > 20
    for service in get_services():
        assert isinstance(service, ApiService)
        assert service.arguments["context"] is not None
    for endpoint in endpoints():
        assert isinstance(endpoint.permission, Permission)
        assert (endpoint.permission is Permission.PUBLIC) == (endpoint.template in PUBLIC)


def test_protected_endpoint_without_a_token_answers_401(anonymous: Api, bob: Api):
    assert_token_required(anonymous, bob)


def test_public_endpoint_without_a_token_answers_200_or_422(anonymous: Api):
    for endpoint in endpoints():
        if endpoint.permission is Permission.PUBLIC:
            answer = anonymous.call(endpoint.method, endpoint.template, {}, status="*")
            assert answer.status_code in (200, 422), endpoint


def test_protected_endpoint_with_an_invalid_token_answers_401(
    anonymous: Api, user_pool: MotoUserPool, bobs: dict[str, int]
):
    answers = set()
    for forgery, token in invalid_tokens(user_pool).items():
        for endpoint in endpoints():
            if endpoint.permission is not Permission.PUBLIC and endpoint.method != "HEAD":
                path = fill(endpoint.template, bobs)
                client = anonymous.signed_in(token)
                answer = client.call(endpoint.method, path, {}, status="*")
                assert answer.status_code == 401, (forgery, endpoint)
                answers.add(answer.body)
    assert len(answers) == 1


@pytest.mark.parametrize(
    "revoke",
    [
        "UPDATE users SET tokens_valid_from = :moment WHERE cognito_sub = :sub",
        "INSERT INTO revoked_sessions (user_id, origin_jti)"
        " SELECT id, :origin_jti FROM users WHERE cognito_sub = :sub",
    ],
)
def test_protected_endpoint_with_a_revoked_token_answers_401(
    anonymous: Api, bob: Api, bobs: dict[str, int], db: Session, revoke: str
):
    invalid = anonymous.signed_in("garbage").call("GET", "/jobs", status=401)
    etag = {"If-None-Match": bob.get("/jobs").headers["ETag"]}
    claims = jwt.decode(bob.token or "", options={"verify_signature": False})
    moment = datetime.datetime.fromtimestamp(claims["iat"] + 1, datetime.UTC)
    db.execute(text(revoke), {**claims, "moment": moment})
    db.commit()
    for endpoint in endpoints():
        if endpoint.permission is not Permission.PUBLIC and endpoint.method != "HEAD":
            path = fill(endpoint.template, bobs)
            for headers in ({}, etag, {"If-Match": "*"}, {"Idempotency-Key": "k"}):
                answer = bob.call(endpoint.method, path, {}, status="*", headers=headers)
                assert answer.status_code == 401, (endpoint, headers)
                assert answer.body == invalid.body
    # A later sign-in of the same user.
    later = {**claims, "iat": claims["iat"] + 1, "auth_time": claims["iat"] + 1}
    token = jwt.encode(
        {**later, "origin_jti": "other"}, signing_key(), "RS256", headers={"kid": KEY_ID}
    )
    assert [job["id"] for job in anonymous.signed_in(token).get("/jobs").json] == [bobs["job_id"]]


@pytest.mark.parametrize(
    "header", ["Basic YTpi", "Bearer", "Bearer  ", "Token {}", "{}", "Bearer{}", "Bearer {} {}"]
)
def test_authorization_that_is_not_a_bearer_token_answers_401(
    anonymous: Api, user_pool: MotoUserPool, header: str
):
    token = user_pool.user("ada@example.com", "Ada").access_token
    headers = {"Authorization": header.format(token, token)}
    anonymous.refused(401, "GET", "/users/me", headers=headers)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_bearer_scheme_is_case_insensitive(anonymous: Api, user_pool: MotoUserPool, scheme: str):
    token = user_pool.user("ada@example.com", "Ada").access_token
    anonymous.get("/users/me", headers={"Authorization": f"{scheme} {token}"})


def test_public_endpoint_ignores_an_invalid_token(anonymous: Api):
    anonymous.signed_in("garbage").get("/health")


def test_resources_of_other_users_answer_as_missing_ones(ada: Api, bob: Api):
    assert_hidden_from_others(bob, ada)


@pytest.mark.parametrize(
    "assert_separate",
    [
        assert_stored_responses_are_separate,
        assert_cached_responses_are_separate,
        assert_cursors_are_separate,
    ],
)
def test_responses_to_other_users_are_not_used(
    ada: Api, bob: Api, two_of_each: None, assert_separate: Callable[[Api, Api], None]
):
    assert_separate(bob, ada)


def test_document_of_another_user_cannot_be_confirmed_under_own_job(
    ada: Api, bob: Api, bobs: dict[str, int]
):
    own_job = ada.post("/jobs", {"company_name": "Own", "job_title": "x"}).json["id"]
    path = f"/jobs/{own_job}/documents/confirm-upload"
    theirs = ada.call("POST", path, {"document_id": bobs["document_id"]}, status=404)
    missing = ada.call("POST", path, {"document_id": 1_000_001}, status=404)
    assert theirs.body == missing.body


def test_unsupported_method_answers_405_with_allow(ada: Api):
    job_id = ada.post("/jobs", {"company_name": "Own", "job_title": "x"}).json["id"]
    for path, allowed in {
        "/health": {"GET", "HEAD"},
        "/jobs": {"GET", "HEAD", "POST"},
        f"/jobs/{job_id}": {"GET", "HEAD", "PATCH", "DELETE"},
        f"/jobs/{job_id}/notes": {"GET", "HEAD", "POST"},
        "/users/me/settings": {"GET", "HEAD", "PUT"},
        "/users/me/mfa": {"GET", "HEAD", "POST", "DELETE"},
        "/auth/cognito/login": {"POST"},
    }.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - allowed:
            answer = ada.call(method, path, status=405)
            assert set(answer.headers["Allow"].split(", ")) == allowed


def test_servers_queue_requests_by_the_user_of_a_token_that_was_verified(
    app: Any, ada: Api, bob: Api, user_pool: MotoUserPool
):
    def user_of(authorization: str, address: str, target: str = "GET /jobs") -> Any:
        method, path = target.split()
        environ = {"REMOTE_ADDR": address, "REQUEST_METHOD": method, "PATH_INFO": path}
        if authorization:
            environ["HTTP_AUTHORIZATION"] = authorization
        return app.registry["user_of"](environ)

    ada.get("/users/me")
    verified = user_of(f"bearer {ada.token}", "192.0.2.1")
    assert verified == user_of(f"Bearer  {ada.token}", "192.0.2.2")
    # Not verified: neither is the user's place taken by another client, nor has a user two places.
    sub = user_pool.client.get_user(AccessToken=ada.token)["Username"]
    forged = [user_pool.token(sub=sub, jti=f"{number}") for number in range(2)]
    here, again = (user_of(f"Bearer {token}", "192.0.2.1") for token in forged)
    assert here == again
    assert here != user_of(f"Bearer {forged[0]}", "192.0.2.2") != verified
    # Anything else: by the address.
    anonymous = user_of("", "192.0.2.1")
    for authorization in ("Bearer", "Bearer x", "Bearer a.b.c", "Basic eDp5", "Bearer \xff.\xff"):
        assert user_of(authorization, "192.0.2.1") == anonymous
    assert user_of("", "192.0.2.2") != anonymous
    assert user_of("", "2001:db8::1") == user_of("", "2001:db8::2")
    # What needs no token: forged ones do not give a client the places of many users.
    for path in ("/auth/cognito/login", "/auth/cognito/login/"):
        for authorization in ("", f"Bearer {user_pool.token(sub='forged')}"):
            assert user_of(authorization, "192.0.2.1", f"POST {path}") == anonymous
    assert user_of(f"Bearer {forged[0]}{'x' * 4096}", "192.0.2.1") == anonymous


def test_access_token_beyond_4_kib_is_invalid(ada: Api, user_pool: MotoUserPool):
    sub = user_pool.client.get_user(AccessToken=ada.token)["Username"]
    ada.get("/users/me")
    for size, status in ((1000, 200), (4096, 401)):
        token = user_pool.token(sub=sub, note="x" * size)
        ada.signed_in(token).call("GET", "/users/me", status=status)
