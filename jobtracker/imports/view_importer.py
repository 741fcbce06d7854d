"""Imports what belongs to the user and to no job: settings, preferences and saved views."""

from collections import Counter
from typing import NamedTuple

from jobtracker import unicode
from jobtracker.archive.kinds import PREFERENCES, SAVED_VIEWS, USER_SETTINGS
from jobtracker.db.connections import SupportsExecute
from jobtracker.imports import queries, row_queries
from jobtracker.imports.archive_reader import ArchiveReader, Line, Row
from jobtracker.imports.context import Context
from jobtracker.imports.models import OnDuplicate
from jobtracker.quotas import QuotaExceeded
from jobtracker.saved_views.models import MAX_NAME
from jobtracker.saved_views.queries import SAVED_VIEWS as VIEWS
from jobtracker.users import queries as users
from jobtracker.users.models import MAX_PREFERENCES, SETTINGS, User


class PlannedViews(NamedTuple):
    """What becomes of saved views.

    :param new: those to be inserted
    :param here: those that are here, by their ids here, and whether one has only the same name
    :param skipped: the number of those of which nothing becomes
    """

    new: list[Row]
    here: list[tuple[int, Row, bool]]
    skipped: int


def plan_views(connection: SupportsExecute, context: Context, lines: list[Line]) -> PlannedViews:
    """What becomes of the saved views of an archive."""
    user_id = context.user_id
    rows = [line.row for line in lines]
    known = row_queries.known(
        connection, user_id, context.source, SAVED_VIEWS, rows, is_own=context.is_own
    )
    views = VIEWS.page(connection, {"user_id": user_id}, None).rows
    names = {unicode.comparison_key(view.name): view.id for view in views}
    planned = PlannedViews([], [], 0)
    for line in lines:
        row = line.row
        if (found := known.get(row["id"])) is not None:
            if found.is_live and context.on_duplicate is OnDuplicate.UPDATE:
                # Its name can be taken by now.
                name_of = names.get(unicode.comparison_key(row["name"]), found.id)
                kept = next(view.name for view in views if view.id == found.id)
                new = row if name_of == found.id else {**row, "name": kept}
                planned.here.append((found.id, new, False))
            else:
                planned = planned._replace(skipped=planned.skipped + 1)
            continue
        key = unicode.comparison_key(row["name"])
        if row["trashed_at"] is None and key in names:
            if context.on_duplicate is OnDuplicate.SKIP:
                planned = planned._replace(skipped=planned.skipped + 1)
                continue
            if context.on_duplicate is OnDuplicate.UPDATE:
                planned.here.append((names[key], row, True))
                continue
            row = {**row, "name": _free_name(row["name"], names)}
        if row["trashed_at"] is None:
            names[unicode.comparison_key(row["name"])] = row["id"]
        planned.new.append(row)
    return planned


def _free_name(name: str, names: dict[str, int]) -> str:
    number = 2
    while True:
        suffix = f" ({number})"
        free = name[: MAX_NAME - len(suffix)].rstrip() + suffix
        if unicode.comparison_key(free) not in names:
            return free
        number += 1


class ViewImporter:
    """Imports settings, preferences and saved views; the numbers as of JobImporter."""

    def __init__(self, connection: SupportsExecute, context: Context) -> None:
        self._connection, self._context = connection, context
        self.made: Counter[str] = Counter()
        self.updated: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    def run(self, reader: ArchiveReader) -> None:
        """:raises QuotaExceeded: when the user has other views by now than at the check"""
        self._user = users.USERS.lock(self._connection, {}, self._context.user_id)
        for line in reader.rows(USER_SETTINGS):
            self._import_settings(line.row)
        for line in reader.rows(PREFERENCES):
            self._import_preferences(line.row["ui_preferences"])
        self._import_views(reader.all_rows(SAVED_VIEWS))

    def _import_settings(self, row: Row) -> None:
        """Set the settings, unless they are not the default ones and not to be updated."""
        before = {name: getattr(self._user, name) for name in SETTINGS}
        changes = {name: row[name] for name in SETTINGS if row[name] != before[name]}
        is_wanted = self._context.on_duplicate is OnDuplicate.UPDATE or before == _defaults()
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
        ids = row_queries.insert(connection, context.user_id, SAVED_VIEWS, planned.new)
        source_ids = [row["id"] for row in planned.new]
        made = dict(zip(source_ids, ids, strict=True))
        adopted = {row["id"]: view_id for view_id, row, is_other in planned.here if is_other}
        for rows, import_id in ((made, context.import_id), (adopted, None)):
            queries.record_sources(
                connection, context.user_id, context.source, "saved_view", rows, import_id
            )
        here = [{**row, "id": view_id} for view_id, row, _is_other in planned.here]
        updated = row_queries.update(connection, context.user_id, SAVED_VIEWS, here)
        self.made[SAVED_VIEWS.name] += len(made)
        self.updated[SAVED_VIEWS.name] += len(updated)
        self.skipped[SAVED_VIEWS.name] += planned.skipped + len(here) - len(updated)

    def _count(self, name: str, *, is_updated: bool) -> None:
        (self.updated if is_updated else self.skipped)[name] += 1


def _defaults() -> dict[str, object]:
    """The settings of a new user."""
    defaults = {name: User.__table__.c[name].server_default for name in SETTINGS}
    values = {name: each.arg for name, each in defaults.items()}  # type: ignore[union-attr]
    return {name: int(arg) if str(arg).isdigit() else str(arg) for name, arg in values.items()}
