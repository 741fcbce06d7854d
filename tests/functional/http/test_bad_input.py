"""Invalid input of any kind: 4xx in the shape of all errors, and no change."""

import gzip
import time
from typing import Any

import pytest
from cornice.service import get_services
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobtracker.http import validation
from tests.common.api import Api

JOB = {"company_name": "Acme", "job_title": "Engineer"}
DEEP = 200_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"a": }',
        b"{'a': 1}",
        b'{"company_name": "Acme", "job_title": "x",}',
        b'{"company_name": NaN, "job_title": "x"}',
        b'{"company_name": Infinity}',
        b"\xff\xfe{}",
        b'{"company_name": "\xff"}',
        '{"company_name": "Acme"}'.encode("utf-16"),
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b'{"a": ' + b"1" * 10_000 + b"}",
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b'[{"company_name": "Acme", "job_title": "x"}]',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_body_that_is_not_a_json_object_answers_400(ada: Api, body: bytes):
    ada.refused(400, "POST", "/jobs", body)
    assert ada.get("/jobs").json == []


@pytest.mark.parametrize("bom", [b"\xef\xbb\xbf", b"\xef\xbb\xbf \r\n\t"])
def test_byte_order_mark_before_json_is_ignored(ada: Api, bom: bytes):
    job = b'{"company_name": "Acme", "job_title": "x"}'
    path = ada.post("/jobs", bom + job, status=201).headers["Location"]
    ada.patch(path, bom + '{"company_name": "\ufeffZ\u00fcrich"}'.encode(), status=200)
    assert ada.get(path).json["company_name"].endswith("Z\u00fcrich")
    ada.put("/users/me/settings", bom + b'{"theme": "light"}', status=200)
    merge_patch = {"Content-Type": "application/merge-patch+json"}
    ada.patch(path, bom + b'{"location": "Graz"}', headers=merge_patch, status=200)
    assert ada.get(path).json["location"] == "Graz"
    ada.post("/auth/cognito/logout", bom + b'{"refresh_token": "x"}', status=200)


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
def test_compressed_body_answers_415(ada: Api, coding: str):
    body = gzip.compress(b'{"company_name": "Acme", "job_title": "x"}')
    error = ada.refused(415, "POST", "/jobs", body, headers={"Content-Encoding": coding})
    assert error["message"] == "Please send the body without a Content-Encoding."
    plain = b'{"company_name": "Acme", "job_title": "x"}'
    ada.post("/jobs", plain, headers={"Content-Encoding": "Identity"}, status=201)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_body_in_another_unicode_encoding_answers_400_that_names_utf8(ada: Api, encoding: str):
    body = '{"company_name": "Acme", "job_title": "x"}'.encode(encoding)
    error = ada.refused(400, "POST", "/jobs", body)
    assert error["message"] == "The body must be UTF-8, not UTF-16 or UTF-32."
    assert ada.get("/jobs").json == []


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"\xef\xbb{}",
        b"\xef\xbb\xbf[]",
        b'{"company_name": "Acme", "job_title": "x"}\xef\xbb\xbf',
        b'\xe9{"company_name": "Acme", "job_title": "x"}',
    ],
)
def test_misplaced_or_repeated_byte_order_mark_answers_400(ada: Api, body: bytes):
    ada.refused(400, "POST", "/jobs", body)


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"],
)
def test_content_type_other_than_json_answers_415(ada: Api, content_type: str):
    for method, path in (("POST", "/jobs"), ("PUT", "/users/me/settings")):
        ada.refused(415, method, path, JOB, headers={"Content-Type": content_type})
    assert ada.get("/jobs").json == []


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json; charset=utf-8", "APPLICATION/JSON", "application/json;"),
        *("application/json ; charset=utf-8", "application/json\t;a=b", "Application/JSON ;"),
    ],
)
def test_json_content_type_is_accepted_in_any_spelling(ada: Api, content_type: str):
    ada.post("/jobs", JOB, headers={"Content-Type": content_type}, status=201)


def test_body_that_is_too_large_answers_413(ada: Api):
    body = b'{"company_name": "' + b"x" * 1024 * 1024 + b'"}'
    ada.refused(413, "POST", "/jobs", body)


