"""GET /: what this is, for people who open the address of the API."""

from typing import Any

import pytest

from jobtracker import __version__
from tests.common.api import Api


def test_service_document_names_and_links(anonymous: Api):
    answer = anonymous.get("/", status=200)
    assert answer.json == {
        "name": "JobTracker",
        "version": __version__,
        "docs": "/docs",
        "openapi": "/openapi.json",
        "health": "/health",
    }
    assert answer.content_type == "application/json"
    for name in ("docs", "openapi", "health"):
        anonymous.get(answer.json[name], status=200)


def test_service_document_is_public_and_cacheable(anonymous: Api, ada: Api):
    for client in (anonymous, ada, ada.signed_in("garbage")):
        headers = client.get("/", headers={"Accept": "text/html"}).headers
        assert headers["Cache-Control"] == "public, max-age=300"
        assert set(headers["Vary"].split(", ")) == {"X-Forwarded-Prefix", "Origin"}
        head = client.call("HEAD", "/", status=200)
        assert head.body == b""
        assert head.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_service_document_answers_405_to_other_methods(anonymous: Api, method: str):
    answer = anonymous.call(method, "/", {}, status=405)
    assert {"GET", "HEAD"} <= set(answer.headers["Allow"].split(", "))


def test_service_document_answers_preflights(anonymous: Api):
    preflight = {"Access-Control-Request-Method": "GET"}
    answer = anonymous.call("OPTIONS", "/", status=204, headers=preflight)
    assert "GET" in answer.headers["Access-Control-Allow-Methods"]


def test_service_document_uses_no_database(
    anonymous: Api, app: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(app.registry, "db_autocommit")
    monkeypatch.delitem(app.registry, "db_sessions")
    for path in ("/", "/health"):
        anonymous.get(path, status=200)
