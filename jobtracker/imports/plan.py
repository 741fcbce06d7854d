"""What becomes of the jobs of an archive, and of the rows below them."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from jobtracker.archive.kinds import DOCUMENTS, INTERVIEWS, JOBS, NOTES, Kind
from jobtracker.db.connections import SupportsExecute
from jobtracker.documents import queries as documents
from jobtracker.imports import row_queries
from jobtracker.imports.archive_reader import JobRows, Line, Row
from jobtracker.imports.context import Context
from jobtracker.imports.models import OnDuplicate
from jobtracker.imports.row_queries import KnownRow
from jobtracker.quotas import QuotaExceeded

# Of one transaction; a job can have more.
MAX_JOBS, MAX_ROWS = 50, 1000
#: The kinds below jobs of which each row is looked for.
FOUND = (NOTES, INTERVIEWS, DOCUMENTS)


class PlannedJob(NamedTuple):
    """A job of the archive.

    :param target: the id of the job that stands for it here; None for a new one
    :param is_duplicate: whether that was there before, and is of no import of this source
    :param is_skipped: whether nothing of it is imported
    :param known: the rows below it that are here, by kind and by the ids that they have there
    """

    rows: JobRows
    target: int | None
    is_duplicate: bool
    is_skipped: bool
    known: dict[str, dict[int, KnownRow]]

    @property
    def row(self) -> Row:
        return self.rows.job.row

    @property
    def source_id(self) -> int:
        """The id of the job in the archive."""
        return int(self.row["id"])

    def new(self, kind: Kind) -> list[Line]:
        """The rows of a kind that are not here."""
        if self.is_skipped:
            return []
        known = self.known.get(kind.name, {})
        return [line for line in self.rows.children[kind.name] if line.row["id"] not in known]

    def new_documents(self) -> tuple[int, int]:
        """The number of the new documents that are not in the trash, and the bytes of all."""
        rows = [line.row for line in self.new(DOCUMENTS)]
        is_live = self.target is not None or self.rows.job.row["trashed_at"] is None
        live = sum(is_live and row["trashed_at"] is None for row in rows)
        return live, sum(row["size_bytes"] for row in rows)


def batches(jobs: Iterable[JobRows]) -> Iterator[list[JobRows]]:
    """The jobs, those together that one transaction imports."""
    batch: list[JobRows] = []
    size = 0
    for job in jobs:
        number = sum(len(lines) for lines in job.children.values())
        if batch and (len(batch) >= MAX_JOBS or size + number > MAX_ROWS):
            yield batch
            batch, size = [], 0
        batch.append(job)
        size += number
    if batch:
        yield batch


def plan(
    connection: SupportsExecute, context: Context, batch: Sequence[JobRows]
) -> list[PlannedJob]:

    def find(kind: Kind, lines: Iterable[Line]) -> dict[int, KnownRow]:
        rows = (line.row for line in lines)
        return row_queries.known(
            connection, context.user_id, context.source, kind, rows, is_own=context.is_own
        )

    jobs = find(JOBS, (each.job for each in batch))
    known = {}
    if jobs:
        for kind in FOUND:
            of_jobs = (each.children[kind.name] for each in batch if each.job.row["id"] in jobs)
            known[kind.name] = find(kind, itertools.chain.from_iterable(of_jobs))
    return [_plan_job(context, each, jobs.get(each.job.row["id"]), known) for each in batch]


def _plan_job(
    context: Context, rows: JobRows, here: KnownRow | None, known: dict[str, dict[int, KnownRow]]
) -> PlannedJob:
    if here is not None:
        # What moved to another job here is here as well; what belongs to one that is gone is not.
        return PlannedJob(rows, here.id, False, not here.is_live, known)
    duplicate = None
    if rows.job.row["trashed_at"] is None and context.on_duplicate is not OnDuplicate.ADD:
        duplicate = context.duplicates.find(rows.job.row)
    if duplicate is None:
        return PlannedJob(rows, None, False, False, {})
    if not (is_skipped := context.on_duplicate is OnDuplicate.SKIP):
        context.duplicates.remove(duplicate)  # it stands for one job of the source
    return PlannedJob(rows, duplicate.id, True, is_skipped, {})


def check_document_quotas(
    connection: SupportsExecute, context: Context, planned: Iterable[PlannedJob]
) -> None:
    """:raises QuotaExceeded: when the user, who is locked, has too many documents with the new"""
    new = [each.new_documents() for each in planned]
    if not any(size for _, size in new):
        return
    usage = documents.usage(connection, {"user_id": context.user_id, "application_id": 0})
    for quota, before, more in (
        ("documents", usage.documents, sum(number for number, _ in new)),
        ("document_bytes", usage.bytes, sum(size for _, size in new)),
    ):
        if more and before + more > (limit := context.quota(quota)):
            raise QuotaExceeded(quota, limit)
