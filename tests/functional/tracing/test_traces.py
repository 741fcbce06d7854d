"""Spans of requests, SQL, and calls of AWS and Turnstile."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from webtest import TestApp

import jobtracker
from jobtracker.local.turnstile import DUMMY_TOKEN
from tests.common.api import Api
from tests.common.app import dispose_engines
from tests.common.user_pool import PASSWORD, MotoUserPool

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
JOB = {"company_name": "confidential-company", "job_title": "confidential-title"}


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)  # once in a process
    return exporter


@pytest.fixture(scope="module")
def traced_app(
    exporter: InMemorySpanExporter, settings: dict[str, str], committing_app: Any
) -> Iterator[Any]:
    url = committing_app.registry.settings["sqlalchemy.url"]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
        app = jobtracker.main({}, **{**settings, "sqlalchemy.url": url})
    yield app
    dispose_engines(app)


@pytest.fixture
def traced(traced_app: Any, user_pool: MotoUserPool, exporter: InMemorySpanExporter) -> Api:
    token = user_pool.user("traced@example.com", "Ada").access_token
    api = Api(TestApp(traced_app), token)
    api.get("/users/me")  # the keys are fetched, and the user is made
    exporter.clear()
    return api


def spans_of(exporter: InMemorySpanExporter, kind: str) -> list[ReadableSpan]:
    spans = exporter.get_finished_spans()
    return [span for span in spans if span.kind is trace.SpanKind[kind]]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def text_of(exporter: InMemorySpanExporter) -> str:
    return "".join(span.to_json() for span in exporter.get_finished_spans())


def test_request_is_named_by_its_route(traced: Api, exporter: InMemorySpanExporter):
    job = traced.post("/jobs", JOB).json["id"]
    exporter.clear()
    headers = {"User-Agent": "curl/8", "X-Request-ID": "abc"}
    traced.get(f"/jobs/{job}?fields=confidential", headers=headers, status="*")
    (span,) = spans_of(exporter, "SERVER")
    assert span.name == "GET /jobs/{job_id}"
    assert attributes(span) | {"http.response.status_code": 0} == {
        "http.request.method": "GET",
        "http.route": "/jobs/{job_id}",
        "http.response.status_code": 0,
        "url.scheme": "http",
        "url.path": f"/jobs/{job}",
        "client.address": "127.0.0.1",
        "network.protocol.version": "1.0",
        "user_agent.original": "curl/8",
        "jobtracker.request_id": "abc",
    }


def test_statements_of_cached_cursors_are_children_of_the_request(
    traced: Api, exporter: InMemorySpanExporter
):
    for limit in (11, 12):  # the second time, the cursors and their statements are cached
        exporter.clear()
        traced.get(f"/jobs?limit={limit}")
        (request,) = spans_of(exporter, "SERVER")
        statements = spans_of(exporter, "CLIENT")
        assert len(statements) == 2
        for span in statements:
            assert span.parent is not None
            assert request.context is not None
            assert span.parent.span_id == request.context.span_id
            assert attributes(span)["db.system.name"] == "postgresql"
            assert attributes(span)["db.operation.name"] == "SELECT"
            assert "%(" in attributes(span)["db.query.text"]


def test_statements_of_a_transaction_are_traced_without_values(
    traced: Api, exporter: InMemorySpanExporter
):
    job = traced.post("/jobs", JOB).json["id"]
    traced.post(f"/jobs/{job}/notes", {"body": "confidential-note"})
    queries = [attributes(each).get("db.query.text", "") for each in spans_of(exporter, "CLIENT")]
    assert any("INSERT INTO jobs" in query for query in queries)
    assert any("INSERT INTO notes" in query for query in queries)
    assert "confidential" not in text_of(exporter)


def test_error_of_a_statement_is_its_sqlstate_without_the_message(
    traced: Api, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
):
    def fail(connection: Any, *_args: Any, **_options: Any) -> None:
        connection.execute("SELECT %(value)s::int", {"value": "confidential"})

    monkeypatch.setattr("jobtracker.jobs.queries.page", fail)
    traced.refused(500, "GET", "/jobs")
    span = spans_of(exporter, "CLIENT")[-1]
    assert attributes(span)["db.response.status_code"] == "22P02"
    assert attributes(span)["error.type"] == "InvalidTextRepresentation"
    assert span.status.status_code is trace.StatusCode.ERROR
    (request,) = spans_of(exporter, "SERVER")
    assert attributes(request)["error.type"] == "500"
    assert "confidential" not in text_of(exporter)


def test_traceparent_is_taken_and_passed_on(
    traced: Api, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
):
    sent: list[Any] = []
    client = traced.app.app.registry["cognito"].client
    client.meta.events.register_last("before-send", lambda request, **_: sent.append(request))
    login = {"email": "traced@example.com", "password": PASSWORD}
    traced.post("/auth/cognito/login", login, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    (request,) = spans_of(exporter, "SERVER")
    assert request.parent is not None
    assert trace.format_span_id(request.parent.span_id) == PARENT
    call = next(each for each in spans_of(exporter, "CLIENT") if "rpc.method" in attributes(each))
    assert call.name == "Cognito Identity Provider.InitiateAuth"
    assert attributes(call)["http.response.status_code"] == 200
    assert call.context is not None
    span_id = trace.format_span_id(call.context.span_id)
    header = sent[0].headers["traceparent"]
    assert (header if isinstance(header, str) else header.decode()) == f"00-{TRACE}-{span_id}-01"
    text = text_of(exporter)
    assert PASSWORD not in text
    assert "traced@example.com" not in text


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        f"00-{TRACE}-{PARENT}",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
    ],
)
def test_malformed_traceparent_is_ignored(traced: Api, exporter: InMemorySpanExporter, given: str):
    traced.get("/jobs", headers={"traceparent": given})
    (request,) = spans_of(exporter, "SERVER")
    assert request.parent is None


def test_error_of_cognito_is_its_code(traced: Api, exporter: InMemorySpanExporter):
    login = {"email": "traced@example.com", "password": "Wrong-password-1"}
    traced.refused(401, "POST", "/auth/cognito/login", login)
    call = next(each for each in spans_of(exporter, "CLIENT") if "rpc.method" in attributes(each))
    assert attributes(call)["error.type"] == "NotAuthorizedException"
    assert not call.events
    assert call.status.description is None
    assert "Wrong-password" not in text_of(exporter)


def test_turnstile_is_traced_without_the_secret(traced: Api, exporter: InMemorySpanExporter):
    body = {"email": "new-traced@example.com", "password": PASSWORD, "name": "Eve"}
    traced.post("/auth/cognito/signup", {**body, "turnstile_token": DUMMY_TOKEN}, status="*")
    call = next(each for each in spans_of(exporter, "CLIENT") if "url.full" in attributes(each))
    assert call.name == "POST"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[^?]*", attributes(call)["url.full"])
    assert DUMMY_TOKEN not in text_of(exporter)
    assert PASSWORD not in text_of(exporter)


def test_secrets_in_a_path_are_not_in_a_span(traced: Api, exporter: InMemorySpanExporter):
    traced.get("/nowhere/eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln?q=private", status=404)
    (request,) = spans_of(exporter, "SERVER")
    assert request.name == "GET"
    assert attributes(request)["url.path"] == "/nowhere/***"
    assert "private" not in text_of(exporter)
