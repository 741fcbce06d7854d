"""``root["reports"]``."""

import datetime
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from jobtracker.db.connections import autocommit, release_autocommit
from jobtracker.reports.queries import APPLICATIONS, DATES, NOT_APPLIED, ApplicationRow
from jobtracker.tree import OwnerOnly, Resource, Root

# Jobs of one statement, of some kilobytes each at most.
PAGE = 250


class Application(NamedTuple):
    date: datetime.date
    company: str
    title: str
    location: str | None
    how: str | None
    status: str
    last_contact: datetime.date
    steps: str


class Applications(NamedTuple):
    """The jobs of a report."""

    #: In the order of the dates.
    ids: Sequence[int]
    #: When the report changes without a write: an interview begins.
    changes_at: Sequence[datetime.datetime | None]


class ReportCollection(OwnerOnly, under=Root, name="reports"):
    """``/reports``."""


class ApplicationsReport(Resource, under=ReportCollection, name="applications.csv"):
    """``/reports/applications.csv``."""

    def find(
        self,
        *,
        since: datetime.date | None = None,
        until: datetime.date | None = None,
        statuses: Collection[str] = (),
        zone: datetime.tzinfo = datetime.UTC,
    ) -> Applications:
        """The jobs that were applied for from ``since`` to ``until``, both included.

        The date of an application is the applied date, or that of the first step that is one.

        :param zone: of the dates of steps
        """
        values = {"user_id": self.user.id, "statuses": list(statuses) or None}
        first, last = since or datetime.date.min, until or datetime.date.max
        found = []
        for row in DATES.all(self.connection, **values):
            date = row.applied_date or (row.first_step_at and _day(row.first_step_at, zone))
            if date is not None and first <= date <= last:
                found.append((date, row.id, row.next_interview_at))
        found.sort()  # no two rows have the same id
        return Applications([row[1] for row in found], [row[2] for row in found])

    def pages(
        self, ids: Sequence[int], *, zone: datetime.tzinfo = datetime.UTC
    ) -> Iterator[list[Application]]:
        """The rows of these jobs, as they are when a page of them is read.

        Each page is read on a connection of its own, also after the end of the request: a client
        that receives the report slowly occupies none.

        :param zone: of the dates of steps, interviews and actions
        """
        for start in range(0, len(ids), PAGE):
            release_autocommit(self.request)
            with autocommit(self.request.registry) as connection:
                jobs = APPLICATIONS.all(
                    connection, user_id=self.user.id, ids=ids[start : start + PAGE]
                )
            yield [row for job in jobs if (row := _application(job, zone)) is not None]


def _application(job: ApplicationRow, zone: datetime.tzinfo) -> Application | None:
    """The row of a job; None if nobody has applied for it."""
    steps = [
        (status, _day(time, zone))
        for status, time in zip(job.step_statuses, job.step_times, strict=True)
        if status not in NOT_APPLIED
    ]
    date = job.applied_date or (steps[0][1] if steps else None)
    if date is None:
        return None
    contacts = [date, *(day for _status, day in steps)]
    for time in (job.last_action_at, job.last_interview_at):
        if time is not None:
            contacts.append(_day(time, zone))
    return Application(
        date,
        job.company_name,
        job.job_title,
        job.location,
        job.job_url,
        job.status,
        max(contacts),
        "; ".join(f"{day} {status}" for status, day in steps),
    )


def _day(time: datetime.datetime, zone: datetime.tzinfo) -> datetime.date:
    """The day of a time in a zone; in UTC where there is none before the year 1 or after 9999."""
    try:
        return time.astimezone(zone).date()
    except OverflowError:
        return time.date()
