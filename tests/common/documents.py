"""A job with documents, by the API and by plain HTTP to S3."""

from typing import Any

import urllib3

from tests.common.api import Api
from tests.common.timeouts import http_request

CONTENT = b"%PDF-1.7 resume"


class Documents:
    """The documents of a job, by the API and by plain HTTP to S3."""

    def __init__(self, api: Api, s3: Any, bucket: str) -> None:
        self.api = api
        self.s3 = s3
        self.bucket = bucket
        job = api.post("/jobs", {"company_name": "Acme", "job_title": "Engineer"}).json
        self.job_path = f"/jobs/{job['id']}"
        self.path = f"{self.job_path}/documents"

    def presign(self, doc_type: str = "resume", **fields: Any) -> dict:
        body = {"doc_type": doc_type, "filename": "cv.pdf", "size_bytes": len(CONTENT), **fields}
        return self.api.post(f"{self.path}/presign-upload", body, status=201).json

    def put(self, upload: dict, content: bytes = CONTENT) -> None:
        answer = http_request(
            "PUT", upload["upload_url"], body=content, headers=upload["upload_headers"]
        )
        assert answer.status == 200

    def confirm(self, upload: dict, **options: Any) -> dict:
        body = {"document_id": upload["document"]["id"]}
        return self.api.post(f"{self.path}/confirm-upload", body, **options).json

    def uploaded(self, *args: Any, **fields: Any) -> dict:
        upload = self.presign(*args, **fields)
        self.put(upload)
        return self.confirm(upload)

    def all(self) -> list[dict]:
        return self.api.get(self.path).json

    def download(self, document: dict) -> urllib3.BaseHTTPResponse:
        answer = self.api.get(f"{self.path}/{document['id']}/presign-download").json
        assert answer["expires_in"] > 0
        return http_request("GET", answer["download_url"])

    def keys(self) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [item["Key"] for item in listed]

    def clear(self) -> None:
        """Delete all objects of the bucket."""
        keys = self.keys()
        for key in keys:
            self.s3.delete_object(Bucket=self.bucket, Key=key)
