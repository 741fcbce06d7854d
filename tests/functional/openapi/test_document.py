"""The OpenAPI document: complete, valid with its examples, compressed and cached."""

from typing import Any

import jsonschema
import pytest
from cornice.service import get_services
from openapi_spec_validator import validate

from tests.common.api import Api
from tests.common.endpoints import example_ids, fill


@pytest.fixture
def document(anonymous: Api) -> dict[str, Any]:
    return anonymous.get("/openapi.json").json


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def test_document_is_valid_openapi(document: dict[str, Any]):
    assert document["openapi"].startswith("3.1.")
    validate(document)


def test_document_has_every_service(document: dict[str, Any], app: Any):
    registered = {
        (service.template, method.lower())
        for service in get_services()
        for method in service.operations
    }
    found = {(path, method) for path, method, _operation in operations(document)}
    assert registered - found == {("/openapi.json", "get")}
    assert found < registered


def test_every_operation_has_summary_tags_and_security(document: dict[str, Any]):
    ids = [operation["operationId"] for _path, _method, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for path, _method, operation in operations(document):
        assert operation["summary"]
        assert operation["tags"]
        public = path == "/" or path.startswith(("/auth/", "/health", "/ready"))
        assert operation["security"] == ([] if public else [{"bearer": []}])
        assert ("401" in operation["responses"]) or public


def test_groups_are_in_the_order_of_a_user_s_way_with_a_sentence_each(document: dict[str, Any]):
    names = [tag["name"] for tag in document["tags"]]
    first = ["health", "auth", "users", "jobs", "notes", "documents", "interviews", "activity"]
    assert names[:8] == first
    assert names.index("mfa") > names.index("saved_views") > names.index("board")
    assert len(set(names)) == len(names)
    for tag in document["tags"]:
        assert tag["description"][0].isupper()
        assert tag["description"].endswith(".")
        assert "\n" not in tag["description"]
    used = [operation["tags"] for _path, _method, operation in operations(document)]
    assert all(len(tags) == 1 for tags in used)
    # The operations of a group follow one another, in the order of the groups.
    assert list(dict.fromkeys(tag for (tag,) in used)) == names


def test_operations_of_a_group_are_in_the_order_of_their_use(document: dict[str, Any]):
    def paths(tag: str) -> list[str]:
        found = [path for path, _, operation in operations(document) if operation["tags"] == [tag]]
        return list(dict.fromkeys(found))

    auth = [path.removeprefix("/auth/cognito/") for path in paths("auth")]
    expected = ["signup", "confirm", "login", "challenge", "mfa/setup", "mfa/verify", "refresh"]
    assert [name for name in auth if name in expected] == expected
    assert auth[-1] == "logout"
    assert paths("health") == ["/", "/health", "/ready"]
    assert paths("jobs") == ["/jobs", "/jobs/{job_id}"]
    assert paths("users")[0] == "/users/me"
    methods = [method for path, method, _ in operations(document) if path == "/jobs/{job_id}"]
    assert methods == ["get", "patch", "delete"]


def test_operations_with_a_body_say_that_it_can_be_too_large(document: dict[str, Any]):
    for path, method, operation in operations(document):
        if "requestBody" in operation:
            assert "413" in operation["responses"], f"{method} {path}"


def test_bodies_and_responses_refer_to_named_components(document: dict[str, Any]):
    for _path, _method, operation in operations(document):
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in contents:
            if described := content.get("content", {}).get("application/json"):
                schema = described["schema"]
                for each in schema.get("anyOf", [schema.get("items", schema)]):
                    assert "$ref" in each


def test_examples_conform_to_their_schemas(document: dict[str, Any]):
    examples = 0
    for schema in document["components"]["schemas"].values():
        if "example" in schema:
            examples += 1
            jsonschema.Draft202012Validator(
                {**schema, "components": document["components"]}
            ).validate(schema["example"])
    assert examples > 15


def test_operations_document_their_statuses(document: dict[str, Any]):
    def statuses(path: str, method: str) -> str:
        return " ".join(document["paths"][path][method]["responses"])

    assert statuses("/health", "get") == "200"
    assert statuses("/ready", "get") == "200 503"
    assert statuses("/jobs", "get") == "200 304 400 401 422 429 503"
    assert statuses("/jobs", "post") == "201 400 401 409 413 415 422 429 503"
    assert statuses("/jobs/{job_id}", "delete") == "204 400 401 404 412 422 429 503"
    totp = "/users/me/mfa"
    assert statuses(totp, "post") == "200 400 401 403 413 415 422 429 503"
    assert statuses(totp, "delete") == "200 400 401 403 409 413 415 422 429 503"
    assert document["paths"][totp]["delete"]["requestBody"]["required"] is True
    assert document["paths"][totp]["post"]["requestBody"]["required"] is False
    upload = "/jobs/{job_id}/documents/presign-upload"
    assert statuses(upload, "post") == "201 400 401 404 409 413 415 422 429 503"
    download = "/jobs/{job_id}/documents/{document_id}/presign-download"
    assert statuses(download, "get") == "200 401 403 404 409 429 503"
    assert statuses("/auth/cognito/login", "post") == "200 400 401 403 413 415 422 429 503"


class TestServed:
    def test_document_has_an_etag_and_answers_304(self, anonymous: Api):
        first = anonymous.get("/openapi.json")
        assert first.headers["Cache-Control"] == "public, no-cache"
        again = {"If-None-Match": first.headers["ETag"]}
        unchanged = anonymous.get("/openapi.json", status=304, headers=again)
        assert unchanged.body == b""
        assert unchanged.headers["ETag"] == first.headers["ETag"]
        anonymous.get("/openapi.json", status=200, headers={"If-None-Match": '"other"'})

    @pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/docs.js"])
    def test_etag_that_a_proxy_changed_answers_304(self, anonymous: Api, path: str):
        for encoding in ("identity", "gzip"):
            own = {"Accept-Encoding": encoding}
            etag = anonymous.get(path, headers=own).headers["ETag"]
            bare = etag.strip('"')
            for changed in (
                f"W/{etag}",
                f'"{bare}-gzip"',
                f'"{bare};br"',
                f'"a", W/"{bare}--gzip"',
            ):
                headers = {**own, "If-None-Match": changed}
                answer = anonymous.get(path, status=304, headers=headers)
                assert answer.body == b""
                assert answer.headers["ETag"] == etag
                assert answer.headers["Cache-Control"] == "public, no-cache"
            for other in (f'"{bare[1:]}"', '"-gzip"', "garbage"):
                headers = {**own, "If-None-Match": other}
                anonymous.get(path, status=200, headers=headers)

    @pytest.mark.parametrize(
        ("accepted", "encoding"),
        [("gzip, br", "gzip"), ("*", "gzip"), ("gzip;q=0", None), ("identity", None), ("", None)],
    )
    def test_document_is_compressed_where_accepted(
        self, anonymous: Api, document: dict[str, Any], accepted: str, encoding: str | None
    ):
        headers = {"Accept-Encoding": accepted}
        answer = anonymous.get("/openapi.json", headers=headers)
        # WebTest decompresses the body; the ETag names the encoding.
        assert answer.headers["ETag"].endswith('-gzip"') == (encoding == "gzip")
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert answer.json == document
        etag = {"If-None-Match": answer.headers["ETag"], **headers}
        anonymous.get("/openapi.json", status=304, headers=etag)

    def test_document_is_made_once(self, anonymous: Api, app: Any, monkeypatch: pytest.MonkeyPatch):
        def fail(*_args: Any) -> None:
            raise AssertionError

        monkeypatch.setattr("jobtracker.openapi.make_document", fail)
        monkeypatch.setattr("gzip.compress", fail)
        anonymous.get("/openapi.json")


def test_empty_query_parameter_is_ignored(document: dict[str, Any], ada: Api):
    ids = example_ids(ada)
    seen = 0
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query" and method == "get":
                seen += 1
                plain = parameter["name"] in ("q", "tag_q", "cursor", "tz")
                assert plain != parameter.get("allowEmptyValue", False)
                url = fill(path, ids)
                urls = (url, f"{url}?{parameter['name']}=") * 2
                bodies = [ada.get(each).body for each in urls]
                # The funnel changes every ten seconds.
                assert bodies[0] == bodies[1] or bodies[2] == bodies[3], url
    assert seen > 15


@pytest.mark.parametrize("limit", ["%20", "+5", "5%20", "%1F", "%C2%9E", "%D9%A5", "1e1", "0x1"])
def test_query_integer_with_other_characters_than_digits_answers_422(ada: Api, limit: str):
    for path in (f"/jobs?limit={limit}", f"/jobs/search?limit={limit}"):
        error = ada.refused(422, "GET", path)
        assert [each["loc"] for each in error["details"]["errors"]] == [["query", "limit"]]


def test_repeated_query_parameter_answers_422(ada: Api):
    for query in ("q=a&q=b", "limit=1&limit=2", "sort=company&sort=company"):
        error = ada.refused(422, "GET", f"/jobs?{query}")
        assert [each["type"] for each in error["details"]["errors"]] == ["repeated"]
    ada.get("/jobs?q=&q=a&status=saved&status=offer")
