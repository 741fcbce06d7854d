"""The rows of an archive, as valid as those of the API."""

import datetime
from typing import Any

import colander
from colander import SchemaNode

from jobtracker.archive import kinds
from jobtracker.archive.kinds import InvalidRow, Kind
from jobtracker.documents.schemas import PresignUploadIn
from jobtracker.fields import Choice, JsonObject, Schema, Text, first_sentence
from jobtracker.history.models import EARLIEST
from jobtracker.interviews.schemas import InterviewIn
from jobtracker.jobs.models import ACTIVITY_TYPES
from jobtracker.jobs.schemas import JobIn
from jobtracker.notes.schemas import NoteIn
from jobtracker.saved_views.schemas import SavedViewIn
from jobtracker.users.schemas import SettingsOut, UiPreferencesOut

# Of what triggers write: the names of 50 tags, in an event of the activity.
MAX_MESSAGE, MAX_DATA, MAX_DEPTH = 1000, 64 * 1024, 32
# Other JSON parsers read a larger one as a float.
MAX_INTEGER = 2**53
# Of times that the server sets, so that clients can add to them.
LATEST = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)
_ENTERED_TIMES = ("next_action_at", "last_action_at", "scheduled_at")


class _EventIn(Schema):
    type = SchemaNode(Choice(ACTIVITY_TYPES))
    message = SchemaNode(Text(max=MAX_MESSAGE))
    data = SchemaNode(JsonObject(max_bytes=MAX_DATA, max_depth=MAX_DEPTH))


class _DocumentIn(Schema):
    scan_message = SchemaNode(Text(max=MAX_MESSAGE), missing=None, nullable=True)


def _nodes(schema: Schema, *names: str, **renamed: str) -> dict[str, SchemaNode]:
    """The nodes of a schema by the names that their fields have in archives."""
    nodes = {child.name: child for child in schema.children}
    return {name: nodes[name] for name in names} | {new: nodes[old] for new, old in renamed.items()}


# The types of the API's fields, but for vocabularies and times, which the kinds have.
_NODES: dict[str, dict[str, SchemaNode]] = {
    kinds.USER_SETTINGS.name: _nodes(
        SettingsOut(), *(each.name for each in SettingsOut().children)
    ),
    kinds.PREFERENCES.name: _nodes(UiPreferencesOut(), "ui_preferences"),
    kinds.SAVED_VIEWS.name: _nodes(SavedViewIn(), "name", "data"),
    kinds.JOBS.name: _nodes(
        JobIn(), "company_name", "job_title", "location", "job_url", "tags", "next_action_title"
    ),
    kinds.ACTIVITY.name: _nodes(_EventIn(), "type", "message", "data"),
    kinds.NOTES.name: _nodes(NoteIn(), "body"),
    kinds.INTERVIEWS.name: _nodes(
        InterviewIn(), "stage", "kind", "location", "interviewer", "notes"
    ),
    kinds.DOCUMENTS.name: {
        **_nodes(PresignUploadIn(), "content_type", "size_bytes", original_filename="filename"),
        **_nodes(_DocumentIn(), "scan_message"),
    },
}


def decode(kind: Kind, line: bytes) -> dict[str, Any]:
    """The fields of a line, normalized as those of requests.

    :raises InvalidRow: for what is invalid
    """
    row = kind.decode(line)
    for name, node in _NODES.get(kind.name, {}).items():
        try:
            row[name] = node.deserialize(row[name])
        except colander.Invalid as error:
            raise InvalidRow(name, first_sentence(error, name)) from None
    if "trashed_at" in row:
        _check_trash(row)
    for name, value in row.items():
        if isinstance(value, datetime.datetime):
            _check_time(name, value)
        elif name in ("id", "application_id", "version") and not 0 < value < MAX_INTEGER:
            raise InvalidRow(name, "Must be a positive integer below 2^53.")
    return row


def _check_trash(row: dict[str, Any]) -> None:
    if (row["trashed_at"] is None) != (row["trash_reason"] is None):
        raise InvalidRow("trash_reason", "Must be there if, and only if, trashed_at is.")
    if row["trashed_at"] is not None:
        # What is deleted in the future would stay in the trash until then.
        row["trashed_at"] = min(row["trashed_at"], datetime.datetime.now(datetime.UTC))


def _check_time(name: str, value: datetime.datetime) -> None:
    """Check a time that the server sets."""
    if name not in _ENTERED_TIMES and not EARLIEST <= value < LATEST:
        raise InvalidRow(name, f"Must be a time from 1970 to {LATEST.year - 1}.")
