"""The S3 bucket: presigned URLs, and the operations on objects that the server itself needs."""

import contextlib
import logging
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import IO, Any, NamedTuple, TypeVar
from urllib.parse import quote

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from jobtracker.aws import error_code, make_client, with_hint
from jobtracker.errors import Conflict, Unavailable
from jobtracker.logs.outages import log_outage

log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
MAX_DELETIONS = 1000

R = TypeVar("R")


class ObjectMissingOrChanged(Exception):
    """S3 answered 404, or 412: the object's ETag is another than the expected one, or the target
    exists."""


class StoredObject(NamedTuple):
    """Size and ETag of an object, from HeadObject."""

    size_bytes: int
    etag: str


class Bucket:
    """A private S3 bucket; its methods raise Unavailable when S3 fails or does not respond."""

    def __init__(
        self,
        name: str,
        *,
        upload_seconds: int,
        download_seconds: int,
        max_attempts: int = 1,
        **options: Any,
    ) -> None:
        self.name = name
        self.upload_seconds, self.download_seconds = upload_seconds, download_seconds
        config = Config(
            signature_version="s3v4",
            # By default a checksum is part of the signature, which browsers do not send.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # Presigned URLs name the regional endpoint: the global one redirects for a new bucket,
            # and browsers do not follow a redirect of a preflighted PUT.
            s3={"addressing_style": "virtual"},
            retries={"total_max_attempts": max_attempts, "mode": "standard"},
        )
        self.client = make_client("s3", config=config, **options)

    def upload_url(self, key: str, *, size_bytes: int, content_type: str | None) -> str:
        """Return a presigned URL for a PUT of exactly this length, and of this type if given."""
        headers = {} if content_type is None else {"ContentType": content_type}
        seconds = self.upload_seconds
        return self._presign("put_object", key, seconds, ContentLength=size_bytes, **headers)

    def download_url(self, key: str, *, filename: str, content_type: str | None) -> str:
        """Return a presigned URL for a GET that browsers save under this file name."""
        disposition, media_type = attachment(filename), content_type or "application/octet-stream"
        headers = {"ResponseContentDisposition": disposition, "ResponseContentType": media_type}
        return self._presign("get_object", key, self.download_seconds, **headers)

    def stat(self, key: str) -> StoredObject | None:
        """Return the size and ETag of an object, or None when it does not exist."""
        try:
            head = self._call("head_object", Key=key)
        except ObjectMissingOrChanged:
            return None
        try:
            return StoredObject(head["ContentLength"], head["ETag"])
        except KeyError as error:  # to the service model of AWS, both are optional
            raise _unavailable("head_object", error) from error

    def uploaded(self, key: str, size_bytes: int | None) -> StoredObject:
        """Return the size and ETag of an object that a client was to upload.

        :raises Conflict: when it has not arrived, or has another size
        """
        stored = self.stat(key)
        if stored is None:
            try:  # HeadObject answers 404, too, when there is no such bucket
                self._call("head_bucket")
            except ObjectMissingOrChanged as error:
                raise _unavailable("head_bucket", error.__cause__) from error
            raise Conflict("The file has not arrived yet.")
        if stored.size_bytes != size_bytes:
            raise Conflict("The file that has arrived has another size than was announced.")
        return stored

    def copy(self, source: str, target: str, *, etag: str) -> None:
        """Copy an object without its tags, to a key that has none: a copy that timed out and
        arrives later changes nothing. Conflict when the object does not exist or has another ETag,
        or the key has an object of another ETag."""
        options = {
            "CopySource": {"Bucket": self.name, "Key": source},
            "CopySourceIfMatch": etag,
            "IfNoneMatch": "*",
            "TaggingDirective": "REPLACE",
        }
        try:
            self._call("copy_object", Key=target, **options)
        except ObjectMissingOrChanged as error:
            copied = self.stat(target)  # by an earlier attempt
            if copied is None or copied.etag != etag:
                raise Conflict("The upload was changed in the meantime.") from error

    def read(self, key: str, start: int, end: int, *, etag: str) -> bytes:
        """Return the bytes of an object from a position to before another one;
        ObjectMissingOrChanged when it does not exist or has another ETag."""
        part = {"Range": f"bytes={start}-{end - 1}", "IfMatch": etag}
        return self._get(lambda body: bytes(body.read()), key, **part)

    def put(self, key: str, data: bytes, *, content_type: str | None) -> None:
        headers = {} if content_type is None else {"ContentType": content_type}
        self._call("put_object", Key=key, Body=data, **headers)

    def tags(self, key: str) -> dict[str, str]:
        """Return the tags of an object; ObjectMissingOrChanged when it does not exist."""
        try:
            tagging = self._call("get_object_tagging", Key=key)
        except ObjectMissingOrChanged as error:
            if error_code(error.__cause__) != "NoSuchKey":
                raise _unavailable("get_object_tagging", error.__cause__) from error
            raise
        return {tag["Key"]: tag["Value"] for tag in tagging["TagSet"]}

    def delete_objects(self, keys: Collection[str]) -> set[str]:
        """Delete up to :data:`MAX_DELETIONS` objects, and return the keys that S3 could not delete;
        a missing object counts as deleted."""
        objects = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        failed = self._call("delete_objects", Delete=objects).get("Errors", [])
        if failed:
            reason = with_hint(failed[0].get("Code", ""), HINTS)
            log_outage(log, "S3", "S3 delete_objects: %s", reason)
        if any("Key" not in error for error in failed):  # optional in the service model of AWS
            return set(keys)
        return {error["Key"] for error in failed}

    def keys(self) -> Iterator[str]:
        """The keys of all objects, in the order of their bytes in UTF-8, a thousand at a time."""
        page: dict[str, str] = {}
        while True:
            try:
                listed = self._call("list_objects_v2", **page)
            except ObjectMissingOrChanged as error:
                raise _unavailable("list_objects_v2", error.__cause__) from error
            yield from (each["Key"] for each in listed.get("Contents", ()))
            if not listed.get("IsTruncated"):
                return
            page = {"ContinuationToken": listed["NextContinuationToken"]}

    def download(self, key: str, file: IO[bytes]) -> None:
        """Write an object to an empty file; ObjectMissingOrChanged when it does not exist."""

        def copy(body: Any) -> None:
            file.seek(0)
            file.truncate()
            shutil.copyfileobj(body, file)

        self._get(copy, key)

    def _get(self, consume: Callable[[Any], R], key: str, **parameters: Any) -> R:
        """What a function returns for the body of an object; it is called once more when the
        connection is lost while it reads."""
        for may_retry in (True, False):
            try:
                got = self._call("get_object", Key=key, **parameters)
                with contextlib.closing(got["Body"]) as body:
                    return consume(body)
            except BotoCoreError as error:
                if not may_retry:
                    raise _unavailable("get_object", error) from error
        raise AssertionError

    def create_upload(self, key: str, *, content_type: str) -> str:
        """Begin a multipart upload, and return its id."""
        created = self._call_upload("create_multipart_upload", Key=key, ContentType=content_type)
        return str(created["UploadId"])

    def upload_part(self, key: str, upload_id: str, number: int, data: bytes) -> str:
        """Upload a part of at least 5 MiB, but for the last one, and return its ETag.

        :param number: from 1
        """
        part = {"UploadId": upload_id, "PartNumber": number, "Body": data}
        return str(self._call_upload("upload_part", Key=key, **part)["ETag"])

    def complete_upload(
        self, key: str, upload_id: str, etags: Sequence[str], size_bytes: int
    ) -> None:
        """Make the object of the parts."""
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        upload = {"UploadId": upload_id, "MultipartUpload": {"Parts": parts}}
        try:
            self._call("complete_multipart_upload", Key=key, **upload)
        except ObjectMissingOrChanged as error:
            completed = self.stat(key)  # by an attempt whose response was lost
            if completed is None or completed.size_bytes != size_bytes:
                raise _unavailable("complete_multipart_upload", error.__cause__) from error

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Abort a multipart upload; one that does not exist is aborted already."""
        with contextlib.suppress(ObjectMissingOrChanged):
            self._call("abort_multipart_upload", Key=key, UploadId=upload_id)

    def abort_uploads(self, key: str) -> None:
        """Abort all multipart uploads to a key."""
        listed = self._call_upload("list_multipart_uploads", Prefix=key)
        for each in listed.get("Uploads", ()):
            if each["Key"] == key:
                self.abort_upload(key, each["UploadId"])

    def _call_upload(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """As :meth:`_call`; Unavailable when there is no such upload: another process aborted
        it."""
        try:
            return self._call(operation, **parameters)
        except ObjectMissingOrChanged as error:
            raise _unavailable(operation, error.__cause__) from error

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an idempotent operation; retry once after HTTP 5xx or a closed connection.
        ObjectMissingOrChanged for HTTP status 404 and 412."""
        for may_retry in (True, False):
            try:
                return getattr(self.client, operation)(Bucket=self.name, **parameters)
            except (ClientError, BotoCoreError) as error:
                is_response = isinstance(error, ClientError)
                status = error.response["ResponseMetadata"]["HTTPStatusCode"] if is_response else 0
                if status in (404, 412) and error_code(error) != "NoSuchBucket":
                    raise ObjectMissingOrChanged from error
                transient = status >= 500 or isinstance(error, ConnectionClosedError)
                if not (transient and may_retry):
                    raise _unavailable(operation, error) from error
        raise AssertionError

    def _presign(self, operation: str, key: str, seconds: int, **parameters: Any) -> str:
        parameters |= {"Bucket": self.name, "Key": key}
        try:
            return self.client.generate_presigned_url(operation, parameters, ExpiresIn=seconds)
        except BotoCoreError as error:  # no credentials
            raise _unavailable(operation, error) from error


