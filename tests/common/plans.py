"""The plans of statements."""

from typing import Any


class Explained:
    """A connection that executes EXPLAIN ANALYZE instead, and keeps the nodes of the plan."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.nodes: list[dict[str, Any]] = []

    def execute(self, query: Any, params: Any = None, *, binary: bool = False) -> Any:
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {query}"
        self._collect(self.driver.execute(explain, params).fetchone()[0][0]["Plan"])
        return self.driver.execute("SELECT WHERE false", binary=binary)

    def _collect(self, node: dict[str, Any]) -> None:
        self.nodes.append(node)
        for child in node.get("Plans", ()):
            self._collect(child)
