"""``/reports``."""

from collections.abc import Iterator

from pyramid.request import Request

from jobtracker import fields
from jobtracker.http.conditional import ETagStrategy, set_times_of_change
from jobtracker.http.rate_limits import REPORTS_BY_USER
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.reports import csv_format
from jobtracker.reports.resources import ApplicationsReport
from jobtracker.reports.schemas import COLUMNS, ApplicationsQuery

applications = ApiService(
    "applications_report", "/reports/applications.csv", context=ApplicationsReport
)


@applications.get(
    permission=Permission.READ,
    query=ApplicationsQuery(),
    returns=fields.File("text/csv"),
    # Interviews begin without a write.
    etag=ETagStrategy.BY_REVISION_UNTIL,
    rate_limits=[REPORTS_BY_USER],
)
def get_applications_report(request: Request) -> Iterator[bytes]:
    """Your applications as a table for spreadsheets: a proof of your search for work.

    A row for each job that you have applied for, from the date `from` to the date `to`, both
    included, in the order of these dates. Jobs that were only saved are left out. `date` is the
    applied date or, without one, that of the first step after saved, and `last_contact` that of the
    latest step, past interview or action. `how` is the URL of the job, and `steps` is the history.
    `tz` is the time zone of the dates, as in `Europe/Vienna`. `columns` and `status` are separated
    by commas; the columns are shown in the given order.

    The file is UTF-8 with a byte order mark. What a spreadsheet would take for a formula begins
    with an apostrophe. It is sent while it is made: which jobs it has is that of the beginning, and
    each row is as it was when it was read. If that fails, the connection is closed before the end.
    """
    report, given = request.context, request.validated
    columns = given["columns"] or COLUMNS
    applications = report.find(
        since=given["from"], until=given["to"], statuses=given["status"], zone=given["tz"]
    )
    set_times_of_change(request, applications.changes_at)
    request.response.content_disposition = 'attachment; filename="applications.csv"'
    pages = report.pages(applications.ids, zone=given["tz"])
    rows = ([[getattr(row, name) for name in columns] for row in page] for page in pages)
    return csv_format.encode(columns, rows)
