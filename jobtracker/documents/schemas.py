"""The JSON of documents. Keys in the bucket are never shown."""

from typing import Any

from colander import SchemaNode

from jobtracker import fields
from jobtracker.documents import models
from jobtracker.jobs.schemas import JobChildOut

# RFC 9110, section 8.3.1, in what a header can carry: type/subtype; parameters.
_WORD = r"[\w!#$&^.+-]+"
MEDIA_TYPE = rf"(?a:{_WORD}/{_WORD}( *; *{_WORD}=({_WORD}|\"[ !#-\[\]-~]*\"))*)"


class FileSize(fields.Integer):
    """The size of a file in bytes; a file cannot be empty."""

    def parse(self, node: Any, value: Any) -> int:
        try:
            return super().parse(node, value)
        except fields.InvalidValue as error:
            if value == 0 and error.type == "greater_than_equal":
                error.sentence = "The file is empty."
            raise


class PresignUploadIn(fields.Schema):
    example = {
        "doc_type": "resume",
        "filename": "resume.pdf",
        "content_type": "application/pdf",
        "size_bytes": 48213,
    }

    doc_type = SchemaNode(fields.Choice(models.DocType), title="type of the document")
    filename = SchemaNode(fields.Text(max=models.MAX_FILENAME), title="name of the file")
    content_type = SchemaNode(
        fields.Text(
            max=models.MAX_CONTENT_TYPE, pattern=MEDIA_TYPE, hint="Must be like application/pdf."
        ),
        missing=None,
    )
    size_bytes = SchemaNode(FileSize(min=1), title="size of the file")


class ConfirmUploadIn(fields.Schema):
    example = {"document_id": 5}

    document_id = SchemaNode(fields.Integer(), title="id of the document")
    # Sent by the SPA; ignored.
    size_bytes = SchemaNode(fields.Integer(), title="size of the file", missing=None)


class DocumentOut(JobChildOut):
    example = {
        "id": 5,
        "application_id": 7,
        "doc_type": "resume",
        "original_filename": "resume.pdf",
        "content_type": "application/pdf",
        "size_bytes": 48213,
        "status": "uploaded",
        "scan_status": "NOT_SCANNED",
        "scan_checked_at": None,
        "scan_message": None,
        "uploaded_at": "2026-11-23T09:31:00.000000Z",
        "created_at": "2026-11-23T09:30:00.000000Z",
    }

    doc_type = SchemaNode(fields.Choice(models.DocType))
    original_filename = SchemaNode(fields.Text())
    content_type = SchemaNode(fields.Text(), nullable=True)
    size_bytes = SchemaNode(fields.Integer())
    status = SchemaNode(fields.Choice(models.DocumentStatus))
    scan_status = SchemaNode(fields.Choice(models.ScanStatus))
    scan_checked_at = SchemaNode(fields.Timestamp(), nullable=True)
    scan_message = SchemaNode(fields.Text(), nullable=True)
    uploaded_at = SchemaNode(fields.Timestamp(), nullable=True)
    created_at = SchemaNode(fields.Timestamp())


class UploadOut(fields.Schema):
    document = SchemaNode(fields.Nested(DocumentOut()))
    upload_url = SchemaNode(fields.Text())
    upload_headers = SchemaNode(fields.TextMap(max_entries=1, max_text=models.MAX_CONTENT_TYPE))
    expires_in = SchemaNode(fields.Integer())


class DownloadOut(fields.Schema):
    download_url = SchemaNode(fields.Text())
    expires_in = SchemaNode(fields.Integer())
