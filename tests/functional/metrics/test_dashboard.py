"""The dashboard and the alerting rules: all of their metrics exist, and all queries yield data."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from jobtracker.local import CHECKOUT
from tests.common.measured_server import MeasuredServer
from tests.common.server import free_port

DASHBOARD = CHECKOUT / "deploy" / "grafana" / "jobtracker.json"
ALERTS = CHECKOUT / "deploy" / "prometheus" / "alerts.yml"
NAME = re.compile(r"jobtracker_\w+")

# Only with a replica.
OPTIONAL = {"jobtracker_replica_in_use"}

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus and promtool are not installed (Debian: apt-get install prometheus)",
)


def queries() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_metrics_of_the_dashboard_and_the_alerts_exist(mixed: MeasuredServer):
    named = set(NAME.findall(" ".join([*queries(), ALERTS.read_text()])))
    assert len(named) > 15
    assert named - mixed.scrape().names <= OPTIONAL


def test_metrics_are_documented(mixed: MeasuredServer):
    documented = set(NAME.findall((CHECKOUT / "docs" / "metrics.md").read_text()))
    served = {re.sub("_(bucket|count|sum)$", "", name) for name in mixed.scrape().names}
    assert documented - OPTIONAL == served


@needs_prometheus
@pytest.mark.parametrize("command", [["check", "rules", ALERTS], ["test", "rules"]])
def test_promtool_accepts_the_alerts(command: list[str]):
    if command[0] == "test":
        command = [*command, str(Path(__file__).with_name("alerts_test.yml"))]
    result = subprocess.run(  # noqa: S603
        ["promtool", *command],  # noqa: S607
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture
def prometheus(mixed: MeasuredServer, tmp_path: Path) -> Iterator[str]:
    """The URL of a Prometheus that scrapes the server each second."""
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [
            {
                "job_name": "jobtracker",
                "static_configs": [{"targets": [f"127.0.0.1:{mixed.metrics_port}"]}],
            }
        ],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    address = f"127.0.0.1:{free_port()}"
    options = {"config.file": "prometheus.yml", "web.listen-address": address}
    options["storage.tsdb.path"] = "data"
    process = subprocess.Popen(  # noqa: S603
        ["prometheus", *(f"--{name}={value}" for name, value in options.items())],  # noqa: S607
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    yield f"http://{address}"
    process.terminate()
    process.wait(20)


@needs_prometheus
def test_all_queries_of_the_dashboard_yield_data(prometheus: str):
    retries = urllib3.Retry(100, backoff_factor=0.1, backoff_max=0.5, status_forcelist=[503])
    http = urllib3.PoolManager(retries=retries)
    without_data = queries()
    deadline = time.monotonic() + 30
    while without_data:
        assert time.monotonic() < deadline, without_data
        time.sleep(0.5)
        for query in list(without_data):
            text = query.replace("$__rate_interval", "20s").replace("$instance", ".*")
            url = f"{prometheus}/api/v1/query"
            answer = http.request("GET", url, fields={"query": text}).json()
            assert answer["status"] == "success", (query, answer)
            if answer["data"]["result"]:
                without_data.remove(query)
