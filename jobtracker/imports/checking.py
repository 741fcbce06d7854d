"""Checks an archive: what of it is new, and why it cannot be imported."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jobtracker import unicode
from jobtracker.archive.kinds import DOCUMENTS, HISTORY, INTERVIEWS, JOBS, NOTES, SAVED_VIEWS, Kind
from jobtracker.db.connections import SupportsExecute
from jobtracker.documents import queries as documents
from jobtracker.documents.models import SINGLE_VALUED, DocumentStatus
from jobtracker.documents.storage import ObjectMissingOrChanged
from jobtracker.imports import row_queries
from jobtracker.imports.archive_reader import OTHERS, ArchiveReader, JobRows, Line, Manifest
from jobtracker.imports.context import Context
from jobtracker.imports.models import OnDuplicate
from jobtracker.imports.plan import PlannedJob, batches, plan
from jobtracker.imports.problems import BrokenArchive, Problem
from jobtracker.imports.view_importer import plan_views
from jobtracker.quotas import MESSAGES, QuotaExceeded, size_in_words
from jobtracker.saved_views.queries import SAVED_VIEWS as VIEWS
from jobtracker.users import queries as users

# Of each list of a report.
MAX_LISTED = 100
# Seconds between two batches while files are read.
INTERVAL = 1
#: Of jobs, by kind: those of the API. Of the activity, the newest are imported.
JOB_QUOTAS = {NOTES: "notes_per_job", INTERVIEWS: "interviews_per_job", HISTORY: "history_per_job"}

CHANGED = "The file was changed, or deleted. Please upload it again."


class Listed:
    """What a report lists: the first ones, and the number of all."""

    def __init__(self) -> None:
        self.number, self.first = 0, list[dict[str, Any]]()

    def add(self, item: dict[str, Any], *, is_first: bool = False) -> None:
        self.number += 1
        if is_first:
            self.first.insert(0, item)
        elif len(self.first) < MAX_LISTED:
            self.first.append(item)

    def as_json(self) -> dict[str, Any]:
        return {"number": self.number, "first": self.first[:MAX_LISTED]}


class Check:
    """What a check has found until now."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.new: Counter[str] = Counter()
        self.known: Counter[str] = Counter()
        self.duplicates, self.conflicts, self.refused = Listed(), Listed(), Listed()
        self.missing_files = 0
        #: By the paths of the files.
        self.files: dict[str, Line] = {}
        self._ids: dict[str, set[int]] = {
            kind.name: set() for kind in (NOTES, INTERVIEWS, DOCUMENTS)
        }
        self._live: Counter[str] = Counter()
        self._bytes = 0

    @property
    def is_importable(self) -> bool:
        return self.refused.number == 0

    def refuse(self, problem: Problem) -> None:
        # What ends the check is shown, whatever was found before.
        self.refused.add(problem.as_json(), is_first=problem.code == "BROKEN")

    def as_json(self) -> dict[str, Any]:
        return {
            "is_importable": self.is_importable,
            "counts": self.counts,
            "new": dict(self.new),
            "known": dict(self.known),
            "duplicates": self.duplicates.as_json(),
            "conflicts": self.conflicts.as_json(),
            "refused": self.refused.as_json(),
            "missing_files": self.missing_files,
        }

    def add_views(self, connection: SupportsExecute, context: Context, lines: list[Line]) -> None:
        """The saved views; of the rest, nothing is refused but invalid rows."""
        names: set[str] = set()
        ids: set[int] = set()
        for line in lines:
            key = unicode.comparison_key(line.row["name"])
            if line.row["id"] in ids:
                self._refuse_line(SAVED_VIEWS, line, "id", "Another row has this id.")
            if line.row["trashed_at"] is None:
                if key in names:
                    self._refuse_line(SAVED_VIEWS, line, "name", "Another view has this name.")
                names.add(key)
            ids.add(line.row["id"])
        for view in VIEWS.page(connection, {"user_id": context.user_id}, None).rows:
            if unicode.comparison_key(view.name) in names:
                self.conflicts.add({"kind": "saved_view", "id": view.id, "title": view.name})
        planned = plan_views(connection, context, lines)
        self._live[SAVED_VIEWS.name] += sum(row["trashed_at"] is None for row in planned.new)
        self.new[SAVED_VIEWS.name] = len(planned.new)
        self.known[SAVED_VIEWS.name] = len(lines) - len(planned.new)

    def add_jobs(
        self,
        connection: SupportsExecute,
        context: Context,
        manifest: Manifest,
        batch: Sequence[JobRows],
    ) -> None:
        """Some jobs, with what is below them."""
        planned = plan(connection, context, batch)
        targets = {each.target for each in planned if each.target and not each.is_skipped}
        counts = {
            kind.name: row_queries.counts(connection, context.user_id, kind, targets)
            for kind in (JOB_QUOTAS if targets else ())
        }
        for each in planned:
            self._add_job(context, manifest, each, counts)

    def _add_job(
        self,
        context: Context,
        manifest: Manifest,
        job: PlannedJob,
        counts: dict[str, dict[int, int]],
    ) -> None:
        row = job.rows.job.row
        if job.is_duplicate:
            title = f"{row['company_name']}: {row['job_title']}"
            self.duplicates.add({"kind": "job", "id": job.target, "title": title})
        is_new = job.target is None
        (self.new if is_new else self.known)[JOBS.name] += 1
        if is_new and row["trashed_at"] is None:
            self._live[JOBS.name] += 1
        for name, lines in job.rows.children.items():
            self._check_ids(name, lines)
        for kind in (NOTES, INTERVIEWS, DOCUMENTS):
            new = len(job.new(kind))
            self.new[kind.name] += new
            self.known[kind.name] += len(job.rows.children[kind.name]) - new
        if is_new:
            for name, lines in job.rows.children.items():
                self.new[name] += 0 if name in self._ids else len(lines)
        for kind, quota in JOB_QUOTAS.items():
            self._check_job_quota(context, job, kind, quota, counts)
        self._add_documents(context, manifest, job)

    def _check_ids(self, name: str, lines: list[Line]) -> None:
        if (ids := self._ids.get(name)) is None:
            return
        for line in lines:
            if line.row["id"] in ids:
                problem = Problem("Another row has this id.", f"{name}.ndjson", line.number, "id")
                self.refuse(problem)
            ids.add(line.row["id"])

    def _check_job_quota(
        self,
        context: Context,
        job: PlannedJob,
        kind: Kind,
        quota: str,
        counts: dict[str, dict[int, int]],
    ) -> None:
        if job.target is None:
            lines = job.rows.children[kind.name]
            before = 0
        elif kind is HISTORY:
            if context.on_duplicate is not OnDuplicate.UPDATE or job.is_skipped:
                return
            lines, before = job.rows.children[kind.name], 0
        else:
            lines, before = job.new(kind), counts.get(kind.name, {}).get(job.target, 0)
        live = [line for line in lines if line.row.get("trashed_at") is None]
        limit = context.quota(quota)
        if live and before + len(live) > limit:
            line = live[max(0, limit - before)]
            self._refuse_quota(quota, limit, kind.filename, line.number)

    def _add_documents(self, context: Context, manifest: Manifest, job: PlannedJob) -> None:
        max_bytes = context.settings["documents.max_bytes"]
        types: set[str] = set()
        for line in job.rows.children[DOCUMENTS.name]:
            row, path = line.row, line.row["file"]
            is_current = row["trashed_at"] is None and row["status"] == DocumentStatus.UPLOADED
            if is_current and row["doc_type"] in SINGLE_VALUED:
                if row["doc_type"] in types:
                    message = "The job has another document of this type."
                    self._refuse_line(DOCUMENTS, line, "doc_type", message)
                types.add(row["doc_type"])
            if path is None:
                self.missing_files += row["status"] == DocumentStatus.UPLOADED
                continue
            if row["status"] != DocumentStatus.UPLOADED:
                self._refuse_line(DOCUMENTS, line, "file", "Only an uploaded document has a file.")
            elif path in self.files:
                self._refuse_line(DOCUMENTS, line, "file", "Another document has this file.")
            elif path not in manifest.files:
                if path in manifest.missing:
                    self.missing_files += 1
                else:
                    self._refuse_line(DOCUMENTS, line, "file", "The archive has no such entry.")
            elif manifest.files[path].bytes != row["size_bytes"]:
                self._refuse_line(DOCUMENTS, line, "size_bytes", "The file has another size.")
            elif row["size_bytes"] > max_bytes:
                message = f"A document can have at most {size_in_words(max_bytes)}."
                self._refuse_line(DOCUMENTS, line, "size_bytes", message)
            else:
                self.files[path] = line
        live, size = job.new_documents()
        self._live[DOCUMENTS.name] += live
        self._bytes += size

    def check_entries(self, manifest: Manifest) -> None:
        """Refuse files that belong to no document."""
        if not self.is_importable:
            return
        for name in manifest.files:
            if name.startswith("documents/") and name not in self.files:
                self.refuse(Problem("The file belongs to no document.", name))

    def check_quotas(self, connection: SupportsExecute, context: Context) -> None:
        """Refuse what exceeds the quotas of the user."""
        user = users.USERS.lock(connection, {}, context.user_id)
        usage = documents.usage(connection, {"user_id": user.id, "application_id": 0})
        views = VIEWS.count(connection, {"user_id": user.id})
        for quota, kind, before, new in (
            ("jobs", JOBS, user.job_count, self._live[JOBS.name]),
            ("documents", DOCUMENTS, usage.documents, self._live[DOCUMENTS.name]),
            ("document_bytes", DOCUMENTS, usage.bytes, self._bytes),
            ("saved_views", SAVED_VIEWS, views, self._live[SAVED_VIEWS.name]),
        ):
            limit = context.quota(quota)
            if new and before + new > limit:
                self._refuse_quota(quota, limit, kind.filename, None)

    def _refuse_quota(self, quota: str, limit: int, entry: str, line: int | None) -> None:
        assert quota in MESSAGES  # noqa: S101
        message = str(QuotaExceeded(quota, limit).message)
        self.refuse(Problem(message, entry, line, quota, "QUOTA_EXCEEDED"))

    def _refuse_line(self, kind: Kind, line: Line, field: str, message: str) -> None:
        self.refuse(Problem(message, kind.filename, line.number, field))


