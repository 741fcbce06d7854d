"""The kinds of an archive, each of which is a file of it: the columns of a table as JSON.

A column of a table here is exported unless it is named with a reason, and a table that is not here
is named in :data:`NOT_EXPORTED`: a test compares both with the tables.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from jobtracker.activity.models import Activity
from jobtracker.archive import values
from jobtracker.archive.values import InvalidArchiveValue, JsonSchema, ValueType
from jobtracker.db.trash import TrashReason
from jobtracker.documents.models import DocType, Document, DocumentStatus, ScanStatus
from jobtracker.history.models import JobStep, StepOrigin
from jobtracker.interviews.models import Interview, InterviewStatus
from jobtracker.jobs.models import Job, Priority, Status
from jobtracker.notes.models import Note
from jobtracker.renderer import json_dumps
from jobtracker.saved_views.models import SavedView
from jobtracker.users.models import SETTINGS, JobsSort, JobsView, Theme, User

_FIRST = ("id", "application_id")


class InvalidRow(ValueError):
    """A line of a file that is no row of its kind.

    :param field: empty where the line itself is invalid
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field, self.message = field, message


class Field(NamedTuple):
    """A property of a row; but for those of FILE_FIELDS its name is that of the column."""

    name: str
    type: ValueType
    is_nullable: bool

    @property
    def schema(self) -> JsonSchema:
        if not self.is_nullable:
            return self.type.schema
        schema = {**self.type.schema, "type": [self.type.schema["type"], "null"]}
        return {**schema, "enum": [*schema["enum"], None]} if "enum" in schema else schema

    def decode(self, value: Any) -> Any:
        if value is None and self.is_nullable:
            return None
        return self.type.decode(value)


class Kind:
    """A file of an archive, ``<name>.ndjson``, and the table whose rows it has.

    :param omitted: the columns that are not exported, each with the reason
    :param vocabularies: the values of columns, each as an enum
    :param types: of the columns whose type says too little of their values
    :param others: the fields that are no columns
    :param is_single: whether the user has one row
    """

    def __init__(
        self,
        name: str,
        model: Any,
        omitted: Mapping[str, str],
        vocabularies: Mapping[str, Iterable[str]] = MappingProxyType({}),
        *,
        types: Mapping[str, ValueType] = MappingProxyType({}),
        others: Iterable[Field] = (),
        is_single: bool = False,
    ) -> None:
        self.name, self.model, self.omitted, self.is_single = name, model, omitted, is_single
        self.vocabularies = vocabularies
        #: The exported columns, those first that identify the row.
        self.columns = sorted(
            (each for each in model.__table__.c if each.name not in omitted),
            key=lambda column: _FIRST.index(column.name) if column.name in _FIRST else len(_FIRST),
        )
        exported = [
            Field(
                column.name,
                types.get(column.name)
                or values.of_column(column, tuple(map(str, vocabularies.get(column.name, ())))),
                bool(column.nullable),
            )
            for column in self.columns
        ]
        self.fields = (*exported, *others)
        self._names = {field.name for field in self.fields}

    def __repr__(self) -> str:
        return f"<Kind {self.name}>"

    @property
    def schema(self) -> JsonSchema:
        return {
            "type": "object",
            "properties": {field.name: field.schema for field in self.fields},
            "required": [field.name for field in self.fields],
            "additionalProperties": False,
        }

    @property
    def filename(self) -> str:
        return f"{self.name}.ndjson"

    @property
    def is_of_job(self) -> bool:
        """Whether the rows are below jobs."""
        return "application_id" in self._names

    def encode(self, row: Mapping[str, Any]) -> bytes:
        """The line of a row, by the names of its fields."""
        return json_dumps({field.name: row[field.name] for field in self.fields}) + b"\n"

    def decode(self, line: bytes) -> dict[str, Any]:
        """The fields of a line: types, vocabularies and lengths are checked.

        :raises InvalidRow: for what is invalid
        """
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InvalidRow("", f"Is no JSON: {error.msg}.") from None
        if not isinstance(row, dict):
            raise InvalidRow("", "Must be an object.")
        if unknown := sorted(row.keys() - self._names):
            raise InvalidRow(unknown[0], "There is no such field.")
        decoded = {}
        for field in self.fields:
            if field.name not in row:
                raise InvalidRow(field.name, "Is missing.")
            try:
                decoded[field.name] = field.decode(row[field.name])
            except InvalidArchiveValue as error:
                raise InvalidRow(field.name, str(error)) from None
        return decoded


