"""``/jobs/{job_id}/documents/{document_id}/versions``."""

from typing import Any

from pyramid.request import Request

from jobtracker.document_versions.resources import VersionCollection, VersionResource
from jobtracker.document_versions.schemas import VersionOut
from jobtracker.documents.queries import DocumentRow
from jobtracker.documents.schemas import DocumentOut, DownloadOut
from jobtracker.fields import ListOf, Rendered
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission

ALL = "/jobs/{job_id}/documents/{document_id}/versions"
ONE = f"{ALL}/{{version_id}}"

versions = ApiService("document_versions", ALL, context=VersionCollection)
presign_version_download = ApiService(
    "presign_version_download", f"{ONE}/presign-download", context=VersionResource, traverse=ONE
)
restore_version = ApiService(
    "restore_version", f"{ONE}/restore", context=VersionResource, traverse=ONE
)


@versions.get(permission=Permission.READ, query=PageQuery(), returns=ListOf(VersionOut()))
def get_document_versions(request: Request) -> Rendered:
    """What a document was: those of its type that were replaced, by an upload or a restoration, the
    latest first, until `purge_at`. Of a type of which a job can have several documents there are
    none."""
    return paginate(request, request.context.page, **request.validated)


@presign_version_download.get(
    permission=Permission.READ, returns=DownloadOut(), errors=(409,), etag=None
)
def get_version_presign_download(request: Request) -> dict[str, Any]:
    """The URL to GET a replaced document from."""
    url = request.context.download_url()
    return {"download_url": url, "expires_in": request.bucket.download_seconds}


@restore_version.post(permission=Permission.WRITE, returns=DocumentOut(), errors=(409,))
def post_restore_version(request: Request) -> DocumentRow:
    """Make a replaced document the current one again, which in turn is replaced."""
    return request.context.restore().row
