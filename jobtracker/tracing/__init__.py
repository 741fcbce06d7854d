"""OpenTelemetry traces, where the standard variables name an exporter: docs/logs.md.

Without them OpenTelemetry is not imported, and nothing is in the way of a request.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)

# https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_enabled(variables: Mapping[str, str]) -> bool:
    """Whether OTEL_TRACES_EXPORTER or the endpoint of a collector is set."""
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if exporter := variables.get("OTEL_TRACES_EXPORTER", "").strip():
        return exporter.lower() != "none"
    return any(variables.get(name, "").strip() for name in _ENDPOINTS)


def includeme(config: Any) -> None:
    """Trace requests, SQL and calls of other systems; after all that is traced is configured."""
    if not is_enabled(os.environ):
        return
    try:
        from jobtracker.tracing.exporter import Exporter
        from jobtracker.tracing.instrumentation import instrument
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        log.warning(
            "OTEL_* variables are set, but there are no traces without "
            "pip install 'jobtracker[otel]'"
        )
        return
    config.registry["traces"] = Exporter(os.environ)
    instrument(config)
