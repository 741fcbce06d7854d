"""Location and Link do not contain what the client sends as Host."""

from typing import Any

import pytest

from tests.common.api import Api

JOB = {"company_name": "Acme", "job_title": "x"}
FORGED = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "Forwarded": "host=evil.example",
}


@pytest.fixture(params=[None, "https://api.example"])
def origin(request: pytest.FixtureRequest, app: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(app.registry.settings, "http.public_origin", request.param)
    return request.param or ""


def test_location_begins_with_the_public_origin_or_is_relative(ada: Api, origin: str):
    for key in ("a", "a", "b"):  # the second is a stored response
        made = ada.post("/jobs", JOB, headers={**FORGED, "Idempotency-Key": key})
        assert made.headers["Location"] == f"{origin}/jobs/{made.json['id']}"


def test_link_begins_with_the_public_origin_or_is_relative(ada: Api, origin: str):
    for _ in range(2):
        ada.post("/jobs", JOB)
    first = ada.get("/jobs?limit=1", headers=FORGED)
    assert first.headers["Link"].startswith(f"<{origin}/jobs?limit=1&cursor=")
    other = ada.get("/jobs?limit=1", headers={"Host": "api.example"})
    assert other.headers["ETag"] == first.headers["ETag"]