def run_check(
    check: Check,
    open_archive: Callable[[Callable[[Problem], None]], ArchiveReader],
    make_context: Callable[[SupportsExecute, Manifest], Context],
    transaction: Callable[[int, int], Any],
) -> Manifest | None:
    """Read all of an archive.

    :param open_archive: with the function that is called with invalid rows
    :param transaction: begins one, with the progress: what is done, and all of it
    :returns: the manifest, None if there is no valid one
    """
    manifest: Manifest | None = None
    try:
        reader = open_archive(check.refuse)
        manifest = reader.manifest
        check.counts = manifest.counts
        total = manifest.counts.get(JOBS.name, 0) + sum(
            name.startswith("documents/") for name in manifest.files
        )
        others = {kind: reader.all_rows(kind) for kind in OTHERS}
        with transaction(0, total) as connection:
            context = make_context(connection, manifest)
            check.add_views(connection, context, others[SAVED_VIEWS])
        done = 0
        for batch in batches(reader.jobs()):
            done += len(batch)
            with transaction(done, total) as connection:
                check.add_jobs(connection, context, manifest, batch)
        check.check_entries(manifest)
        for path in _at_intervals(check.files, lambda number: transaction(done + number, total)):
            reader.read_document(path, context.settings["documents.max_bytes"])
        with transaction(total, total) as connection:
            check.check_quotas(connection, context)
    except BrokenArchive as error:
        check.refuse(error.problem)
    except ObjectMissingOrChanged:
        check.refuse(Problem(CHANGED, code="BROKEN"))
    return manifest


def _at_intervals(paths: Any, transaction: Callable[[int], Any]) -> Iterator[str]:
    """The paths, with a transaction from time to time."""
    begun = time.monotonic()
    for number, path in enumerate(paths):
        if time.monotonic() - begun > INTERVAL:
            with transaction(number):
                begun = time.monotonic()
        yield path