@pytest.mark.parametrize("value", [b"[],", b"{},", b'"ab",', b"1.5,", b'"a":"b",'])
def test_body_of_many_values_is_not_parsed(ada: Api, value: bytes, monkeypatch: pytest.MonkeyPatch):
    def parse(_text: str) -> Any:
        raise AssertionError

    monkeypatch.setattr(validation._JSON, "decode", parse)
    body = b'{"text": [' + value * (1024 * 1024 // len(value) - 100) + b"1]}"
    before = time.process_time()
    ada.refused(413, "POST", "/jobs", body)
    assert time.process_time() - before < 1


@pytest.mark.parametrize("value", [b'""', b'\\"', b'"\\"', b'{"a":'])
def test_many_strings_without_commas_take_little_time(ada: Api, value: bytes):
    before = time.process_time()
    ada.refused(400, "POST", "/jobs", b'{"a": ' + value * (1024 * 1024 // len(value) - 100))
    assert time.process_time() - before < 1


def test_large_text_with_many_commas_and_quotes_is_one_value(ada: Api):
    text = '"a", "b", {[' * 20_000
    assert ada.field_errors("POST", "/jobs", {"company_name": text, "job_title": "x"}) == {
        "company_name": "string_too_long"
    }


def test_error_does_not_echo_the_input(anonymous: Api):
    secret = "Lovelace-1815-" + "x" * 300
    error = anonymous.refused(
        422, "POST", "/auth/cognito/login", {"email": secret, "password": secret, "otp": secret}
    )
    assert "Lovelace" not in str(error)


def test_names_of_unknown_fields_are_bounded_and_encodable(ada: Api):
    strangers = {"\ud800" * 200: 1, "\0": 2, **{str(number): 1 for number in range(500)}}
    errors = ada.refused(422, "POST", "/jobs", {**JOB, **strangers})["details"]["errors"]
    assert len(errors) == 100
    assert all(len(entry["loc"][1]) <= 64 for entry in errors)


def test_path_that_is_not_utf8_answers_400(ada: Api):
    for path in ("/%ff", "/jobs/%ff", "/jobs/1/%c3%28"):
        ada.call("GET", path, status=(400))


@pytest.mark.parametrize("path", ["//", "/jobsx", "/JOBS", "/auth", "/health/x"])
def test_unknown_path_answers_404(ada: Api, anonymous: Api, path: str):
    for client in (ada, anonymous):
        for method in ("GET", "POST"):
            client.refused(404, method, path)


@pytest.mark.parametrize("path", ["/jobs//", "/jobs/x", "/jobs/7/x", "/users", "/users/1"])
def test_unknown_path_below_a_protected_one_answers_401_without_a_token(
    ada: Api, anonymous: Api, path: str
):
    ada.refused(404, "GET", path)
    anonymous.refused(401, "GET", path)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None), max_size=300),
    lambda inner: (
        st.lists(inner, max_size=60) | st.dictionaries(st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=30,
)


def fields_of_all_bodies() -> list[str]:
    return sorted(
        {
            node.name
            for service in get_services()
            for operation in getattr(service, "operations", {}).values()
            if operation.body is not None
            for node in operation.body.children
        }
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_arbitrary_body_never_answers_500(ada: Api, data: Any):
    names = st.sampled_from(fields_of_all_bodies()) | st.text(max_size=5)
    body = data.draw(st.dictionaries(names, json_values, max_size=8))
    for method, path in (
        ("POST", "/jobs"),
        ("POST", "/saved-views"),
        ("PUT", "/users/me/settings"),
        ("PATCH", "/users/me/ui-preferences"),
        ("POST", "/auth/cognito/confirm"),
        ("POST", "/auth/cognito/mfa/setup"),
    ):
        answer = ada.call(method, path, body, status="*")
        assert answer.status_code in (200, 201, 400, 401, 409, 422)
    job_id = ada.post("/jobs", JOB).json["id"]
    for method, suffix in (
        ("PATCH", ""),
        ("POST", "/notes"),
        ("POST", "/interviews"),
        ("POST", "/documents/presign-upload"),
        ("POST", "/documents/confirm-upload"),
    ):
        answer = ada.call(method, f"/jobs/{job_id}{suffix}", body, status="*")
        assert answer.status_code in (200, 201, 404, 413, 422)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parameters=st.lists(
        st.tuples(
            st.sampled_from(["q", "status", "tag", "tag_q", "x"]),
            st.text(st.characters(codec="utf-8"), max_size=300),
        ),
        max_size=8,
    )
)
def test_arbitrary_query_never_answers_500(ada: Api, parameters: list[tuple[str, str]]):
    from urllib.parse import urlencode

    answer = ada.call("GET", f"/jobs?{urlencode(parameters)}", status="*")
    assert answer.status_code in (200, 422)
