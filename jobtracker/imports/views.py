"""``/imports``."""

from typing import Any

from pyramid.request import Request

from jobtracker.fields import ListOf, Rendered
from jobtracker.http.conditional import ETagStrategy
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.rate_limits import IMPORTS_BY_USER, PRESIGN_BY_USER
from jobtracker.http.service import ApiService, ThreadPool, set_location
from jobtracker.imports.queries import ImportRow
from jobtracker.imports.resources import ImportCollection, ImportResource
from jobtracker.imports.schemas import ImportIn, ImportOut, ImportUploadOut, RunImportIn
from jobtracker.permissions import Permission
from jobtracker.tasks.queries import TaskRow
from jobtracker.tasks.schemas import TaskOut

IMPORT_OUT = ImportOut()
ONE = "/imports/{import_id}"
OF_ONE: dict[str, Any] = {"context": ImportResource, "traverse": ONE}

imports = ApiService("imports", "/imports", context=ImportCollection)
import_ = ApiService("import", ONE, context=ImportResource)
check_import = ApiService("check_import", f"{ONE}/check", **OF_ONE, thread_pool=ThreadPool.GATEWAY)
run_import = ApiService("run_import", f"{ONE}/run", **OF_ONE, thread_pool=ThreadPool.GATEWAY)


@imports.post(
    permission=Permission.WRITE,
    body=ImportIn(),
    returns=ImportUploadOut(),
    status=201,
    rate_limits=[PRESIGN_BY_USER, IMPORTS_BY_USER],
)
def post_import(request: Request) -> dict[str, Any]:
    """Announce an archive, as an export makes it, and get the URL to PUT it to, with exactly these
    headers. It is deleted when it is imported, and after seven days; five can wait for that."""
    new = set_location(request, request.context.create(**request.validated))
    return {
        "import": new.row,
        "upload_url": new.upload_url(),
        "upload_headers": {},
        "expires_in": request.bucket.upload_seconds,
    }


# A worker's progress does not increment the revision.
@imports.get(
    permission=Permission.READ,
    query=PageQuery(),
    returns=ListOf(IMPORT_OUT),
    etag=ETagStrategy.BY_BODY,
)
def get_imports(request: Request) -> Rendered:
    """Your imports, newest first."""
    return paginate(request, request.context.page, **request.validated)


@import_.get(permission=Permission.READ, returns=IMPORT_OUT, etag=ETagStrategy.BY_BODY)
def get_import(request: Request) -> ImportRow:
    """One import. `progress` counts jobs and files of documents.

    After a check, `report` has the rows of the file by kind (`counts`): those that are `new` and
    those that are here already (`known`), `duplicates`, which are jobs of the same company and
    title, unless both have a date or a URL that differ, `conflicts`, which are saved views of the
    same name, and what is `refused`, with `message`, `entry`, `line`, `field` and `code`:
    QUOTA_EXCEEDED, INVALID or BROKEN. Of these lists it has the first hundred. If anything is
    refused, nothing can be imported. `missing_files` are documents without their file, which
    become failed ones. After a run, it has the rows that were `made`, `updated` and `skipped`.
    """
    return request.context.row


@check_import.post(
    permission=Permission.WRITE,
    returns=TaskOut(),
    status=202,
    errors=(409, 429),
    rate_limits=[IMPORTS_BY_USER],
)
def post_check_import(request: Request) -> TaskRow:
    """Check the file, which changes nothing: `report` of the import tells what is in it, as it
    would be imported with `on_duplicate` `skip`. `Location` is where to ask how far that is."""
    return set_location(request, request.context.check()).row


@run_import.post(
    permission=Permission.WRITE,
    body=RunImportIn(),
    returns=TaskOut(),
    status=202,
    errors=(409, 429),
    rate_limits=[IMPORTS_BY_USER],
)
def post_run_import(request: Request) -> TaskRow:
    """Import the file, if all of it can be: all comes as it was, with its history, times and trash.

    What an earlier import has brought from the same account is not made again. `on_duplicate` says
    what becomes of that, of `duplicates` and of `conflicts`: with `skip` it stays as it is, with
    `update` it becomes as it is in the file, with `add` duplicates and conflicts are made once
    more. A job that is skipped for a duplicate is so with all that belongs to it; what is new below
    another job that is here is added. Settings are set if they are the default ones, or with
    `update`. An import under way whose task has failed goes on, with the same `on_duplicate`."""
    return set_location(request, request.context.run(**request.validated)).row


@import_.delete(
    permission=Permission.WRITE, returns=TaskOut(), status=202, errors=(429,), idempotent=True
)
def delete_import(request: Request) -> TaskRow:
    """Undo an import, also one that is under way: a task puts all that it has made into the trash,
    with the reason `import`, and deletes the file. What it has updated stays so."""
    return set_location(request, request.context.undo()).row
