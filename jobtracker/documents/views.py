"""``/jobs/{job_id}/documents``."""

from collections.abc import Sequence
from typing import Any

from pyramid.request import Request

from jobtracker.documents.queries import DocumentRow
from jobtracker.documents.resources import DocumentCollection, DocumentResource
from jobtracker.documents.schemas import (
    ConfirmUploadIn,
    DocumentOut,
    DownloadOut,
    PresignUploadIn,
    UploadOut,
)
from jobtracker.errors import NotFound
from jobtracker.fields import ListOf
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.rate_limits import PRESIGN_BY_USER
from jobtracker.http.service import ApiService, ThreadPool, set_location
from jobtracker.permissions import Permission

DOCUMENT_OUT = DocumentOut()
DOCUMENTS = "/jobs/{job_id}/documents"

documents = ApiService("documents", DOCUMENTS, context=DocumentCollection)
presign_upload = ApiService(
    "presign_upload",
    f"{DOCUMENTS}/presign-upload",
    context=DocumentCollection,
    traverse=DOCUMENTS,
    thread_pool=ThreadPool.GATEWAY,
)
confirm_upload = ApiService(
    "confirm_upload",
    f"{DOCUMENTS}/confirm-upload",
    context=DocumentCollection,
    traverse=DOCUMENTS,
    thread_pool=ThreadPool.GATEWAY,
)
document = ApiService(
    "document",
    f"{DOCUMENTS}/{{document_id}}",
    context=DocumentResource,
    thread_pool=ThreadPool.GATEWAY,
)
presign_download = ApiService(
    "presign_download",
    f"{DOCUMENTS}/{{document_id}}/presign-download",
    context=DocumentResource,
    traverse=f"{DOCUMENTS}/{{document_id}}",
    thread_pool=ThreadPool.GATEWAY,
)


@documents.get(permission=Permission.READ, query=PageQuery(), returns=ListOf(DOCUMENT_OUT))
def get_documents(request: Request) -> Sequence[DocumentRow]:
    """The documents of a job, newest first."""
    return paginate(request, request.context.page, **request.validated)


@presign_upload.post(
    permission=Permission.WRITE,
    body=PresignUploadIn(),
    returns=UploadOut(),
    status=201,
    rate_limits=[PRESIGN_BY_USER],
)
def post_presign_upload(request: Request) -> dict[str, Any]:
    """Announce a document, and get the URL to PUT it to, with exactly these headers."""
    new = set_location(request, request.context.create_pending(**request.validated))
    content_type = new.row.content_type
    return {
        "document": new.row,
        "upload_url": new.upload_url(),
        "upload_headers": {"Content-Type": content_type} if content_type else {},
        "expires_in": request.bucket.upload_seconds,
    }


@confirm_upload.post(
    permission=Permission.WRITE, body=ConfirmUploadIn(), returns=DOCUMENT_OUT, errors=(409,)
)
def post_confirm_upload(request: Request) -> DocumentRow:
    """Say that the upload is done. Repeating it is harmless."""
    try:
        document = request.context[request.validated["document_id"]]
    except KeyError:
        raise NotFound from None
    return document.confirm()


@presign_download.get(permission=Permission.READ, returns=DownloadOut(), errors=(409,), etag=None)
def get_presign_download(request: Request) -> dict[str, Any]:
    """The URL to GET a document from."""
    url = request.context.download_url()
    return {"download_url": url, "expires_in": request.bucket.download_seconds}


@document.get(permission=Permission.READ, returns=DOCUMENT_OUT)
def get_document(request: Request) -> DocumentRow:
    """One document, as far as it has come."""
    return request.context.row


@document.delete(permission=Permission.WRITE, status=204)
def delete_document(request: Request) -> None:
    """Forget a document."""
    request.context.delete()
