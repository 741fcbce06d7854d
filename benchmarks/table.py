"""Markdown tables."""

import statistics
from collections.abc import Sequence


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns, but for the first, are aligned to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def mean_and_error(ratios: Sequence[float]) -> list[str]:
    """The mean of measurements, and its standard error."""
    error = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else 0
    return [f"{statistics.mean(ratios):.2f}", f"{error:.2f}"]
