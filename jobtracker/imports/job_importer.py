"""Imports jobs with all that is below them, in a transaction."""

import datetime
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from jobtracker.archive.kinds import ACTIVITY, DOCUMENTS, HISTORY, INTERVIEWS, JOBS, NOTES, Kind
from jobtracker.archive.manifest import Manifest
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.recording import recording_disabled
from jobtracker.db.statements import Statement
from jobtracker.documents.models import DocumentStatus, ScanStatus
from jobtracker.history.models import StepOrigin
from jobtracker.imports import document_queries, queries, row_queries
from jobtracker.imports.archive_reader import JobRows, Row
from jobtracker.imports.context import Context
from jobtracker.imports.document_importer import WITHOUT_FILE, has_file
from jobtracker.imports.models import OnDuplicate
from jobtracker.imports.plan import FOUND, PlannedJob, check_document_quotas, plan
from jobtracker.quotas import ACTIVITY_PER_JOB, QuotaExceeded
from jobtracker.users import queries as users

MISSING_FILE = "This file is missing. Please upload it again."
# The id of what an event is about, and the kind of it.
_EVENT_IDS = {"note_id": NOTES, "interview_id": INTERVIEWS, "document_id": DOCUMENTS}


class JobImporter:
    """Imports some jobs of an archive.

    ``made``, ``updated`` and ``skipped`` are the numbers of rows by kind.
    """

    def __init__(self, connection: SupportsExecute, context: Context, manifest: Manifest) -> None:
        self._connection, self._context, self._manifest = connection, context, manifest
        self._user_id = context.user_id
        self.made: Counter[str] = Counter()
        self.updated: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    def run(self, batch: Sequence[JobRows]) -> None:
        """Import them, as they were.

        :raises QuotaExceeded: when the user has other jobs or documents by now than at the check
        """
        planned = []
        for each in self._lock(plan(self._connection, self._context, batch)):
            if each.is_skipped:
                self.skipped[JOBS.name] += 1
                self.skipped.update({name: len(rows) for name, rows in each.rows.children.items()})
            else:
                planned.append(each)
        new = [each for each in planned if each.target is None]
        here = {each.source_id: each.target for each in planned if each.target is not None}
        is_update = self._context.on_duplicate is OnDuplicate.UPDATE
        # The jobs that become as in the archive, and those of them that are here.
        written, updated = (planned, here) if is_update else (new, {})
        with recording_disabled(self._connection):
            job_ids = self._insert_jobs(new) | here
            self._update_jobs(planned, here, updated)
            ids = {kind.name: self._insert_children(kind, planned, job_ids) for kind in FOUND}
            self._update_interviews(written)
            self._insert_history(written, job_ids, updated)
            self._insert_activity(written, job_ids, updated, ids)
            self._trash_jobs(new, job_ids)

    def _lock(self, planned: list[PlannedJob]) -> list[PlannedJob]:
        """Lock the jobs that are here, then the user, as all writes do; skip what has gone."""
        targets = sorted({each.target for each in planned if each.target is not None})
        locked = row_queries.LOCK_JOBS.all(self._connection, user_id=self._user_id, ids=targets)
        live = {*locked, None}
        user = users.USERS.lock(self._connection, {}, self._user_id)
        new = sum(each.target is None and _is_live(each.row) for each in planned)
        if user.job_count + new > (limit := self._context.quota("jobs")) and new:
            raise QuotaExceeded("jobs", limit)
        check_document_quotas(self._connection, self._context, planned)
        return [each if each.target in live else each._replace(is_skipped=True) for each in planned]

    def _insert_jobs(self, planned: Sequence[PlannedJob]) -> dict[int, int]:
        # The triggers of what is below it know of live jobs.
        live = dict.fromkeys(("trashed_at", "trash_reason"))
        rows = [{**each.row, **live} for each in planned]
        return self._insert(JOBS, [each.source_id for each in planned], rows)

    def _update_jobs(
        self, planned: Iterable[PlannedJob], here: Mapping[int, int], updated: Mapping[int, int]
    ) -> None:
        adopted = {each.source_id: here[each.source_id] for each in planned if each.is_duplicate}
        self._record_sources(JOBS, adopted, None)
        rows = [
            {**each.row, "id": updated[each.source_id]}
            for each in planned
            if each.source_id in updated
        ]
        changed = row_queries.update(self._connection, self._user_id, JOBS, rows)
        self.updated[JOBS.name] += len(changed)
        self.skipped[JOBS.name] += len(here) - len(changed)

    def _insert_children(
        self, kind: Kind, planned: Sequence[PlannedJob], job_ids: Mapping[int, int]
    ) -> dict[int, int]:
        """Insert the rows of a kind that are not here; return the ids of all by those of the
        source."""
        ids: dict[int, int] = {}
        source_ids, rows = [], []
        targets = [each.target for each in planned if each.target is not None]
        taken = self._taken_types(targets) if kind is DOCUMENTS else set()
        room = self._room(kind, targets)
        for each in planned:
            known = each.known.get(kind.name, {})
            for line in each.rows.children[kind.name]:
                row = {**line.row, "application_id": job_ids[each.source_id]}
                if (here := known.get(row["id"])) is not None:
                    ids[row["id"]] = here.id
                    continue
                if _is_live(row) and each.target is not None:
                    if (each.target, row.get("doc_type")) in taken or room[each.target] <= 0:
                        continue
                    room[each.target] -= 1
                source_ids.append(row["id"])
                rows.append(self._new_document(row) if kind is DOCUMENTS else row)
        self.skipped[kind.name] += sum(len(each.rows.children[kind.name]) for each in planned)
        self.skipped[kind.name] -= len(rows)
        return ids | self._insert(kind, source_ids, rows)

    def _room(self, kind: Kind, targets: Collection[int]) -> dict[int, float]:
        """How many rows of a kind the jobs that are here can have more."""
        if kind is DOCUMENTS or not targets:  # their quota is that of the user
            return dict.fromkeys(targets, float("inf"))
        limit = self._context.quota(f"{kind.name}_per_job")
        counts = row_queries.counts(self._connection, self._user_id, kind, targets)
        return {target: limit - counts.get(target, 0) for target in targets}

    def _taken_types(self, targets: Collection[int]) -> set[tuple[int, str]]:
        """The types of which the jobs that are here can have no further document."""
        if not targets:
            return set()
        found = document_queries.TAKEN_TYPES
        return {*found.all(self._connection, user_id=self._user_id, ids=[*targets])}

    def _new_document(self, row: Row) -> Row:
        """The row of a document whose file is stored later, or is not in the archive."""
        name = f"{self._user_id}/{uuid.uuid4().hex}"
        now = datetime.datetime.now(datetime.UTC)
        new = {
            **row,
            "upload_key": f"incoming/{name}",
            "object_key": f"documents/{name}",
            "upload_expires_at": now,
        }
        if has_file(row, self._manifest):
            expires_at = now + queries.KEPT
            return {**new, "status": DocumentStatus.PENDING, "upload_expires_at": expires_at}
        if row["status"] in WITHOUT_FILE:
            return new
        missing = {"scan_status": ScanStatus.ERROR, "scan_message": MISSING_FILE}
        return {**new, "status": DocumentStatus.FAILED, **missing}

    def _update_interviews(self, planned: Iterable[PlannedJob]) -> None:
        rows = []
        for each in planned:
            known = each.known.get(INTERVIEWS.name, {})
            for line in each.rows.children[INTERVIEWS.name]:
                if (here := known.get(line.row["id"])) is not None and here.is_live:
                    rows.append({**line.row, "id": here.id})
        updated = row_queries.update(self._connection, self._user_id, INTERVIEWS, rows)
        self.updated[INTERVIEWS.name] += len(updated)
        self.skipped[INTERVIEWS.name] -= len(updated)

    def _insert_history(
        self, planned: Iterable[PlannedJob], job_ids: Mapping[int, int], updated: Mapping[int, int]
    ) -> None:
        """Insert the steps of new jobs; those of updated ones become what the archive has."""
        steps = {each.source_id: _steps(each.rows) for each in planned}
        before = self._by_job(row_queries.STEPS, updated)
        for source_id, job_id in updated.items():
            if before[job_id] == Counter(map(_step_values, steps[source_id])):
                del steps[source_id]
        if replaced := [job_id for source_id, job_id in updated.items() if source_id in steps]:
            parameters = {"user_id": self._user_id, "ids": replaced}
            row_queries.DELETE_STEPS.execute(self._connection, **parameters)
        rows = [
            {**step, "application_id": job_ids[source_id]}
            for source_id, of_job in steps.items()
            for step in of_job
        ]
        row_queries.insert(self._connection, self._user_id, HISTORY, rows)
        self.made[HISTORY.name] += len(rows)

    def _insert_activity(
        self,
        planned: Iterable[PlannedJob],
        job_ids: Mapping[int, int],
        updated: Mapping[int, int],
        ids: Mapping[str, Mapping[int, int]],
    ) -> None:
        """Insert the events of new jobs, and those of updated ones that they do not have."""
        before = self._by_job(row_queries.EVENTS, updated)
        rows = []
        for each in planned:
            job_id = job_ids[each.source_id]
            lines = (line.row for line in each.rows.children[ACTIVITY.name])
            events = [event for event in lines if _event_values(event) not in before[job_id]]
            newest = sorted(events, key=lambda event: (event["created_at"], event["id"]))
            newest = newest[-self._context.quota(ACTIVITY_PER_JOB) :]
            for event in sorted(newest, key=lambda event: event["id"]):
                data = _with_ids(event["data"], ids)
                rows.append({**event, "application_id": job_id, "data": data})
        row_queries.insert(self._connection, self._user_id, ACTIVITY, rows)
        self.made[ACTIVITY.name] += len(rows)

    def _by_job(self, rows: Statement[Any], jobs: Mapping[int, int]) -> dict[int, Counter[Any]]:
        """The values of rows by their job's id, with the number of each."""
        found: dict[int, Counter[Any]] = defaultdict(Counter)
        if jobs:
            parameters = {"user_id": self._user_id, "ids": [*jobs.values()]}
            for job_id, *values in rows.all(self._connection, **parameters):
                found[job_id][tuple(values)] += 1
        return found

    def _trash_jobs(self, planned: Iterable[PlannedJob], job_ids: Mapping[int, int]) -> None:
        """Put those of the new jobs into the trash that were there."""
        trashed = [
            {**each.row, "id": job_ids[each.source_id]}
            for each in planned
            if not _is_live(each.row)
        ]
        row_queries.trash_jobs(self._connection, self._user_id, trashed)

    def _insert(self, kind: Kind, source_ids: Sequence[int], rows: Sequence[Row]) -> dict[int, int]:
        """Insert rows that the import makes; return their ids by those of the source."""
        ids = row_queries.insert(self._connection, self._user_id, kind, rows)
        by_source = dict(zip(source_ids, ids, strict=True))
        self._record_sources(kind, by_source, self._context.import_id)
        self.made[kind.name] += len(rows)
        return by_source

    def _record_sources(self, kind: Kind, ids: Mapping[int, int], import_id: int | None) -> None:
        queries.record_sources(
            self._connection,
            self._user_id,
            self._context.source,
            kind.model.trash_kind,
            ids,
            import_id,
        )


def _is_live(row: Mapping[str, Any]) -> bool:
    return row["trashed_at"] is None


def _steps(rows: JobRows) -> list[Row]:
    """The steps of a job, of which it has one at least, in the order of their ids."""
    if lines := rows.children[HISTORY.name]:
        return [line.row for line in lines]
    job = rows.job.row
    at = max(job["created_at"], datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC))
    return [{"status": job["status"], "at": at, "created_at": at, "origin": StepOrigin.STATUS}]


def _step_values(step: Mapping[str, Any]) -> tuple[Any, ...]:
    return step["status"], step["at"], step["created_at"], step["origin"]


def _event_values(event: Mapping[str, Any]) -> tuple[Any, ...]:
    return event["type"], event["message"], event["created_at"]


def _with_ids(data: dict[str, Any], ids: Mapping[str, Mapping[int, int]]) -> dict[str, Any]:
    """The data of an event with the ids that rows have here. That of a row which does not exist any
    more becomes negative: it could be another row's."""
    new = {
        name: ids[kind.name].get(data[name], -abs(data[name]))
        for name, kind in _EVENT_IDS.items()
        if isinstance(data.get(name), int)
    }
    return {**data, **new}
