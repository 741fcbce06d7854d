"""``/jobs/{job_id}/documents``."""

from collections.abc import Iterable
from typing import Any

from pyramid.request import Request

from jobtracker.db.keyset import Page
from jobtracker.documents import schemas
from jobtracker.documents.models import DocumentStatus
from jobtracker.documents.queries import DocumentRow
from jobtracker.documents.resources import DocumentCollection, DocumentResource
from jobtracker.errors import NotFound
from jobtracker.fields import ListOf, Rendered
from jobtracker.http.conditional import use_body_etag
from jobtracker.http.deletion import DeletionQuery
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.rate_limits import CONFIRM_BY_USER, PRESIGN_BY_USER
from jobtracker.http.service import ApiService, ThreadPool, set_location
from jobtracker.permissions import Permission

DOCUMENT_OUT = schemas.DocumentOut()
ALL = "/jobs/{job_id}/documents"
ONE = f"{ALL}/{{document_id}}"
S3: dict[str, Any] = {"thread_pool": ThreadPool.GATEWAY}
OF_ALL = {"context": DocumentCollection, "traverse": ALL, **S3}
OF_ONE = {"context": DocumentResource, "traverse": ONE, **S3}

# Lists, too, can ask S3 for results of malware scans.
documents = ApiService("documents", ALL, context=DocumentCollection, **S3)
presign_upload = ApiService("presign_upload", f"{ALL}/presign-upload", **OF_ALL)
confirm_upload = ApiService("confirm_upload", f"{ALL}/confirm-upload", **OF_ALL)
document = ApiService("document", ONE, **OF_ONE)
presign_download = ApiService("presign_download", f"{ONE}/presign-download", **OF_ONE)


@documents.get(permission=Permission.READ, query=PageQuery(), returns=ListOf(DOCUMENT_OUT))
def get_documents(request: Request) -> Rendered:
    """The documents of a job, newest first."""

    def get_page(**options: Any) -> Page[DocumentRow]:
        page = request.context.page(**options)
        _vary_until_scanned(request, page.rows)
        return page

    return paginate(request, get_page, **request.validated)


@presign_upload.post(
    permission=Permission.WRITE,
    body=schemas.PresignUploadIn(),
    returns=schemas.UploadOut(),
    status=201,
    errors=(409,),
    rate_limits=[PRESIGN_BY_USER],
)
def post_presign_upload(request: Request) -> dict[str, Any]:
    """Announce a document, and get the URL to PUT it to, with exactly these headers. The
    number of your documents and their bytes in all have quotas, pending ones included."""
    new = set_location(request, request.context.create_pending(**request.validated))
    content_type = new.row.content_type
    return {
        "document": new.row,
        "upload_url": new.upload_url(),
        "upload_headers": {"Content-Type": content_type} if content_type else {},
        "expires_in": request.bucket.upload_seconds,
    }


@confirm_upload.post(
    permission=Permission.WRITE,
    body=schemas.ConfirmUploadIn(),
    returns=DOCUMENT_OUT,
    errors=(409,),
    rate_limits=[CONFIRM_BY_USER],
)
def post_confirm_upload(request: Request) -> DocumentRow:
    """Say that the upload is done. Repeating it is harmless."""
    try:
        document = request.context[request.validated["document_id"]]
    except KeyError:
        raise NotFound(DocumentResource.kind) from None
    return document.confirm()


@presign_download.get(
    permission=Permission.READ, returns=schemas.DownloadOut(), errors=(403, 409), etag=None
)
def get_presign_download(request: Request) -> dict[str, Any]:
    """The URL to GET a document from. ``details.code`` of an error is SCAN_PENDING (409) while the
    document is scanned for malware, and INFECTED (403) when some was found."""
    url = request.context.download_url()
    return {"download_url": url, "expires_in": request.bucket.download_seconds}


@document.get(permission=Permission.READ, returns=DOCUMENT_OUT)
def get_document(request: Request) -> DocumentRow:
    """One document, as far as it has come."""
    document = request.context.check_scan_if_due()
    _vary_until_scanned(request, [document])
    return document


@document.delete(permission=Permission.WRITE, query=DeletionQuery(), status=204)
def delete_document(request: Request) -> None:
    """Put a document into the trash, from which it is deleted after some days, and its file with
    it. `permanent=true` deletes them now."""
    request.context.delete(**request.validated)


def _vary_until_scanned(request: Request, rows: Iterable[DocumentRow]) -> None:
    """A scan can end without a change of the user's revision."""
    if any(row.status == DocumentStatus.SCANNING for row in rows):
        use_body_etag(request)
