"""``root["users"]["me"]["audit"]``: the audit entries of the user."""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

from jobtracker.audit.queries import AUDIT, AuditRow
from jobtracker.audit.recording import session_hash
from jobtracker.db.keyset import Page
from jobtracker.tree import PrimaryCollection, RowResource
from jobtracker.users.resources import UserResource

# Hexadecimal digits of a hash that are shown: 48 bits, enough to tell a user's networks apart.
DIGITS = 12


class AuditEntryView(NamedTuple):
    """An entry as its user sees it."""

    id: int
    kind: str
    at: datetime.datetime
    last_at: datetime.datetime
    count: int  # type: ignore[assignment]  # the method of tuples
    #: The same for all events from one network; None for several networks.
    client: str | None
    #: The same for all events of one session; None where there was none.
    session: str | None
    #: Whether that is the session of the request.
    current: bool
    request_id: str | None


class AuditCollection(PrimaryCollection[AuditRow], under=UserResource, name="audit"):
    """``/users/me/audit``, newest first; its items are read-only and have no URL."""

    __parent__: UserResource
    repository, item_class = AUDIT, RowResource

    def page(self, *, limit: int | None = None, after: Sequence[Any] | None = None) -> Page[Any]:
        current = session_hash(self.request, self.__parent__.origin_jti)
        page = super().page(limit=limit, after=after)
        rows = [_view(row, current) for row in page.rows]
        return Page(rows, page.next_sort_keys, page.sort)


def _view(row: AuditRow, current: bytes | None) -> AuditEntryView:
    session = row.session_hash
    return AuditEntryView(
        *(row.id, row.kind, row.at, row.last_at, row.event_count),
        row.client_hash.hex()[:DIGITS] or None,
        session.hex()[:DIGITS] if session else None,
        session is not None and session == current,
        row.request_id,
    )
