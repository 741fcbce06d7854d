"""The export of spans by a process that serves requests."""

import threading
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from multiprocessing.util import Finalize

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from jobtracker.settings import InvalidSettings

FLUSH_SECONDS = 2

_PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


class Exporter:
    """What the variables OTEL_* configure; nothing is connected or started before :meth:`start`.

    :raises InvalidSettings: for an exporter or a protocol that is not installed
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        names = variables.get("OTEL_TRACES_EXPORTER", "").replace(",", " ").lower().split()
        self._classes = [_load(name, variables) for name in names or ["otlp"]]
        self._has_name = "service.name=" in variables.get("OTEL_RESOURCE_ATTRIBUTES", "") or (
            bool(variables.get("OTEL_SERVICE_NAME"))
        )

    def start(self) -> None:
        """Export spans from now on, and the rest of them at the end of the process.

        In each worker: threads do not survive a fork.
        """
        if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            return  # a program that embeds this one has its own
        resource = Resource.create(None if self._has_name else {"service.name": "jobtracker"})
        # At the end, by the finalizer: a child of multiprocessing runs no functions of atexit.
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for make_exporter in self._classes:
            provider.add_span_processor(BatchSpanProcessor(make_exporter()))
        trace.set_tracer_provider(provider)
        Finalize(None, _flusher(provider), exitpriority=0)


def _flusher(provider: TracerProvider) -> Callable[[], None]:
    """A function that exports the rest of the spans, within FLUSH_SECONDS: where the collector does
    not answer, the SDK would try again for longer than the process has to stop."""
    stopping, stopped = threading.Event(), threading.Event()

    def flush() -> None:
        stopping.wait()
        provider.shutdown()
        stopped.set()

    # Now, as none can be started at the end of the interpreter.
    threading.Thread(target=flush, name="traces", daemon=True).start()

    def stop() -> None:
        stopping.set()
        stopped.wait(FLUSH_SECONDS)

    return stop


def _load(name: str, variables: Mapping[str, str]) -> type[SpanExporter]:
    variable = "OTEL_TRACES_EXPORTER"
    if name == "otlp":
        names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
        variable = next((each for each in names if variables.get(each)), names[1])
        protocol = variables.get(variable) or "http/protobuf"
        name = _PROTOCOLS.get(protocol.strip().lower(), protocol)
    for entry in entry_points(group="opentelemetry_traces_exporter", name=name):
        exporter: type[SpanExporter] = entry.load()
        return exporter
    raise InvalidSettings((variable, f"the exporter {name} is not installed"))
