"""Imports what belongs to the user and to no job: settings, preferences and saved views."""

from collections import Counter
from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from jobtracker import unicode
from jobtracker.archive.kinds import PREFERENCES, SAVED_VIEWS, USER_SETTINGS
from jobtracker.db.connections import SupportsExecute
from jobtracker.imports import queries, row_queries
from jobtracker.imports.archive_reader import Line, Row
from jobtracker.imports.context import Context
from jobtracker.imports.models import OnDuplicate
from jobtracker.quotas import QuotaExceeded
from jobtracker.saved_views.models import MAX_NAME
from jobtracker.saved_views.queries import SAVED_VIEWS as VIEWS
from jobtracker.users import queries as users
from jobtracker.users.models import MAX_PREFERENCES, SETTINGS, User


class PlannedViews(NamedTuple):
    """What becomes of saved views; nothing of the others.

    :param new: those to be inserted, after the updates
    :param here: those to be updated, by their ids here, and whether one has only the same name
    """

    new: list[Row]
    here: dict[int, tuple[Row, bool]]


def plan_views(connection: SupportsExecute, context: Context, lines: list[Line]) -> PlannedViews:
    """What becomes of the saved views of an archive."""
    user_id, rows = context.user_id, [line.row for line in lines]
    known = row_queries.known(
        connection, user_id, context.source, SAVED_VIEWS, rows, is_own=context.is_own
    )
    views = {view.id: view for view in VIEWS.page(connection, {"user_id": user_id}, None).rows}
    names = {unicode.comparison_key(view.name): view.id for view in views.values()}
    planned = PlannedViews([], {})
    is_update = context.on_duplicate is OnDuplicate.UPDATE
    released = []
    for row in rows:
        view = views.get(known[row["id"]].id) if row["id"] in known else None
        if view is not None and is_update:
            key, before = (unicode.comparison_key(each["name"]) for each in (row, view._asdict()))
            if names.setdefault(key, view.id) != view.id:  # it is taken by now
                row = {**row, "name": view.name}
            elif key != before:
                released.append(before)
            planned.here[view.id] = row, False
    for key in released:
        del names[key]
    for row in rows:
        if row["id"] in known:
            continue
        if row["trashed_at"] is None:
            key = unicode.comparison_key(row["name"])
            if key in names and context.on_duplicate is OnDuplicate.SKIP:
                continue
            if is_update and names.get(key) in views.keys() - planned.here.keys():
                planned.here[names[key]] = row, True
                continue
            row = {**row, "name": _free_name(row["name"], names)}
            names[unicode.comparison_key(row["name"])] = 0
        planned.new.append(row)
    return planned


def _free_name(name: str, names: Container[str]) -> str:
    """The name, with a number if it is taken."""
    free, number = name, 1
    while unicode.comparison_key(free) in names:
        number += 1
        suffix = f" ({number})"
        free = name[: MAX_NAME - len(suffix)].rstrip() + suffix
    return free


class ViewImporter:
    """Imports settings, preferences and saved views; the numbers as of JobImporter."""

    def __init__(self, connection: SupportsExecute, context: Context) -> None:
        self._connection, self._context = connection, context
        self.made: Counter[str] = Counter()
        self.updated: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    def run(self, rows: Mapping[str, list[Line]]) -> None:
        """Import them, by the names of their kinds.

        :raises QuotaExceeded: when the user has other views by now than at the check
        """
        self._user = users.USERS.lock(self._connection, {}, self._context.user_id)
        for line in rows[USER_SETTINGS.name]:
            self._import_settings(line.row)
        for line in rows[PREFERENCES.name]:
            self._import_preferences(line.row["ui_preferences"])
        self._import_views(rows[SAVED_VIEWS.name])

    def _import_settings(self, row: Row) -> None:
        """Set the settings where they are the default ones, or to be updated."""
        before = {name: getattr(self._user, name) for name in SETTINGS}
        columns: Any = User.__table__.c
        is_wanted = self._context.on_duplicate is OnDuplicate.UPDATE or all(
            str(value) == columns[name].server_default.arg for name, value in before.items()
        )
        changes = {name: row[name] for name in SETTINGS if row[name] != before[name]}
        if changes and is_wanted:
            users.USERS.update(self._connection, {}, self._user.id, changes)
        self._count(USER_SETTINGS.name, is_updated=bool(changes and is_wanted))

    def _import_preferences(self, given: dict[str, bool]) -> None:
        """Set the preferences that the user does not have; the others, if they are to be updated;
        those alone for which there is room."""
        before = self._user.ui_preferences
        is_update = self._context.on_duplicate is OnDuplicate.UPDATE
        merged = {**before, **given} if is_update else {**given, **before}
        room = MAX_PREFERENCES - len(before)
        new = [name for name in given if name not in before]
        for name in new[room:]:
            del merged[name]
        if merged != before:
            values = {"ui_preferences": merged}
            users.USERS.update(self._connection, {}, self._user.id, values)
        self._count(PREFERENCES.name, is_updated=merged != before)

    def _import_views(self, lines: list[Line]) -> None:
        context, connection = self._context, self._connection
        planned = plan_views(connection, context, lines)
        live = sum(row["trashed_at"] is None for row in planned.new)
        limit = context.quota("saved_views")
        if live and VIEWS.count(connection, {"user_id": context.user_id}) + live > limit:
            raise QuotaExceeded("saved_views", limit)
        here = [{**row, "id": view_id} for view_id, (row, _is_other) in planned.here.items()]
        updated = row_queries.update(connection, context.user_id, SAVED_VIEWS, here)
        ids = row_queries.insert(connection, context.user_id, SAVED_VIEWS, planned.new)
        made = dict(zip((row["id"] for row in planned.new), ids, strict=True))
        adopted = {
            row["id"]: view_id for view_id, (row, is_other) in planned.here.items() if is_other
        }
        for rows, import_id in ((made, context.import_id), (adopted, None)):
            queries.record_sources(
                connection, context.user_id, context.source, "saved_view", rows, import_id
            )
        self.made[SAVED_VIEWS.name] += len(made)
        self.updated[SAVED_VIEWS.name] += len(updated)
        self.skipped[SAVED_VIEWS.name] += len(lines) - len(made) - len(updated)

    def _count(self, name: str, *, is_updated: bool) -> None:
        (self.updated if is_updated else self.skipped)[name] += 1
