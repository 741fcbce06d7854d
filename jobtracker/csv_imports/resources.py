"""``root["imports"]["csv"]``."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jobtracker import unicode
from jobtracker.csv_imports import queries
from jobtracker.csv_imports.queries import JobOfRow, JobState, NewNote, RowError
from jobtracker.db.connections import try_lock
from jobtracker.db.statements import database_time
from jobtracker.errors import Conflict
from jobtracker.imports.models import ImportKind, ImportState, OnDuplicate
from jobtracker.imports.queries import IMPORTS, record_sources
from jobtracker.imports.resources import ImportCollection
from jobtracker.jobs.models import Job
from jobtracker.jobs.queries import JobRow
from jobtracker.notes.models import Note
from jobtracker.quotas import MESSAGES, QuotaExceeded
from jobtracker.tree import Resource
from jobtracker.users import queries as users


class Match(NamedTuple):
    """What a row repeats: a job, an earlier row, or neither."""

    row: JobOfRow
    job_id: int | None = None
    of_row: int | None = None


class CsvImportResult(NamedTuple):
    """What an import has done, in numbers of rows."""

    import_id: int
    created: int
    updated: int
    #: Those that repeat something, and are skipped or change nothing.
    skipped: int
    failed: list[RowError]


class CsvImport(Resource, under=ImportCollection, name="csv"):
    """``/imports/csv``."""

    def duplicates(self, rows: Sequence[JobOfRow]) -> list[Match]:
        """The rows that repeat something: :meth:`matches`."""
        return [match for match in self.matches(rows) if match.job_id or match.of_row]

    def matches(self, rows: Sequence[JobOfRow]) -> Iterator[Match]:
        """What each row repeats: a job or an earlier row with the same company and title, as the
        search compares them, unless both have an applied date and these differ."""
        known: dict[tuple[str, str], list[tuple[Any, int | None, int | None]]] = {}
        key = unicode.comparison_key
        for job in queries.EXISTING_JOBS.all(self.connection, user_id=self.user.id):
            name = key(job.company_name), key(job.job_title)
            known.setdefault(name, []).append((job.applied_date, job.id, None))
        for row in rows:
            name = key(row.fields["company_name"]), key(row.fields["job_title"])
            day = row.fields["applied_date"]
            same = known.setdefault(name, [])
            found = [each for each in same if each[0] == day] or [
                each for each in same if day is None or each[0] is None
            ]
            if found:
                yield Match(row, *found[0][1:])
            else:
                same.append((day, None, row.row))
                yield Match(row)

    def run(
        self,
        rows: Sequence[JobOfRow],
        *,
        on_duplicate: str = OnDuplicate.SKIP,
        failed: Sequence[RowError] = (),
        filename: str = "import.csv",
        size_bytes: int = 1,
    ) -> CsvImportResult:
        """Add the jobs of the rows, with their notes, as requests for each of them would.

        :param on_duplicate: of a row that repeats something: skip it; add it all the same; or set
            the fields of the job that the row has, and add its note unless the job has it already
        :param failed: what the outcome says of other rows, an error for each
        :raises Conflict: while another file of the user's is imported
        :raises QuotaExceeded: when the user would have more jobs than the quota allows
        """
        digest = hashlib.sha256(f"CSV import {self.user.id}".encode()).digest()
        if not try_lock(self.connection, int.from_bytes(digest[:8], signed=True)):
            raise Conflict("Another file is being imported. Please wait.", retry_after=1)
        plan = _Plan(self)
        plan.sort(self.matches(rows), on_duplicate)
        plan.check_existing()
        plan.check_new()
        # What counts for the quota of jobs: after the jobs, as in all writes.
        owner = users.USERS.lock(self.connection, {}, self.user.id)
        if owner.job_count + len(plan.new) > (limit := self.quota("jobs")):
            raise QuotaExceeded("jobs", limit)
        all_failed = sorted([*failed, *plan.failed], key=lambda error: error.row or 0)
        created = len(plan.new)
        report = {"created": created, "updated": plan.updated, "skipped": plan.skipped}
        total = len(rows) + len(failed)
        values = {
            "user_id": owner.id,
            "kind": ImportKind.CSV,
            "state": ImportState.DONE,
            "filename": filename,
            "size_bytes": size_bytes,
            "on_duplicate": on_duplicate,
            "report": {**report, "failed": len(all_failed)},
            "done": total,
            "total": total,
            "finished_at": database_time(self.connection),
        }
        import_id = IMPORTS.insert(self.connection, values).id
        plan.write(import_id)
        return CsvImportResult(import_id, created, plan.updated, plan.skipped, all_failed)


class _Plan:
    """What is to be done with the rows of a file."""

    def __init__(self, resource: CsvImport) -> None:
        self._resource, self._connection = resource, resource.connection
        self._user_id = resource.user.id
        #: The rows of each new job: the first one, and those that repeat it.
        self.new: list[list[JobOfRow]] = []
        #: The rows that repeat a job, by its id.
        self.existing: dict[int, list[JobOfRow]] = {}
        self._changed: list[dict[str, Any]] = []
        self._notes: list[NewNote] = []
        self.skipped = self.updated = 0
        self.failed: list[RowError] = []

    def sort(self, matches: Iterator[Match], on_duplicate: str) -> None:
        by_row: dict[int | None, list[JobOfRow]] = {}
        for row, job_id, of_row in matches:
            if on_duplicate == OnDuplicate.ADD or not (job_id or of_row):
                self.new.append([row])
                by_row[row.row] = self.new[-1]
            elif on_duplicate == OnDuplicate.SKIP:
                self.skipped += 1
            elif job_id:
                self.existing.setdefault(job_id, []).append(row)
            else:
                by_row[of_row].append(row)

    def check_existing(self) -> None:
        """Determine what changes of the existing jobs, and lock them."""
        if not self.existing:
            return
        key = {"user_id": self._user_id, "ids": [*self.existing]}
        jobs = queries.LOCK_JOBS.all(self._connection, **key)
        given = [
            NewNote(row.row, job.id, row.note) for job in jobs for row in self.existing[job.id]
        ]
        states = queries.states_of_jobs(self._connection, self._user_id, given)
        for job in jobs:
            self._check_existing(job, self.existing.pop(job.id), states)
        # Those that were deleted since they were found.
        self.new += self.existing.values()

    def _check_existing(
        self, job: JobRow, rows: list[JobOfRow], states: dict[int, JobState]
    ) -> None:
        values = {name: row.fields[name] for row in rows for name in row.given_of_duplicate}
        values = {name: value for name, value in values.items() if value != getattr(job, name)}
        notes = _notes(job.id, [row for row in rows if not states[row.row].has_note])
        state = states[rows[0].row]
        if not values and not notes:
            self.skipped += len(rows)
        elif state.notes + len(notes) > self._resource.quota("notes_per_job") and notes:
            self._fail(rows, "notes", "notes_per_job")
        elif state.steps >= self._resource.quota("history_per_job") and "status" in values:
            self._fail(rows, "status", "history_per_job")
        else:
            self.updated += len(rows)
            self._notes += notes
            self._changed.append({name: getattr(job, name) for name in queries.JOB} | values)

    def check_new(self) -> None:
        quota = self._resource.quota("notes_per_job")
        for rows in [rows for rows in self.new if len(_notes(0, rows)) > quota]:
            self._fail(rows, "notes", "notes_per_job")
            self.new.remove(rows)
        self.updated += sum(len(rows) - 1 for rows in self.new)

    def _fail(self, rows: list[JobOfRow], field: str, quota: str) -> None:
        message = MESSAGES[quota].format(self._resource.quota(quota))
        self.failed += [RowError(row.row, ["row", field], message) for row in rows]

    def write(self, import_id: int) -> None:
        connection, user_id = self._connection, self._user_id
        queries.update_jobs(connection, user_id, self._changed)
        fields = [
            rows[0].fields
            | {name: row.fields[name] for row in rows for name in row.given_of_duplicate}
            for rows in self.new
        ]
        ids = queries.insert_jobs(connection, user_id, fields)
        made = {rows[0].row: job_id for rows, job_id in zip(self.new, ids, strict=True)}
        for rows in self.new:
            self._notes += _notes(made[rows[0].row], rows)
        notes = queries.insert_notes(connection, user_id, self._notes)
        source = f"csv {import_id}"
        record_sources(connection, user_id, source, Job.trash_kind, made, import_id)
        record_sources(connection, user_id, source, Note.trash_kind, notes, import_id)


def _notes(job_id: int, rows: Sequence[JobOfRow]) -> list[NewNote]:
    """The notes of rows of one job, equal ones once."""
    by_body = {row.note: NewNote(row.row, job_id, row.note) for row in rows if row.note is not None}
    return list(by_body.values())
