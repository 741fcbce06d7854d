"""Exports in tests: an archive, as a client gets it, and what is in the bucket."""

import hashlib
import io
import zipfile
from typing import Any

import jsonschema
import orjson

from jobtracker.archive.json_schema import schemas
from tests.common.api import Api
from tests.common.tasks import run_tasks
from tests.common.timeouts import http_request

MANIFEST = "manifest.json"


class Archive:
    """The files of an archive, of which its manifest tells the truth."""

    def __init__(self, data: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            self.names = archive.namelist()
            assert archive.testzip() is None
            self.files = {name: archive.read(name) for name in self.names}
        self.manifest = orjson.loads(self.files[MANIFEST])
        assert self.names[-1] == MANIFEST
        assert self.manifest["files"] == [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in self.files.items()
            if name != MANIFEST
        ]
        assert len(self.files) == len(self.names)

    def rows(self, kind: str) -> list[Any]:
        return [orjson.loads(line) for line in self.files[f"{kind}.ndjson"].split(b"\n")[:-1]]

    def assert_valid(self) -> None:
        """Check the manifest and each row by their JSON Schemas."""
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        for filename, schema in schemas().items():
            kind = filename.removesuffix(".schema.json")
            validator = jsonschema.Draft202012Validator(schema, format_checker=checker)
            for row in [self.manifest] if kind == "manifest" else self.rows(kind):
                validator.validate(row)


def begin(api: Api, **body: Any) -> str:
    """The path of a new export."""
    location = api.post("/exports", body, status=202).headers["Location"]
    return f"/exports/{location.rpartition('/')[2]}"


def download(api: Api, path: str) -> bytes:
    """The file of an export that is done."""
    row = api.get(path).json
    assert row["state"] == "done", row
    answer = api.get(f"{path}/presign-download").json
    response = http_request("GET", answer["download_url"])
    assert "attachment" in response.headers["Content-Disposition"]
    assert (len(response.data), hashlib.sha256(response.data).hexdigest()) == (
        row["size_bytes"],
        row["sha256"],
    )
    return response.data


def export(app: Any, api: Api, **body: Any) -> Archive:
    """A new archive of all that a user has."""
    path = begin(api, **body)
    run_tasks(app)
    return Archive(download(api, path))


def objects(s3: Any, bucket: str) -> list[str]:
    """The keys of the exports in the bucket, and of uploads to them that are not complete."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="exports/").get("Contents", [])
    uploads = s3.list_multipart_uploads(Bucket=bucket, Prefix="exports/").get("Uploads", [])
    return [each["Key"] for each in (*listed, *uploads)]


def clear(s3: Any, bucket: str) -> None:
    """Delete the exports of the tests before."""
    for key in objects(s3, bucket):
        s3.delete_object(Bucket=bucket, Key=key)
    for each in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"])