def attachment(filename: str) -> str:
    """Return a Content-Disposition for a file name (RFC 6266, encoded by RFC 8187)."""
    plain = re.sub(r'[^ -~]|["\\/%]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


#: What an operator has to correct, by the code of S3's error or the class of boto's. Errors of
#: HEAD have no code but the status.
HINTS = {
    **dict.fromkeys(("404", "NoSuchBucket"), "s3.bucket does not exist"),
    **dict.fromkeys(
        ("403", "AccessDenied", "AllAccessDisabled"),
        "the credentials have no permission for this on s3.bucket",
    ),
    **dict.fromkeys(
        (
            *("400", "301", "307", "PermanentRedirect", "TemporaryRedirect"),
            *("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        ),
        "s3.bucket is in another region than s3.region, or the credentials have expired",
    ),
    **dict.fromkeys(
        (
            *("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"),
            *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
            *("TokenRetrievalError", "UnauthorizedSSOTokenError", "MetadataRetrievalError"),
        ),
        "no valid credentials: s3.access_key_id and s3.secret_access_key, or boto's chain",
    ),
    "RequestTimeTooSkewed": "the clock of this machine differs from S3's",
    **dict.fromkeys(
        ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "SSLError"),
        "s3.region or s3.endpoint_url, if this persists",
    ),
}


def _unavailable(operation: str, error: BaseException | None) -> Unavailable:
    log_outage(log, "S3", "S3 %s: %s", operation, with_hint(error_code(error), HINTS))
    return Unavailable()
