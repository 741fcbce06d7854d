"""Spans of requests, SQL statements, and calls of AWS and Turnstile.

The instrumentation packages of OpenTelemetry are not used: they record exceptions, whose messages
contain values of rows (psycopg) or of parameters (Cognito), propagate to AWS by its own header
alone, and replace functions of other packages for the whole process.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
https://opentelemetry.io/docs/specs/semconv/database/postgresql/
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
from opentelemetry import context, propagate, trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from pyramid.events import ApplicationCreated
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from sqlalchemy import event

from jobtracker.auth.http_client import POOL_SIZE
from jobtracker.aws import error_code
from jobtracker.http.access_log import TRACE_ID, logged_path
from jobtracker.http.proxies import client_address
from jobtracker.logs import redact

Attributes = dict[str, Any]

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
MAX_USER_AGENT_LENGTH = 200


def instrument(config: Any) -> None:
    """Let an application, whose clients and engines exist, make spans with the global tracer
    provider, which can be set later."""
    tracer = trace.get_tracer("jobtracker")
    registry = config.registry
    engines = [registry["db_engine"], registry["db_autocommit_engine"]]
    if (replica := registry.get("db_replica")) is not None:
        engines.append(replica.engine)
    for engine in engines:
        trace_statements(engine, tracer)
    for service in ("cognito", "bucket"):
        AWSCalls(tracer).register(registry[service].client)
    for client in (registry["turnstile"].http, registry["access_tokens"].keys.http):
        for scheme in ("https://", "http://"):
            client.session.mount(scheme, TracedAdapter(tracer))

    def trace_requests(created: ApplicationCreated) -> None:
        policy = created.app.execution_policy
        created.app.execution_policy = traced_policy(policy, registry, tracer)

    config.add_subscriber(trace_requests, ApplicationCreated)


def fail(span: Span, reason: str) -> None:
    """Mark a span as failed: by the class or the code of an error, never its message."""
    span.set_attribute("error.type", reason)
    span.set_status(StatusCode.ERROR)


@contextlib.contextmanager
def client_span(tracer: Tracer, name: str, attributes: Attributes) -> Iterator[Span]:
    """The current span of a call of another system."""
    with tracer.start_as_current_span(
        name,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            fail(span, type(error).__qualname__)
            raise


# --- Requests -------------------------------------------------------------------------------------


class EnvironGetter(Getter[dict[str, Any]]):
    """The headers of a WSGI environ, for propagators."""

    def get(self, carrier: dict[str, Any], key: str) -> list[str] | None:
        value = carrier.get("HTTP_" + key.upper().replace("-", "_"))
        return None if value is None else [value]

    def keys(self, carrier: dict[str, Any]) -> list[str]:
        return [
            name.removeprefix("HTTP_").replace("_", "-").lower()
            for name in carrier
            if name.startswith("HTTP_")
        ]


def traced_policy(policy: Any, registry: Any, tracer: Tracer) -> Callable[[Any, Any], Any]:
    """An execution policy of Pyramid with one span for all attempts of a request."""
    getter, find_route = EnvironGetter(), registry["find_route"]

    def traced(environ: dict[str, Any], router: Any) -> Any:
        parent = propagate.extract(environ, getter=getter)
        route = find_route(environ["PATH_INFO"])
        attributes = request_attributes(environ, registry, route)
        method = attributes["http.request.method"]
        words = ["HTTP" if method == "_OTHER" else method, *([route] if route else [])]
        span = tracer.start_span(" ".join(words), parent, SpanKind.SERVER, attributes)
        if (ids := span.get_span_context()).is_valid:
            environ[TRACE_ID] = trace.format_trace_id(ids.trace_id)
        token = context.attach(trace.set_span_in_context(span, parent))
        try:
            response = policy(environ, router)
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 500:
                fail(span, str(response.status_code))
            return response
        except Exception as error:
            fail(span, type(error).__qualname__)
            raise
        finally:
            if (request_id := environ.get("jobtracker.request_id")) is not None:
                span.set_attribute("jobtracker.request_id", request_id)
            context.detach(token)
            span.end()

    return traced


def request_attributes(environ: dict[str, Any], registry: Any, route: str | None) -> Attributes:
    method = environ["REQUEST_METHOD"]
    attributes: Attributes = {
        "http.request.method": method if method in METHODS else "_OTHER",
        "url.scheme": environ["wsgi.url_scheme"],
        "url.path": logged_path(environ["PATH_INFO"]),
        "client.address": str(client_address(environ, registry)),
        "network.protocol.version": environ["SERVER_PROTOCOL"].removeprefix("HTTP/"),
    }
    if route is not None:
        attributes["http.route"] = route
    if agent := environ.get("HTTP_USER_AGENT"):
        attributes["user_agent.original"] = redact(agent)[:MAX_USER_AGENT_LENGTH]
    if (seconds := environ.get("jobtracker.queued_seconds")) is not None:
        attributes["jobtracker.queued_seconds"] = seconds
    return attributes


# --- SQL ------------------------------------------------------------------------------------------


def trace_statements(engine: Any, tracer: Tracer) -> None:
    """Make spans of all statements of an engine's connections, whoever executes them."""
    cursor_class = traced_cursor_class(tracer)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.cursor_factory = cursor_class
        connection.pipeline = functools.partial(traced_pipeline, tracer, connection)