_OWNER = {"user_id": "the user is the one who imports the archive"}
# Rows that a task is about to purge are in no archive.
_TRASH = {"trash_reason": [each for each in TrashReason if each is not TrashReason.PURGE]}
#: Of a document: the path of its file in the archive, or null where the archive has none.
FILE_FIELD = Field(
    "file", ValueType({"type": "string", "minLength": 1}, values.text), is_nullable=True
)

_OF_USER = {
    **dict.fromkeys(("id", "cognito_sub", "email", "name"), "the account is the user pool's"),
    **dict.fromkeys(("email_verified_at", "created_at"), "of the account at this installation"),
    **dict.fromkeys(("deletion_requested_at", "cognito_deleted_at"), "of its deletion"),
    "tokens_valid_from": "tokens of this installation",
    "data_retention_changed_at": "when the retention began to apply at this installation",
    "revision": "the manifest has it",
    "revision_nonce": "distinguishes versions of this installation",
    "job_count": "triggers derive it",
}

USER_SETTINGS = Kind(
    "settings",
    User,
    {**_OF_USER, "ui_preferences": "of the kind preferences"},
    {"theme": Theme, "default_jobs_sort": JobsSort, "default_jobs_view": JobsView},
    is_single=True,
)
PREFERENCES = Kind(
    "preferences",
    User,
    {**_OF_USER, **dict.fromkeys(SETTINGS, "of the kind settings")},
    types={"ui_preferences": values.FLAGS},
    is_single=True,
)
JOBS = Kind(
    "jobs",
    Job,
    {**_OWNER, "version_nonce": "distinguishes versions of this installation"},
    {"status": Status, "priority": Priority, **_TRASH},
)
HISTORY = Kind("history", JobStep, _OWNER, {"status": Status, "origin": StepOrigin})
ACTIVITY = Kind("activity", Activity, _OWNER)
NOTES = Kind("notes", Note, _OWNER, _TRASH)
INTERVIEWS = Kind("interviews", Interview, _OWNER, {"status": InterviewStatus, **_TRASH})
DOCUMENTS = Kind(
    "documents",
    Document,
    {
        **_OWNER,
        "upload_key": "a key in the bucket, which is never shown",
        "object_key": "a key in the bucket, which is never shown",
        "upload_expires_at": "of an upload that is completed",
    },
    {"doc_type": DocType, "status": DocumentStatus, "scan_status": ScanStatus, **_TRASH},
    others=[FILE_FIELD],
)
SAVED_VIEWS = Kind("saved_views", SavedView, _OWNER, _TRASH)

#: In the order of an archive.
ARCHIVE_KINDS = (
    USER_SETTINGS,
    PREFERENCES,
    SAVED_VIEWS,
    JOBS,
    HISTORY,
    ACTIVITY,
    NOTES,
    INTERVIEWS,
    DOCUMENTS,
)

_DERIVED = "triggers derive it from what is exported"
_SECURITY = "of the protection of accounts at this installation"
#: The tables that are not in an archive, each with the reason.
NOT_EXPORTED = {
    "account_audit": _SECURITY,
    "audit": "audit entries are of this installation, and no data of the user's",
    "archive_sources": "the manifest has the user's source",
    "deleted_accounts": _SECURITY,
    "exports": "other archives",
    "idempotent_answers": "of requests of the last 24 hours",
    "identities": "the account's place in the user pool",
    "import_sources": "which rows stand for those of other archives",
    "imports": "archives and spreadsheets that were brought in",
    "job_journeys": _DERIVED,
    "job_words": _DERIVED,
    "note_words": _DERIVED,
    "trashed_note_words": _DERIVED,
    "object_deletions": "objects that are deleted",
    "rate_limit_counts": _SECURITY,
    "revoked_sessions": "tokens of this installation",
    "sign_in_networks": _SECURITY,
    "signing_keys": _SECURITY,
    "tasks": "work of this installation",
}
