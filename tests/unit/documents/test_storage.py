"""What S3 itself does, but the emulators do not: hosts of presigned URLs, conditional copies."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from botocore.stub import Stubber

from jobtracker.documents.storage import Bucket
from jobtracker.errors import Conflict, Unavailable

SOURCE, TARGET, ETAG = "incoming/1/x", "documents/1/x", '"5d41402abc4b2a76b9719d911017c592"'


def make_bucket(region: str = "us-east-1", endpoint_url: str | None = None) -> Bucket:
    return Bucket(
        "documents",
        region=region,
        endpoint_url=endpoint_url,
        aws_access_key_id="id",
        aws_secret_access_key="secret",
        upload_seconds=900,
        download_seconds=300,
    )


@pytest.mark.parametrize(
    ("region", "endpoint_url", "expected"),
    [
        ("us-east-1", None, "https://documents.s3.amazonaws.com/incoming/1/x"),
        ("eu-central-1", None, "https://documents.s3.eu-central-1.amazonaws.com/incoming/1/x"),
        ("eu-south-2", None, "https://documents.s3.eu-south-2.amazonaws.com/incoming/1/x"),
        ("us-east-1", "http://127.0.0.1:6544", "http://127.0.0.1:6544/documents/incoming/1/x"),
    ],
)
def test_presigned_urls_have_the_host_of_the_region(
    region: str, endpoint_url: str | None, expected: str
):
    bucket = make_bucket(region, endpoint_url)
    for url in (
        bucket.upload_url("incoming/1/x", size_bytes=1, content_type="text/plain"),
        bucket.download_url("incoming/1/x", filename="x", content_type=None),
    ):
        assert urlsplit(url)._replace(query="").geturl() == expected


class TestCopy:
    @pytest.fixture
    def documents(self) -> Bucket:
        return make_bucket()

    @pytest.fixture
    def responses(self, documents: Bucket) -> Iterator[Stubber]:
        """S3's responses, checked against AWS's service model; each must be used."""
        with Stubber(documents.client) as stubber:
            yield stubber
            stubber.assert_no_pending_responses()

    def test_copy_requires_the_etag_and_a_new_key_and_takes_over_no_tags(
        self, documents: Bucket, responses: Stubber
    ):
        expected = {
            "Bucket": "documents",
            "Key": TARGET,
            "CopySource": {"Bucket": "documents", "Key": SOURCE},
            "CopySourceIfMatch": ETAG,
            "IfNoneMatch": "*",
            "TaggingDirective": "REPLACE",
        }
        responses.add_response("copy_object", {}, expected)
        documents.copy(SOURCE, TARGET, etag=ETAG)

    def test_copy_that_an_earlier_attempt_made_succeeds(
        self, documents: Bucket, responses: Stubber
    ):
        responses.add_client_error("copy_object", "PreconditionFailed", http_status_code=412)
        head = {"ContentLength": 5, "ETag": ETAG}
        responses.add_response("head_object", head, {"Bucket": "documents", "Key": TARGET})
        documents.copy(SOURCE, TARGET, etag=ETAG)

    def test_copy_does_not_replace_another_object(self, documents: Bucket, responses: Stubber):
        responses.add_client_error("copy_object", "PreconditionFailed", http_status_code=412)
        responses.add_response("head_object", {"ContentLength": 5, "ETag": '"other"'})
        with pytest.raises(Conflict):
            documents.copy(SOURCE, TARGET, etag=ETAG)

    @pytest.mark.parametrize(("code", "status"), [("PreconditionFailed", 412), ("NoSuchKey", 404)])
    def test_copy_of_a_changed_or_missing_object_is_a_conflict(
        self, documents: Bucket, responses: Stubber, code: str, status: int
    ):
        responses.add_client_error("copy_object", code, http_status_code=status)
        responses.add_client_error("head_object", "404", http_status_code=404)
        with pytest.raises(Conflict):
            documents.copy(SOURCE, TARGET, etag=ETAG)

    def test_concurrent_copy_is_unavailable(self, documents: Bucket, responses: Stubber):
        responses.add_client_error(
            "copy_object", "ConditionalRequestConflict", http_status_code=409
        )
        with pytest.raises(Unavailable):
            documents.copy(SOURCE, TARGET, etag=ETAG)
