"""The tasks that check an archive, import it, and undo an import.

Each transaction locks the row of the import first: a task ends when the import is deleted, or is to
be undone.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from jobtracker.archive.kinds import DOCUMENTS, JOBS, SAVED_VIEWS
from jobtracker.archive.manifest import Manifest
from jobtracker.archive.queries import source_of
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import database_time
from jobtracker.db.trash import Trashable
from jobtracker.documents import TRANSFERS, make_bucket
from jobtracker.documents.object_deletions import process_deletions
from jobtracker.documents.storage import Bucket, ObjectMissingOrChanged
from jobtracker.errors import NotFound, Unavailable
from jobtracker.imports import row_queries, undo_queries
from jobtracker.imports.archive_reader import ArchiveReader, Row
from jobtracker.imports.checking import Check
from jobtracker.imports.context import Context, Duplicates
from jobtracker.imports.document_importer import GROUP, find_pending, finish, has_file, store
from jobtracker.imports.job_importer import JobImporter
from jobtracker.imports.models import ImportState, OnDuplicate
from jobtracker.imports.object_file import ObjectFile
from jobtracker.imports.plan import batches
from jobtracker.imports.problems import BrokenArchive, Problem
from jobtracker.imports.queries import CHECK_IMPORT, IMPORTS, RUN_IMPORT, UNDO_IMPORT, ImportRow
from jobtracker.imports.view_importer import ViewImporter
from jobtracker.quotas import QuotaExceeded
from jobtracker.tasks.kinds import task_kind
from jobtracker.tasks.runner import RunningTask

# What is made of the rows of each kind.
COUNTS = ("made", "updated", "skipped")
# Seconds between two batches while files are read.
INTERVAL = 1
CHANGED = "The file was changed, or deleted. Please upload it again."


class ImportEnded(Exception):
    """The import has another state by now, or was deleted."""


class ImportTask:
    """A task of an import, as long as that has a state."""

    def __init__(self, task: RunningTask, state: ImportState) -> None:
        self.task, self._state = task, state
        self.bucket: Bucket = make_bucket(task.registry.settings, **TRANSFERS)
        with self.transaction():
            pass

    @contextlib.contextmanager
    def transaction(self, **values: Any) -> Iterator[SupportsExecute]:
        """A batch of the task, with values of the import's columns.

        :raises ImportEnded: when the import has another state
        """
        with self.task.batch() as connection:
            key = {"user_id": self.task.user_id}, self.task.args["import_id"]
            try:
                row = IMPORTS.lock(connection, *key)
            except NotFound:
                raise ImportEnded from None
            if row.state != self._state:
                raise ImportEnded
            self.row: ImportRow = IMPORTS.update(connection, *key, values) if values else row
            yield connection

    def open(self, report: Callable[[Problem], None]) -> ArchiveReader:
        row = self.row
        if row.object_key is None or row.etag is None:
            raise ImportEnded
        size = row.size_bytes
        return ArchiveReader(
            ObjectFile(self.bucket, row.object_key, size_bytes=size, etag=row.etag), report
        )

    def make_context(self, connection: SupportsExecute, manifest: Manifest) -> Context:
        user_id, source = self.task.user_id, str(manifest.source)
        jobs = row_queries.EXISTING_JOBS.all(connection, user_id=user_id, source=source)
        return Context(
            user_id,
            self.row.id,
            source,
            str(source_of(connection, user_id)) == source,
            OnDuplicate(self.row.on_duplicate or OnDuplicate.SKIP),
            Duplicates(jobs),
            self.task.registry.settings,
        )

    def check(self) -> Check:
        """Read all of the archive."""
        check = Check()
        try:
            self._check(check)
        except BrokenArchive as error:
            check.refuse(error.problem)
        except ObjectMissingOrChanged:
            check.refuse(Problem(CHANGED, code="BROKEN"))
        return check

    def _check(self, check: Check) -> None:
        reader = self.open(check.refuse)
        check.manifest = manifest = reader.manifest
        files = [name for name in manifest.files if name.startswith("documents/")]
        total = manifest.counts.get(JOBS.name, 0) + len(files)
        others = reader.others()
        with self._progress(0, total) as connection:
            context = self.make_context(connection, manifest)
            check.add_views(connection, context, others[SAVED_VIEWS.name])
        done = 0
        for batch in batches(reader.jobs()):
            done += len(batch)
            with self._progress(done, total) as connection:
                check.add_jobs(connection, context, manifest, batch)
        check.check_files(manifest)
        begun = time.monotonic()
        for number, path in enumerate(name for name in files if name in check.files):
            if time.monotonic() - begun > INTERVAL:
                with self._progress(done + number, total):
                    begun = time.monotonic()
            reader.read_document(path, context.settings["documents.max_bytes"])
        with self._progress(total, total) as connection:
            check.check_quotas(connection, context)

    def _progress(self, done: int, total: int) -> AbstractContextManager[SupportsExecute]:
        # A run tells by the total that its check is over.
        of_check = {"total": total} if self._state is ImportState.CHECKING else {}
        return self.transaction(done=done, **of_check)

    def delete_objects(self) -> None:
        """Delete the file; if S3 fails, the sweeper does."""
        registry = self.task.registry
        with contextlib.suppress(Unavailable):
            process_deletions(registry["db_sessions"], registry["bucket"], self.task.user_id)


def _of_import(state: ImportState) -> Callable[..., Callable[[RunningTask], Any]]:
    """Decorates the function of a task that works as long as the import has a state."""

    def decorate(
        run: Callable[[ImportTask], dict[str, Any] | None],
    ) -> Callable[[RunningTask], dict[str, Any] | None]:
        def wrapped(task: RunningTask) -> dict[str, Any] | None:
            try:
                return run(ImportTask(task, state))
            except ImportEnded:
                return None

        return wrapped

    return decorate


@task_kind(CHECK_IMPORT, is_resumable=False)
@_of_import(ImportState.CHECKING)
def check_import(task: ImportTask) -> dict[str, Any]:
    """Read an archive, and report what is in it and what is wrong with it."""
    check = task.check()
    state = ImportState.CHECKED if check.is_importable else ImportState.FAILED
    with task.transaction(state=state, report=check.as_json()):
        pass
    return {"is_importable": check.is_importable}


@task_kind(RUN_IMPORT)
@_of_import(ImportState.RUNNING)
def run_import(task: ImportTask) -> dict[str, Any] | None:
    """Import an archive, after a check of all of it."""
    if task.row.total is None and not _begin(task):
        return None
    try:
        _import(task)
    except QuotaExceeded as error:
        problem = Problem(
            error.message, field=(error.details or {}).get("quota"), code="QUOTA_EXCEEDED"
        )
        _fail(task, problem)
    except BrokenArchive as error:
        _fail(task, error.problem)
    except ObjectMissingOrChanged:
        _fail(task, Problem(CHANGED, code="BROKEN"))
    else:
        report = task.row.report or {}
        with task.transaction() as connection:
            _finish(task, connection, ImportState.DONE, report, object_key=None)
        task.delete_objects()
    return {name: (task.row.report or {}).get(name) for name in COUNTS}


def _begin(task: ImportTask) -> bool:
    """Check the archive, and return whether it can be imported."""
    check = task.check()
    if check.manifest is None or not check.is_importable:
        with task.transaction() as connection:
            _finish(task, connection, ImportState.FAILED, check.as_json())
        return False
    total = 1 + check.counts.get("jobs", 0) + len(check.files)
    report = {**check.as_json(), **{name: {} for name in COUNTS}}
    source = str(check.manifest.source)
    with task.transaction(source=source, done=0, total=total, report=report):
        pass
    return True


def _import(task: ImportTask) -> None:
    """Import what is left to be."""
    reader = task.open(_raise)
    with task.transaction() as connection:
        context = task.make_context(connection, reader.manifest)
    if task.row.done == 0:
        others = reader.others()
        with _importing(task, 1) as (connection, add_counts):
            views = ViewImporter(connection, context)
            views.run(others)
            add_counts(views)
    jobs = reader.manifest.counts.get("jobs", 0)
    if (before := task.row.done - 1) < jobs:
        for batch in batches(reader.jobs(before)):
            with _importing(task, len(batch)) as (connection, add_counts):
                importer = JobImporter(connection, context, reader.manifest)
                importer.run(batch)
                add_counts(importer)
    documents = [line.row for line in reader.rows(DOCUMENTS) if has_file(line.row, reader.manifest)]
    while group := documents[task.row.done - 1 - jobs :][:GROUP]:
        with task.transaction() as connection:
            pending = find_pending(connection, context, group)
        rows = {row["id"]: row for row in group}
        for each in pending:
            store(context, task.bucket, reader, rows[each.source_id], each)
        with _importing(task, len(group)) as (connection, _add_counts):
            finish(connection, context, pending)


def _raise(problem: Problem) -> None:
    """An invalid row, of which the check of the same object did not know."""
    raise BrokenArchive(problem.message, problem.entry, problem.line)


@contextlib.contextmanager
def _importing(
    task: ImportTask, number: int
) -> Iterator[tuple[SupportsExecute, Callable[[Any], None]]]:
    """A transaction that imports a number of things: the connection, and what adds counts."""
    report: Row = dict(task.row.report or {})

    def add_counts(importer: Any) -> None:
        for name in COUNTS:
            before = Counter[str](report.get(name, {}))
            before.update(getattr(importer, name))
            report[name] = {kind: count for kind, count in before.items() if count}

    done = task.row.done + number
    with task.transaction() as connection:
        yield connection, add_counts
        key = {"user_id": task.row.user_id}, task.row.id
        row = IMPORTS.update(connection, *key, {"done": done, "report": report})
        task.task.done, task.task.total = done, row.total
    task.row = row


def _fail(task: ImportTask, problem: Problem) -> None:
    """End an import of which something may have been made, which can be undone."""
    report = dict(task.row.report or {})
    report["is_importable"] = False
    report["refused"] = {"number": 1, "first": [problem.as_json()]}
    is_made = any(report.get("made", {}).values())
    values: Mapping[str, Any] = {"object_key": None} if is_made else {}
    with task.transaction() as connection:
        _finish(task, connection, ImportState.FAILED, report, **values)
    task.delete_objects()


def _finish(
    task: ImportTask, connection: SupportsExecute, state: ImportState, report: Any, **values: Any
) -> None:
    key = {"user_id": task.row.user_id}, task.row.id
    values |= {"state": state, "report": report, "finished_at": database_time(connection)}
    task.row = IMPORTS.update(connection, *key, values)


@task_kind(UNDO_IMPORT, max_failures=None)
@_of_import(ImportState.UNDOING)
def undo_import(task: ImportTask) -> dict[str, Any]:
    """Put what an import made into the trash, and delete its file."""
    user_id, import_id = task.row.user_id, task.row.id
    kinds = sorted(Trashable.by_kind, key=lambda kind: kind != "job")
    with task.transaction() as connection:
        left = (undo_queries.count_made(connection, user_id, import_id, kind) for kind in kinds)
        task.task.total = task.task.done + sum(left)
    for kind in kinds:
        number = None
        while number != 0:
            with task.transaction() as connection:
                number = undo_queries.trash_batch(connection, user_id, import_id, kind)
                task.task.done += number
    with task.transaction() as connection:
        report = task.row.report
        _finish(task, connection, ImportState.UNDONE, report, object_key=None)
    task.delete_objects()
    return {"trashed": task.task.done}
