"""``/exports``."""

from typing import Any

from pyramid.request import Request

from jobtracker.documents.schemas import DownloadOut
from jobtracker.exports.queries import ExportRow
from jobtracker.exports.resources import ExportCollection, ExportResource
from jobtracker.exports.schemas import ExportIn, ExportOut
from jobtracker.fields import ListOf, Rendered
from jobtracker.http.conditional import ETagStrategy
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.service import ApiService, ThreadPool, set_location
from jobtracker.permissions import Permission

EXPORT_OUT = ExportOut()
ONE = "/exports/{export_id}"

exports = ApiService("exports", "/exports", context=ExportCollection)
export = ApiService("export", ONE, context=ExportResource)
presign_export_download = ApiService(
    "presign_export_download", f"{ONE}/presign-download", context=ExportResource, traverse=ONE
)


@exports.post(
    permission=Permission.WRITE, body=ExportIn(), returns=EXPORT_OUT, status=202, errors=(409, 429)
)
def post_export(request: Request) -> ExportRow:
    """Export all that you store here, the trash included, as one file, with the files of your
    documents unless `documents` is false. A task writes it; `Location` is where to ask how far that
    is. One at a time (409, `details.code` EXPORT_UNDER_WAY), and three in 24 hours."""
    return set_location(request, request.context.create(**request.validated)).row


# A worker's progress does not increment the revision.
@exports.get(
    permission=Permission.READ,
    query=PageQuery(),
    returns=ListOf(EXPORT_OUT),
    etag=ETagStrategy.BY_BODY,
)
def get_exports(request: Request) -> Rendered:
    """Your exports, newest first. Each is deleted at its `expires_at`, after seven days."""
    return paginate(request, request.context.page, **request.validated)


@export.get(permission=Permission.READ, returns=EXPORT_OUT, etag=ETagStrategy.BY_BODY)
def get_export(request: Request) -> ExportRow:
    """One export. `progress` counts rows, and KiB of documents; its `total` is null until the task
    has begun. `revision` is that of your data of which it has the state."""
    return request.context.row


@presign_export_download.get(
    permission=Permission.READ, returns=DownloadOut(), errors=(409,), etag=None
)
def get_export_presign_download(request: Request) -> dict[str, Any]:
    """The URL to GET the file from: a zip, whose format is described in docs/export-format.md.
    `details.code` of a 409 is EXPORT_QUEUED or EXPORT_RUNNING until the export is done, and
    EXPORT_FAILED where another one has to be begun."""
    url = request.context.download_url()
    return {"download_url": url, "expires_in": request.bucket.download_seconds}


# It deletes the object in S3.
@export.delete(permission=Permission.WRITE, status=204, thread_pool=ThreadPool.GATEWAY)
def delete_export(request: Request) -> None:
    """Delete an export with its file. If it is under way, it ends."""
    request.context.delete()
