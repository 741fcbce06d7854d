"""The bucket: presigned URLs, and the little that the server itself does with objects."""

import logging
from collections.abc import Collection
from typing import Any, NamedTuple
from urllib.parse import quote

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from jobtracker.aws import USUAL_TIMEOUTS, Timeouts, make_client
from jobtracker.errors import Conflict, Unavailable

log = logging.getLogger(__name__)

# What DeleteObjects takes at once:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
MAX_DELETIONS = 1000


class Refused(Exception):
    """S3 says that there is no such object, or that it is another by now."""


class StoredObject(NamedTuple):
    """What S3 says of an object."""

    size_bytes: int
    etag: str


class Bucket:
    """A private bucket of S3.

    All methods that ask S3 raise :class:`~jobtracker.errors.Unavailable` when it does not answer
    as it should. Times are seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str,
        upload_seconds: int,
        download_seconds: int,
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        timeouts: Timeouts = USUAL_TIMEOUTS,
    ) -> None:
        self.name = name
        self.upload_seconds = upload_seconds
        self.download_seconds = download_seconds
        self.client = make_client(
            "s3",
            region=region,
            endpoint_url=endpoint_url,
            config=Config(
                signature_version="s3v4",
                # Else botocore adds a checksum to what is signed, which a browser does not send.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                # The region's own endpoint, also in URLs: a new bucket redirects elsewhere from the
                # global one, which no browser follows with a PUT.
                s3={"addressing_style": "virtual"},
            ),
            timeouts=timeouts,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
        )

    def upload_url(self, key: str, *, size_bytes: int, content_type: str | None) -> str:
        """A URL for one PUT of exactly that length, and of that type if one is given."""
        signed: dict[str, Any] = {"ContentLength": size_bytes}
        if content_type is not None:
            signed["ContentType"] = content_type
        return self._presigned("put_object", key, self.upload_seconds, **signed)

    def download_url(self, key: str, *, filename: str, content_type: str | None) -> str:
        """A URL for GET, which a browser saves under that name."""
        return self._presigned(
            "get_object",
            key,
            self.download_seconds,
            ResponseContentDisposition=attachment(filename),
            ResponseContentType=content_type or "application/octet-stream",
        )

    def stat(self, key: str) -> StoredObject | None:
        """What is stored there, or None."""
        try:
            head = self._call("head_object", Key=key)
        except Refused:
            return None
        return StoredObject(head["ContentLength"], head["ETag"])

    def copy(self, source: str, target: str, *, etag: str) -> None:
        """Copy an object, if it still is the one with that ETag.

        :raises Conflict: when it is another by now
        """
        try:
            self._call(
                "copy_object",
                Key=target,
                CopySource={"Bucket": self.name, "Key": source},
                CopySourceIfMatch=etag,
            )
        except Refused as refusal:
            raise Conflict("The upload was changed in the meantime.") from refusal

    def delete(self, keys: Collection[str]) -> set[str]:
        """Delete objects, at most :data:`MAX_DELETIONS`; those that are not there are no error.

        :returns: the keys of those that S3 would not delete
        """
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = self._call("delete_objects", Delete=wanted)
        failed = answer.get("Errors", [])
        if failed:
            log.error("S3 DeleteObjects: %s", failed[0]["Code"])
        return {error["Key"] for error in failed}

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Ask S3; once more where it says at once that it could not. All of this can be repeated.

        :raises Refused: when there is no such object, or it is another by now
        :raises Unavailable: when S3 cannot, or does not answer
        """
        for attempt in (1, 2):
            try:
                return getattr(self.client, operation)(Bucket=self.name, **parameters)
            except (ClientError, BotoCoreError) as error:
                http_status, code = _of(error)
                if http_status in (404, 412):
                    raise Refused from error
                passing = http_status >= 500 or isinstance(error, ConnectionClosedError)
                if attempt == 2 or not passing:
                    raise _unavailable(operation, code) from error
        raise AssertionError

    def _presigned(self, operation: str, key: str, seconds: int, **parameters: Any) -> str:
        try:
            return self.client.generate_presigned_url(
                operation, Params={"Bucket": self.name, "Key": key, **parameters}, ExpiresIn=seconds
            )
        except BotoCoreError as error:  # no credentials to sign with
            raise _unavailable(operation, _of(error)[1]) from error


def attachment(filename: str) -> str:
    """Content-Disposition for a file of any name: RFC 6266, with the encoding of RFC 8187."""
    plain = "".join(char if " " <= char <= "~" and char not in '"\\%' else "_" for char in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _of(error: Exception) -> tuple[int, str]:
    """The HTTP status of an error of S3's, 0 where there is none, and its name."""
    if isinstance(error, ClientError):
        answer = error.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]
    return 0, type(error).__name__


def _unavailable(operation: str, code: str) -> Unavailable:
    log.error("S3 %s: %s", operation, code)
    return Unavailable()
