"""Orders of rows that can be gone on with after any row: by its keys, not by its number.

What is inserted or deleted meanwhile makes no row come twice and none be skipped.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, tuple_
from sqlalchemy.orm import Session

# Rows of a page, at most.
MAX_LIMIT = 1000


def _as_it_is(value: Any) -> Any:
    return value


class Key:
    """One of the columns that rows are sorted by.

    :param by: what of the column's value they are sorted by
    """

    def __init__(
        self, column: Any, *, descending: bool = False, by: Callable[[Any], Any] = _as_it_is
    ) -> None:
        self.column = column
        self.name = column.key
        self.descending = descending
        self.of_row = by(column)
        self.of_cursor = by(bindparam(f"after_{column.key}", type_=column.type))

    def order(self) -> Any:
        return self.of_row.desc() if self.descending else self.of_row.asc()

    def is_after(self) -> ColumnElement[bool]:
        return self.of_row < self.of_cursor if self.descending else self.of_row > self.of_cursor


class Sort:
    """An order without ties: the last key is unique."""

    def __init__(self, *keys: Key) -> None:
        self.keys = keys

    def order(self) -> list[Any]:
        """What to ORDER BY."""
        return [key.order() for key in self.keys]

    def after(self) -> ColumnElement[bool]:
        """That a row comes after the one with the parameters' keys."""
        if len({key.descending for key in self.keys}) == 1:  # as an index can tell
            row = tuple_(*(key.of_row for key in self.keys))
            last = tuple_(*(key.of_cursor for key in self.keys))
            return row < last if self.keys[0].descending else row > last
        return or_(
            *(
                and_(
                    *(before.of_row == before.of_cursor for before in self.keys[:depth]),
                    key.is_after(),
                )
                for depth, key in enumerate(self.keys)
            )
        )

    def parameters(self, values: Sequence[Any] | None) -> dict[str, Any]:
        """The parameters of :meth:`after`."""
        names = [f"after_{key.name}" for key in self.keys]
        return dict(zip(names, values or (), strict=False))

    def page(
        self, db: Session, query: "Select[Any]", limit: int, after: Sequence[Any] | None
    ) -> "Page":
        """A page of what an ORM query finds."""
        query = query.order_by(*self.order()).limit(limit + 1)
        if after is not None:
            query = query.where(self.after())
        return Page.of(db.scalars(query, self.parameters(after)).all(), limit, self)

    def values(self, row: Any) -> list[Any]:
        """The keys of a row."""
        return [getattr(row, key.name) for key in self.keys]


class Page(NamedTuple):
    """Rows, and, where there are more, the keys of the last one."""

    rows: Sequence[Any]
    last: list[Any] | None

    @classmethod
    def of(cls, rows: Sequence[Any], limit: int, sort: Sort) -> "Page":
        """:param rows: of which one more than the limit was asked for"""
        if len(rows) <= limit:
            return cls(rows, None)
        return cls(rows[:limit], sort.values(rows[limit - 1]))
