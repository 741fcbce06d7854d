"""``root["reports"]``."""

import datetime
from collections.abc import Collection, Iterator
from typing import NamedTuple

from jobtracker.jobs.models import Status
from jobtracker.reports import queries
from jobtracker.reports.queries import ApplicationRow
from jobtracker.tree import OwnerOnly, Resource, Root

#: The statuses of a job for which nobody has applied, if it had no other.
NOT_APPLIED = (Status.SAVED, Status.ARCHIVED)


class Application(NamedTuple):
    """A row of the report; ``changes_at``: when it changes without a write."""

    date: datetime.date
    company: str
    title: str
    location: str | None
    how: str | None
    status: str
    last_contact: datetime.date
    steps: str
    changes_at: datetime.datetime | None


class ReportCollection(OwnerOnly, under=Root, name="reports"):
    """``/reports``."""


class ApplicationsReport(Resource, under=ReportCollection, name="applications.csv"):
    """``/reports/applications.csv``."""

    def rows(
        self,
        *,
        since: datetime.date | None = None,
        until: datetime.date | None = None,
        statuses: Collection[str] = (),
        zone: datetime.tzinfo = datetime.UTC,
    ) -> Iterator[Application]:
        """The jobs that were applied for from ``since`` to ``until``, both included.

        The date of an application is the applied date, or that of the first step that is one.

        :param zone: of the dates of steps, interviews and actions
        """
        wanted = list(statuses) or None
        for job in queries.applications(self.connection, self.user.id, wanted):
            application = _application(job, zone)
            if application is None or (since and application.date < since):
                continue
            if until is None or application.date <= until:
                yield application


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
        job.next_interview_at,
    )


def _day(time: datetime.datetime, zone: datetime.tzinfo) -> datetime.date:
    """The day of a time in a zone; in UTC where there is none before the year 1 or after 9999."""
    try:
        return time.astimezone(zone).date()
    except OverflowError:
        return time.date()
