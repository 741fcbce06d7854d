"""Keyset pagination: a page continues after the sort keys of a row, not after its number.

Rows inserted or deleted between two pages make no row appear twice and none be skipped.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, and_, bindparam, or_, tuple_

# The maximum number of rows of a page with a limit.
MAX_LIMIT = 1000

#: The rows that a list without a limit has at most.
MAX_LIST = 10_000

#: The maximum bytes of a page, of its texts in PostgreSQL as of its JSON.
MAX_BYTES = 8 * 1024 * 1024

#: A number of rows that cannot have more than MAX_BYTES: no row has 64 KiB of JSON.
SMALL_PAGE = 100

R = TypeVar("R")


class SortKey:
    """A column of the sort order, or an expression of it; ``by`` makes the expression."""

    def __init__(
        self, column: Any, *, descending: bool = False, by: Callable[[Any], Any] | None = None
    ) -> None:
        self.name, self.descending = column.key, descending
        parameter = bindparam(f"after_{column.key}", type_=column.type)
        self.of_row: Any = by(column) if by else column
        self.of_cursor: Any = by(parameter) if by else parameter


class Sort:
    """A total order: its last key is unique."""

    def __init__(self, *keys: SortKey) -> None:
        self.keys = keys

    def order(self) -> list[Any]:
        """The expressions of ORDER BY."""
        return [key.of_row.desc() if key.descending else key.of_row.asc() for key in self.keys]

    def after(self) -> ColumnElement[bool]:
        """The condition that a row follows the one with the sort keys in the parameters."""
        if len({key.descending for key in self.keys}) == 1:  # as an index can evaluate it
            row = tuple_(*(key.of_row for key in self.keys))
            last = tuple_(*(key.of_cursor for key in self.keys))
            return row < last if self.keys[0].descending else row > last
        alternatives: list[Any] = []
        equal: list[Any] = []
        for key in self.keys:
            row, last = key.of_row, key.of_cursor
            alternatives.append(and_(*equal, row < last if key.descending else row > last))
            equal.append(row == last)
        return or_(*alternatives)

    def parameters(self, values: Sequence[Any] | None) -> dict[str, Any]:
        """The parameters of :meth:`after`; none for the first page."""
        names = [f"after_{key.name}" for key in self.keys]
        return dict(zip(names, values or (), strict=False))

    def values(self, row: Any) -> list[Any]:
        """The sort keys of a row."""
        return [getattr(row, key.name) for key in self.keys]


def newest_first(model: Any, column: str = "created_at") -> Sort:
    """The order by a timestamp column of a mapped class, then by id, both descending."""
    return Sort(*(SortKey(c, descending=True) for c in (getattr(model, column), model.id)))


class Page(NamedTuple, Generic[R]):
    """Rows in the order of a sort, and the sort keys of the last one where more rows follow."""

    rows: Sequence[R]
    next_sort_keys: list[Any] | None
    sort: Sort

    def first(self, number: int) -> "Page[R]":
        """The page of the first rows alone."""
        if number >= len(self.rows):
            return self
        return Page.from_rows(self.rows, number, self.sort)

    @classmethod
    def from_rows(cls, rows: Sequence[R], limit: int | None, sort: Sort) -> "Page[R]":
        """:param rows: at most ``limit + 1``: the last one says that more rows follow"""
        if limit is None or len(rows) <= limit:
            return cls(rows, None, sort)
        return cls(rows[:limit], sort.values(rows[limit - 1]), sort)
