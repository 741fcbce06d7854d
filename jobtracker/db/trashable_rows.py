"""The statements on the rows of one owner that are, or can be, in the trash."""

import functools
from collections.abc import Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import (
    Command,
    Owner,
    Repository,
    Statement,
    new_parameters,
    new_values,
)
from jobtracker.db.trash import TrashReason, in_trash
from jobtracker.errors import NotFound

R = TypeVar("R")


class TrashableRepository(Repository[R]):
    """A repository of a :class:`jobtracker.db.trash.Trashable` class.

    What its methods call the trash has no rows that a task is about to purge.
    """

    def __init__(
        self, model: Any, row: type[R], *, owner_columns: Sequence[str], **options: Any
    ) -> None:
        super().__init__(model, row, owner_columns=owner_columns, **options)
        table = model.__table__
        of_owner = (table.c[name] == sa.bindparam(name) for name in owner_columns)
        by_id = (*of_owner, table.c.id == sa.bindparam("row_id"), in_trash(model))
        found = sa.select(*self._columns).where(*by_id)
        self._lock_in_trash = Statement(found.with_for_update(key_share=True), row)
        restored = sa.update(table).where(*by_id).values(dict.fromkeys(model.TRASH_COLUMNS))
        self._restore = Statement(restored.returning(*self._updated_columns), row)
        self._purge = Command(sa.delete(table).where(*by_id))
        self._trash = functools.cache(self._compile_trash)

    def trash(
        self,
        connection: SupportsExecute,
        owner: Owner,
        row_id: int,
        reason: TrashReason,
        **columns: Any,
    ) -> None:
        """Put a row into the trash.

        :param columns: the values of further columns, and ``trashed_at`` if it is not now
        :raises NotFound: when it was deleted concurrently, or put into the trash
        """
        parameters = {**owner, "row_id": row_id, "reason": reason, **new_parameters(columns)}
        if not self._trash(tuple(columns)).execute(connection, **parameters):
            raise NotFound

    def lock_in_trash(self, connection: SupportsExecute, owner: Owner, row_id: int) -> R:
        """The row of that id in the trash, locked until the end of the transaction.

        :raises NotFound: when there is none
        """
        return self._lock_in_trash.first_or_not_found(connection, **owner, row_id=row_id)

    def restore(self, connection: SupportsExecute, owner: Owner, row_id: int) -> R:
        """Take a row out of the trash. Raises as :meth:`lock_in_trash`."""
        return self._restore.first_or_not_found(connection, **owner, row_id=row_id)

    def purge(self, connection: SupportsExecute, owner: Owner, row_id: int) -> None:
        """Delete a row in the trash. Raises as :meth:`lock_in_trash`."""
        if not self._purge.execute(connection, **owner, row_id=row_id):
            raise NotFound

    def _compile_trash(self, names: tuple[str, ...]) -> Command:
        values = {"trashed_at": NOW, **new_values(self.model, names)}
        reason = sa.bindparam("reason", type_=sa.Text)
        trashed = sa.update(self.model.__table__).where(*self._by_id)
        return Command(trashed.values({**values, "trash_reason": reason}))
