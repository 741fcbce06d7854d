"""The API below a path prefix, which a proxy removes from requests or not."""

from ipaddress import ip_network
from typing import Any

import pytest
from webtest import TestApp

import jobtracker
from jobtracker.settings import InvalidSettings
from tests.common.api import Api

JOB = {"company_name": "Acme", "job_title": "x"}
ORIGIN = "https://example.com"


class Client:
    """Requests as a proxy passes them on.

    :param prefix: of the paths of requests, which the proxy leaves
    """

    def __init__(self, api: Api, prefix: str, environ: dict[str, str]) -> None:
        self.prefix = prefix
        self.app = TestApp(api.app.app, extra_environ=environ)
        self.headers = {"Authorization": f"Bearer {api.token}"}

    def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        headers = {**self.headers, **options.pop("headers", {})}
        send = getattr(self.app, method)
        return send(self.prefix + path, status=status, headers=headers, **options)


TRUSTED = {"REMOTE_ADDR": "10.0.0.1"}


@pytest.fixture(
    params=[
        ("/api", "", {}),
        ("/api", "/api", {}),
        ("/a/b.c", "/a/b.c", {}),
        ("", "", {**TRUSTED, "HTTP_X_FORWARDED_PREFIX": "/api"}),
        ("", "", {**TRUSTED, "HTTP_X_FORWARDED_PREFIX": "/outer, /api/"}),
        ("", "", {"SCRIPT_NAME": "/api"}),
        ("", "", {"SCRIPT_NAME": "/api", **TRUSTED, "HTTP_X_FORWARDED_PREFIX": "/outer"}),
        ("/api", "", {"SCRIPT_NAME": "/api"}),
    ],
    ids=["removed", "kept", "kept, long", "header", "two headers", "SCRIPT_NAME", "both", "all"],
)
def behind(
    request: pytest.FixtureRequest, ada: Api, app: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[Client, str]:
    """A client, and what its references begin with."""
    configured, kept, environ = request.param
    if configured:
        monkeypatch.setitem(app.registry.settings, "http.public_origin", ORIGIN + configured)
    monkeypatch.setitem(app.registry.settings, "proxies.trusted", (ip_network("10.0.0.0/8"),))
    forwarded = environ.get("HTTP_X_FORWARDED_PREFIX", "").replace(", ", "").rstrip("/")
    base = ORIGIN + configured if configured else forwarded + environ.get("SCRIPT_NAME", "")
    return Client(ada, kept, environ), base


def test_location_and_link_begin_with_the_prefix(behind: tuple[Client, str]):
    client, base = behind
    for _ in range(2):
        made = client.call("post_json", "/jobs", 201, params=JOB)
        assert made.headers["Location"] == f"{base}/jobs/{made.json['id']}"
    for _ in range(2):
        page = client.call("get", "/jobs?limit=1")
        link = page.headers["Link"].partition("<")[2].partition(">")[0]
        assert link.startswith(f"{base}/jobs?limit=1&cursor=")
        second = client.call("get", link.removeprefix(base))
        assert len(second.json) == 1
        assert second.json != page.json
    same = client.call("get", "/jobs?limit=1", 304, headers={"If-None-Match": page.headers["ETag"]})
    assert same.headers["ETag"] == page.headers["ETag"]


def test_resources_errors_and_health_are_found(behind: tuple[Client, str]):
    client, _base = behind
    for slash in ("", "/"):
        assert client.call("get", f"/health{slash}").json == {"status": "ok"}
        assert client.call("get", f"/jobs{slash}").json == []
    assert client.call("get", "/nowhere", 404).json["error"] == "NOT_FOUND"
    assert client.call("delete", "/jobs", 405).headers["Allow"]
    key = {"Idempotency-Key": "once"}
    first = client.call("post_json", "/jobs", 201, params=JOB, headers=key)
    again = client.call("post_json", "/jobs", 201, params=JOB, headers=key)
    assert again.headers["Location"] == first.headers["Location"]


def test_service_document_and_documentation_have_the_prefix(behind: tuple[Client, str]):
    client, base = behind
    path = base.removeprefix(ORIGIN)
    service = client.call("get", "/")
    assert service.json["docs"] == f"{base}/docs"
    assert service.json["openapi"] == f"{base}/openapi.json"
    assert service.json["health"] == f"{base}/health"
    document = client.call("get", "/openapi.json")
    assert document.json["servers"] == [{"url": path}]
    known = {"If-None-Match": document.headers["ETag"]}
    client.call("get", "/openapi.json", 304, headers=known)
    for slash in ("", "/"):
        page = client.call("get", f"/docs{slash}")
        assert f'src="{path}/docs/docs.js"' in page.text
        assert "{prefix}" not in page.text
    client.call("get", "/docs/docs.js")


def test_the_prefix_alone_is_the_service_document(behind: tuple[Client, str]):
    client, _base = behind
    if client.prefix:
        assert client.call("get", "").json["name"] == "JobTracker"
        client.app.get(f"{client.prefix}x/jobs", status=404)
        client.app.get("/", status=200)


def test_forwarded_scheme_and_prefix_of_others_change_nothing(ada: Api):
    forged = {
        "X-Forwarded-Proto": "https,http",
        "X-Forwarded-Prefix": "/evil",
        "X-Script-Name": "/evil",
        "X-Forwarded-Port": "443,80",
        "X-Forwarded-Ssl": "on",
    }
    made = ada.post("/jobs", JOB, headers=forged)
    assert made.headers["Location"] == f"/jobs/{made.json['id']}"
    assert ada.get("/", headers=forged).json["docs"] == "/docs"
    assert ada.get("/openapi.json", headers=forged).json["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("path", ["/jobs", "/users/me", "/auth", "/health", "/docs"])
def test_prefix_that_is_a_path_of_the_api_is_refused(settings: dict[str, str], path: str):
    with pytest.raises(InvalidSettings, match=r"http\.public_origin"):
        jobtracker.main({}, **{**settings, "http.public_origin": ORIGIN + path})


def test_operation_is_found_with_and_without_the_prefix(app: Any, monkeypatch: pytest.MonkeyPatch):
    """The servers look it up before the application: it says how much of a body they receive."""
    find = app.registry["find_operation"]
    expected = find("POST", "/jobs")
    monkeypatch.setitem(app.registry.settings, "http.public_origin", f"{ORIGIN}/api")
    for path in ("/api/jobs", "/api/jobs/", "/jobs", "/jobs/"):
        assert find("POST", path) is expected is not None
    assert find("GET", "/api") is find("GET", "/") is not None
    assert find("POST", "/apis/jobs") is None


def test_script_name_is_percent_encoded(ada: Api):
    app = TestApp(ada.app.app, extra_environ={"SCRIPT_NAME": "/zü x".encode().decode("latin-1")})
    assert app.get("/").json["docs"] == "/z%C3%BC%20x/docs"
    assert app.get("/openapi.json").json["servers"] == [{"url": "/z%C3%BC%20x"}]
    assert 'src="/z%C3%BC%20x/docs/docs.js"' in app.get("/docs").text
