"""If-None-Match: 304 without a body for what is unchanged, no-store for what has no ETag."""

import itertools

import pytest

from jobtracker.http.conditional import entity_tags
from tests.common.api import Api
from tests.common.conditional import RESUME, TIME_DEPENDENT, UserData, send
from tests.common.user_pool import PASSWORD


def test_unchanged_resource_answers_304_without_a_body(client: Api, user_data: UserData):
    for path in user_data.paths():
        for is_kept in (False, True):
            first = send(client, path)
            etag = first.headers["ETag"]
            assert ["-".join(filter(None, tag)) for tag in entity_tags(etag)] == [etag.strip('"')]
            assert first.headers["Cache-Control"] == "private, no-cache"
            assert set(first.headers["Vary"].split(", ")) >= {"Authorization", "Origin"}
            head = client.call("HEAD", path)
            assert head.body == b""
            is_streamed = path.startswith("/reports")
            assert ("Content-Length" in head.headers) != is_streamed, path
            of_get = client.get(path).headers
            for name in ("ETag", "Cache-Control", "Vary", "Content-Type", "Content-Length"):
                if path != TIME_DEPENDENT and name in head.headers:
                    assert head.headers[name].split() == of_get[name].split(), (path, name)
            if path == TIME_DEPENDENT:
                continue
            for method in ("GET", "HEAD"):
                same = client.call(method, path, status=304, headers={"If-None-Match": etag})
                assert same.body == b"", (path, is_kept)
                assert same.headers["ETag"] == etag
                assert same.headers["Cache-Control"] == "private, no-cache"
                assert "Authorization" in same.headers["Vary"]
                assert "Content-Type" not in same.headers


@pytest.mark.parametrize(
    ("status", "given"),
    [
        (304, ["{etag}", '"a", {etag} , "b"', '"a",{etag}', '"a", ' * 2000 + "{etag}"]),
        (304, ["W/{etag}", '"a", W/{etag}']),  # RFC 9110, 13.1.2: the weak comparison
        # What proxies that compress make of it: Apache, Caddy, lighttpd; Jetty; LiteSpeed.
        (304, ['"{bare}-gzip"', '"{bare}-br"', '"{bare}-zstd"', 'W/"{bare}-gzip"']),
        (304, ['"{bare}--gzip"', '"{bare};gzip"', '"{bare};br"', '"a" , "{bare}-deflate"']),
        (200, ['"-gzip"', '"gzip"', '"{bare}x"', '"{bare}.gzip"', '"{bare}_"']),
        (200, ['"a"', '""', "", "garbage", '"', "{bare}", 'W/"a", "*"', "\u00fc", '"' * 5001]),
    ],
)
def test_if_none_match_compares_weakly(client: Api, status: int, given: list[str]):
    job = client.post("/jobs", {"company_name": "Acme", "job_title": "x"}).headers["Location"]
    for path, method, header in itertools.product(
        ("/jobs", "/jobs/board", job), ("GET", "HEAD"), given
    ):
        etag = send(client, path).headers["ETag"]
        header = header.format(etag=etag, bare=etag.strip('"'))
        answer = send(client, path, method, If_None_Match=header)
        assert answer.status_code == status, (path, header)
        assert (answer.body == b"") == (status == 304 or method == "HEAD")
        assert "Authorization" in answer.headers["Vary"]
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["ETag"] == etag


def test_if_none_match_star_answers_304_with_and_without_cached_response(client: Api):
    for path in ("/jobs", "/jobs/board"):
        for _ in range(2):
            for star in ("*", " * "):
                assert send(client, path, If_None_Match=star).status_code == 304, path
            send(client, path)


def test_if_none_match_on_a_deleted_job_answers_404(client: Api, user_data: UserData):
    etag = send(client, user_data.job).headers["ETag"]
    client.delete(user_data.job)
    for given in (etag, "*", '"a"'):
        client.refused(404, "GET", user_data.job, headers={"If-None-Match": given})


def test_responses_without_an_etag_are_no_store(client: Api, user_data: UserData):
    user_data.confirm_upload()
    download = f"{user_data.job}/documents/{user_data.ids['document_id']}/presign-download"
    login = {"email": "ada@example.com", "password": PASSWORD}
    anonymous = Api(client.app)
    answers = [
        client.get(download),
        client.call("HEAD", download),
        client.get(download, headers={"If-None-Match": "*"}),
        client.get("/users/me/mfa"),
        client.get("/users/me/mfa", headers={"If-None-Match": "*"}),
        (signed_in := anonymous.post("/auth/cognito/login", login)),
        anonymous.post(
            "/auth/cognito/refresh", {"refresh_token": signed_in.json["tokens"]["refresh_token"]}
        ),
        anonymous.post("/auth/cognito/logout"),
        anonymous.post("/auth/cognito/login", {**login, "password": "wrong"}, status=401),
        anonymous.get("/jobs", status=401, headers={"If-None-Match": "*"}),
        client.get("/jobs/999999", status=404),
        client.get("/jobs?limit=0", status=422),
        client.get("/nothing", status=404),
        client.put("/jobs", {}, status=405),
        client.post("/saved-views", {"name": "Mine", "data": {}}, status=409),
        client.patch(user_data.job, {}, status=412, headers={"If-Match": '"0"'}),
        client.delete(user_data.job, status=412, headers={"If-Match": '"0"'}),
    ]
    for answer in answers:
        assert "ETag" not in answer.headers, answer.request.path
        assert answer.headers["Cache-Control"] == "no-store", answer.request.path


def test_responses_to_writes_are_no_store(client: Api, user_data: UserData):
    for answer in (
        client.patch(user_data.job, {"location": "Graz"}),
        client.post(f"{user_data.job}/notes", {"body": "x"}),
        client.post(f"{user_data.job}/documents/presign-upload", RESUME),
        client.put("/users/me/settings", {"theme": "light"}),
        client.delete(user_data.job),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
