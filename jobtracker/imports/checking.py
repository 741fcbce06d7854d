"""Checks an archive: what of it is new, and why it cannot be imported."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jobtracker import unicode
from jobtracker.archive.kinds import DOCUMENTS, HISTORY, INTERVIEWS, JOBS, NOTES, SAVED_VIEWS, Kind
from jobtracker.archive.manifest import Manifest
from jobtracker.db.connections import SupportsExecute
from jobtracker.documents import queries as documents
from jobtracker.documents.models import SINGLE_VALUED, DocumentStatus
from jobtracker.imports import row_queries
from jobtracker.imports.archive_reader import JobRows, Line
from jobtracker.imports.context import Context
from jobtracker.imports.document_importer import WITHOUT_FILE
from jobtracker.imports.models import OnDuplicate
from jobtracker.imports.plan import FOUND, PlannedJob, plan
from jobtracker.imports.problems import Problem
from jobtracker.imports.view_importer import plan_views
from jobtracker.quotas import QuotaExceeded, size_in_words
from jobtracker.saved_views.queries import SAVED_VIEWS as VIEWS
from jobtracker.users import queries as users

# Of each list of a report.
MAX_LISTED = 100
#: With a quota for each job. Of the activity, the newest entries are imported.
LIMITED = (NOTES, INTERVIEWS, HISTORY)


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
    def __init__(self) -> None:
        #: None if there is no valid one.
        self.manifest: Manifest | None = None
        self.new: Counter[str] = Counter()
        self.known: Counter[str] = Counter()
        self.duplicates, self.conflicts, self.refused = Listed(), Listed(), Listed()
        self.missing_files = 0
        #: The paths of the files that documents have.
        self.files: set[str] = set()
        self._ids: dict[Kind, set[int]] = {kind: set() for kind in FOUND}
        self._live: Counter[Kind] = Counter()
        self._bytes = 0

    @property
    def counts(self) -> dict[str, int]:
        """The rows of the archive by kind."""
        return {} if self.manifest is None else self.manifest.counts

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
        """The saved views. Of the rest that belongs to no job, invalid rows alone are refused."""
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
        new = plan_views(connection, context, lines).new
        self._live[SAVED_VIEWS] += sum(row["trashed_at"] is None for row in new)
        self.new[SAVED_VIEWS.name] = len(new)
        self.known[SAVED_VIEWS.name] = len(lines) - len(new)

    def add_jobs(
        self,
        connection: SupportsExecute,
        context: Context,
        manifest: Manifest,
        batch: Sequence[JobRows],
    ) -> None:
        planned = plan(connection, context, batch)
        targets = {each.target for each in planned if each.target and not each.is_skipped}
        before = {
            # The history of an updated job is replaced.
            kind: {}
            if kind is HISTORY or not targets
            else row_queries.counts(connection, context.user_id, kind, targets)
            for kind in LIMITED
        }
        for each in planned:
            self._add_job(each)
            self._check_job_quotas(context, each, before)
            self._add_documents(context, manifest, each)

    def _add_job(self, job: PlannedJob) -> None:
        row, is_new = job.rows.job.row, job.target is None
        if job.is_duplicate:
            title = f"{row['company_name']}: {row['job_title']}"
            self.duplicates.add({"kind": "job", "id": job.target, "title": title})
        (self.new if is_new else self.known)[JOBS.name] += 1
        self._live[JOBS] += is_new and row["trashed_at"] is None
        for name, lines in job.rows.children.items():
            self.new[name] += len(lines) if is_new else 0
        for kind, ids in self._ids.items():
            lines = job.rows.children[kind.name]
            for line in lines:
                if line.row["id"] in ids:
                    self._refuse_line(kind, line, "id", "Another row has this id.")
                ids.add(line.row["id"])
            if not is_new:
                new = len(job.new(kind))
                self.new[kind.name] += new
                self.known[kind.name] += len(lines) - new

    def _check_job_quotas(
        self, context: Context, job: PlannedJob, before: Mapping[Kind, Mapping[int, int]]
    ) -> None:
        is_updated = job.target is None or context.on_duplicate is OnDuplicate.UPDATE
        for kind in LIMITED if is_updated else (NOTES, INTERVIEWS):
            quota = f"{kind.name}_per_job"
            room = context.quota(quota) - before[kind].get(job.target or 0, 0)
            live = [line for line in job.new(kind) if line.row.get("trashed_at") is None]
            if len(live) > max(room, 0):
                self._refuse_quota(context, quota, kind, live[max(room, 0)].number)

    def _add_documents(self, context: Context, manifest: Manifest, job: PlannedJob) -> None:
        types: set[str] = set()
        for line in job.rows.children[DOCUMENTS.name]:
            row = line.row
            is_current = row["trashed_at"] is None and row["status"] == DocumentStatus.UPLOADED
            if is_current and row["doc_type"] in SINGLE_VALUED:
                if row["doc_type"] in types:
                    message = "The job has another document of this type."
                    self._refuse_line(DOCUMENTS, line, "doc_type", message)
                types.add(row["doc_type"])
            if row["file"] is None or row["file"] in manifest.missing:
                self.missing_files += row["status"] not in WITHOUT_FILE
            else:
                self._add_file(context, manifest, line)
        live, size = job.new_documents()
        self._live[DOCUMENTS] += live
        self._bytes += size

    def _add_file(self, context: Context, manifest: Manifest, line: Line) -> None:
        row, path = line.row, line.row["file"]
        max_bytes = context.settings["documents.max_bytes"]
        field, message = "file", ""
        if row["status"] != DocumentStatus.UPLOADED:
            message = "Only an uploaded document has a file."
        elif path in self.files:
            message = "Another document has this file."
        elif path not in manifest.files:
            message = "The archive has no such entry."
        elif manifest.files[path].bytes != row["size_bytes"]:
            field, message = "size_bytes", "The file has another size."
        elif row["size_bytes"] > max_bytes:
            message = f"A document can have at most {size_in_words(max_bytes)}."
            field = "size_bytes"
        if message:
            self._refuse_line(DOCUMENTS, line, field, message)
        else:
            self.files.add(path)

    def check_files(self, manifest: Manifest) -> None:
        """Refuse files that belong to no document."""
        if self.is_importable:
            for name in manifest.files:
                if name.startswith("documents/") and name not in self.files:
                    self.refuse(Problem("The file belongs to no document.", name))

    def check_quotas(self, connection: SupportsExecute, context: Context) -> None:
        """Refuse what exceeds the quotas of the user."""
        user = users.USERS.lock(connection, {}, context.user_id)
        usage = documents.usage(connection, {"user_id": user.id, "application_id": 0})
        views = VIEWS.count(connection, {"user_id": user.id})
        for quota, kind, before, new in (
            ("jobs", JOBS, user.job_count, self._live[JOBS]),
            ("documents", DOCUMENTS, usage.documents, self._live[DOCUMENTS]),
            ("document_bytes", DOCUMENTS, usage.bytes, self._bytes),
            ("saved_views", SAVED_VIEWS, views, self._live[SAVED_VIEWS]),
        ):
            if new and before + new > context.quota(quota):
                self._refuse_quota(context, quota, kind, None)

    def _refuse_quota(self, context: Context, quota: str, kind: Kind, line: int | None) -> None:
        message = QuotaExceeded(quota, context.quota(quota)).message
        self.refuse(Problem(message, kind.filename, line, quota, "QUOTA_EXCEEDED"))

    def _refuse_line(self, kind: Kind, line: Line, field: str, message: str) -> None:
        self.refuse(Problem(message, kind.filename, line.number, field))