def traced_cursor_class(tracer: Tracer) -> type[psycopg.Cursor[Any]]:
    class TracedCursor(psycopg.Cursor[Any]):
        """Statements outside of a traced request have no span."""

        def execute(self, query: Any, *args: Any, **options: Any) -> Any:
            if not trace.get_current_span().is_recording():
                return super().execute(query, *args, **options)
            text = query if isinstance(query, str) else ""
            operation = text.split(maxsplit=1)[0].upper() if text else "SQL"
            attributes = connection_attributes(self.connection)
            # With placeholders instead of values.
            attributes |= {"db.operation.name": operation, "db.query.text": text}
            name = f"{operation} {attributes['db.namespace']}"
            with client_span(tracer, name, attributes) as span:
                try:
                    return super().execute(query, *args, **options)
                except psycopg.Error as error:
                    if error.sqlstate is not None:
                        span.set_attribute("db.response.status_code", error.sqlstate)
                    raise

    return TracedCursor


@contextlib.contextmanager
def traced_pipeline(tracer: Tracer, connection: Any) -> Iterator[Any]:
    """The pipeline of a connection, in which the spans of statements end before their results
    arrive."""
    if trace.get_current_span().is_recording():
        span = client_span(tracer, "pipeline", connection_attributes(connection))
    else:
        span = contextlib.nullcontext()  # type: ignore[assignment]
    with span, type(connection).pipeline(connection) as pipeline:
        yield pipeline


def connection_attributes(connection: Any) -> Attributes:
    info = connection.info
    return {
        "db.system.name": "postgresql",
        "db.namespace": info.dbname,
        "server.address": info.host,
        "server.port": info.port,
    }


# --- AWS ------------------------------------------------------------------------------------------


class AWSCalls:
    """Handlers of the events of a client of botocore; a presigned URL is no call.

    https://docs.aws.amazon.com/boto3/latest/guide/events.html
    """

    # In the context of a call.
    SPAN = "jobtracker.span"

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def register(self, client: Any) -> None:
        events = client.meta.events
        events.register("before-call", functools.partial(self.begin, client.meta.region_name))
        events.register("before-send", self.propagate)
        events.register("after-call", self.end)
        events.register("after-call-error", self.fail)

    def begin(self, region: str, model: Any, context: dict[str, Any], **_kwargs: Any) -> None:
        service = str(model.service_model.service_id)
        attributes = {
            "rpc.system": "aws-api",
            "rpc.service": service,
            "rpc.method": model.name,
            "cloud.region": region,
        }
        manager = client_span(self._tracer, f"{service}.{model.name}", attributes)
        context[self.SPAN] = manager, manager.__enter__()

    def propagate(self, request: Any, **_kwargs: Any) -> None:
        """After the signature, which does not cover the headers: a proxy may replace them."""
        propagate.inject(request.headers)

    def end(self, parsed: Any, context: dict[str, Any], **_kwargs: Any) -> None:
        if (entered := context.pop(self.SPAN, None)) is None:
            return
        manager, span = entered
        metadata = parsed.get("ResponseMetadata", {})
        if (status := metadata.get("HTTPStatusCode")) is not None:
            span.set_attribute("http.response.status_code", status)
        if (request_id := metadata.get("RequestId")) is not None:
            span.set_attribute("aws.request_id", request_id)
        if "Error" in parsed and (status is None or status >= 300):
            fail(span, str(parsed["Error"].get("Code", status)))
        manager.__exit__(None, None, None)

    def fail(self, exception: Exception, context: dict[str, Any], **_kwargs: Any) -> None:
        if (entered := context.pop(self.SPAN, None)) is not None:
            manager, span = entered
            fail(span, error_code(exception))
            manager.__exit__(None, None, None)


# --- Turnstile and the JWKS -----------------------------------------------------------------------


class TracedAdapter(HTTPAdapter):
    def __init__(self, tracer: Tracer) -> None:
        super().__init__(pool_maxsize=POOL_SIZE)
        self._tracer = tracer

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        url = urlsplit(request.url or "")
        method = request.method or ""
        attributes: Attributes = {
            "http.request.method": method,
            "url.full": f"{url.scheme}://{url.hostname}{':' + str(url.port) if url.port else ''}"
            + url.path,
            "server.address": url.hostname,
            "server.port": url.port or (443 if url.scheme == "https" else 80),
        }
        with client_span(self._tracer, method, attributes) as span:
            propagate.inject(request.headers)
            response = super().send(request, *args, **options)
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 400:
                fail(span, str(response.status_code))
            return response
