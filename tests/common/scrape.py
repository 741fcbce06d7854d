"""The metrics of a server as a scrape has them."""

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from tests.common.timeouts import http_request

Labels = frozenset[tuple[str, str]]


class Scrape:
    """What an address of metrics answers now."""

    def __init__(self, port: int) -> None:
        response = http_request("GET", f"http://127.0.0.1:{port}/metrics", retries=False)
        assert response.status == 200
        families = text_string_to_metric_families(response.data.decode())
        self.samples: dict[tuple[str, Labels], float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    @property
    def names(self) -> set[str]:
        return {name for name, _labels in self.samples}

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        wanted = labels.items()
        return sum(
            value
            for (found, its), value in self.samples.items()
            if found == f"jobtracker_{name}" and wanted <= set(its)
        )

    def responses(self) -> Counter[tuple[str, str, str]]:
        """The numbers of responses by method, route and status."""
        found: Counter[tuple[str, str, str]] = Counter()
        for (name, labels), value in self.samples.items():
            if name == "jobtracker_http_requests_total":
                its = dict(labels)
                found[its["method"], its["route"], its["status"]] += int(value)
        return found
