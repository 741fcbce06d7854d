"""``root["trash"]``: what the authenticated user has deleted."""

import datetime
from collections.abc import Sequence
from typing import Any

from jobtracker.db.keyset import MAX_LIST, Page
from jobtracker.db.trash import Trashable
from jobtracker.trash import queries
from jobtracker.trash.queries import TrashRow
from jobtracker.tree import Collection, OwnerOnly, Resource, Root


class Trash(OwnerOnly, under=Root, name="trash"):
    """``/trash``, newest first."""

    def __getitem__(self, name: str) -> "TrashOfKind":
        if name not in Trashable.by_kind:
            raise KeyError(name)
        return TrashOfKind(self, name)

    @property
    def period(self) -> datetime.timedelta:
        """The time after which what is in the trash is purged."""
        return datetime.timedelta(days=self.request.registry.settings["trash.days"])

    def page(
        self,
        *,
        limit: int | None = None,
        after: Sequence[Any] | None = None,
        kind: Sequence[str] = (),
    ) -> Page[TrashRow]:
        """At most ``limit`` rows, or :data:`jobtracker.db.keyset.MAX_LIST`: those that follow the
        row with the sort keys ``after``; of some kinds, or of all."""
        return queries.page(
            self.connection,
            self.user.id,
            kinds=kind,
            period=self.period,
            limit=limit or MAX_LIST,
            after=after,
        )


class TrashOfKind(Collection):
    """``/trash/note``."""

    __parent__: Trash

    @property
    def kind_of_child(self) -> str:
        return self.__name__.replace("_", " ")

    def find(self, row_id: int) -> "TrashedResource":
        row = queries.find(
            self.connection, self.user.id, self.__name__, row_id, self.__parent__.period
        )
        if row is None:
            raise KeyError(row_id)
        return TrashedResource(self, row)


class TrashedResource(Resource):
    """``/trash/note/3``."""

    __parent__: TrashOfKind

    def __init__(self, parent: TrashOfKind, row: TrashRow) -> None:
        super().__init__(parent, str(row.id))
        self.row = row
