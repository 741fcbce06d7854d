"""Presigned URLs of S3 itself, for which there is no emulator."""

from urllib.parse import urlsplit

import pytest

from jobtracker.documents.storage import Bucket


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
    bucket = Bucket(
        "documents",
        region=region,
        endpoint_url=endpoint_url,
        aws_access_key_id="id",
        aws_secret_access_key="secret",
        upload_seconds=900,
        download_seconds=300,
    )
    for url in (
        bucket.upload_url("incoming/1/x", size_bytes=1, content_type="text/plain"),
        bucket.download_url("incoming/1/x", filename="x", content_type=None),
    ):
        assert urlsplit(url)._replace(query="").geturl() == expected
