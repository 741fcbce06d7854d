"""Metrics for Prometheus, on an address of their own (setting ``metrics.listen``): docs/metrics.md.

Included where the setting is not empty; otherwise prometheus_client is not imported. A worker
measures by subclasses of what it has (:mod:`~jobtracker.metrics.instrumentation`) and writes to
files of its own, which the main process adds up for each scrape.
"""

from typing import Any

from jobtracker.metrics.exporter import Exporter


def includeme(config: Any) -> None:
    """:raises InvalidSettings: when the address is in use, or there is no temporary folder"""
    config.registry["metrics"] = Exporter(config.registry)
