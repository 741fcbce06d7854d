"""Header fields with values that no client should send: never a 500."""

import pytest

from tests.common.api import Api

JOB = b'{"company_name": "Acme", "job_title": "x"}'
MEDIA_TYPES = [
    "application/json; charset=nonsense",
    "application/json; charset=utf-16",
    "application/json; charset=idna",
    "application/json; charset=base64",
    'application/json; charset="',
    "application/json; charset",
    "application/json; =; ;;",
    "application/json; charset=utf-8; charset=nonsense",
    "application/json; charset*=utf-8''x",
    "application/json;charset=\x00",
    "application/json; boundary=x",
    "application/x-www-form-urlencoded; charset=nonsense",
    "multipart/form-data",
    "multipart/form-data; boundary=\xff",
    "multipart/form-data; boundary=x; charset=nonsense",
    "application/json, application/json",
    "application",
    "/",
    ";",
    "\xff",
    "",
]
VALUES = ["", " ", ";", ",", "/", "*", "=", '"', "\xff", "a" * 5000, ";q=x", "*/*;q=nan", "%", "-1"]
NAMES = [
    *("Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization"),
    *("Cache-Control", "Content-Encoding", "Content-Language", "Cookie", "Date", "Expect"),
    *("Forwarded", "From", "Host", "Idempotency-Key", "If-Match", "If-Modified-Since"),
    *("If-None-Match", "If-Range", "If-Unmodified-Since", "Origin", "Range", "Referer"),
    *("Access-Control-Request-Method", "TE", "Trailer", "Upgrade", "User-Agent", "Via"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-HTTP-Method-Override"),
    *("X-Request-ID", "X-Requested-With"),
]
RANGES = ["bytes=0-", "bytes=-1", "bytes=9-1", "bytes=99999999-", "bytes=a-b", "lines=1-2"]


def status(api: Api, method: str, path: str, body: bytes = b"", /, **headers: str) -> int:
    own = {"Authorization": f"Bearer {api.token}"}
    given = {**own, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return api.app.request(
        path, method=method, body=body, headers=given, expect_errors=True
    ).status_code


@pytest.mark.parametrize("key", [{}, {"Idempotency_Key": "a"}], ids=["", "key"])
@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_odd_media_type_is_no_server_error(ada: Api, media_type: str, key: dict[str, str]):
    is_json = media_type.partition(";")[0] == "application/json"
    found = status(ada, "POST", "/jobs", JOB, Content_Type=media_type, **key)
    assert found == (201 if is_json else 415)
    assert status(ada, "GET", "/jobs", Content_Type=media_type) == 200
    wide = JOB.decode().encode("utf-16")
    assert status(ada, "POST", "/jobs", wide, Content_Type=media_type) in (400, 415)


@pytest.mark.parametrize("name", NAMES)
def test_odd_header_is_no_server_error(ada: Api, name: str):
    values = [*VALUES, *(RANGES if name == "Range" else [])]
    for value in values:
        for path in ("/jobs", "/jobs?limit=1", "/openapi.json", "/docs", "/docs/docs.js"):
            assert status(ada, "GET", path, **{name: value}) < 500, (path, value)
        headers = {"Content_Type": "application/json", name: value}
        assert status(ada, "POST", "/jobs", JOB, **headers) < 500, value
        assert status(ada, "OPTIONS", "/jobs", **{name: value}) < 500, value


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b"1" * 5000, b"\xff\xfe{\0}\0"])
def test_body_that_is_no_json_with_a_key_is_no_server_error(ada: Api, body: bytes):
    key = {"Idempotency_Key": "a", "Content_Type": "application/json"}
    assert status(ada, "POST", "/jobs", body, **key) == 400
    job = ada.post("/jobs", {"company_name": "Acme", "job_title": "x"}).json["id"]
    assert status(ada, "POST", f"/jobs/{job}/notes", body, **key) == 400
    assert status(ada, "POST", "/users/me/sign-out-everywhere", body, **key) < 500
