"""Exports in tests: an archive, as a client gets it."""

import hashlib
import io
import zipfile
from typing import Any

import orjson
import urllib3

from tests.common.api import Api
from tests.common.tasks import run_tasks


class Archive:
    """The files of an archive, and what its manifest says of them."""

    def __init__(self, data: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            self.names = archive.namelist()
            assert len(set(self.names)) == len(self.names)
            assert archive.testzip() is None
            self.files = {name: archive.read(name) for name in self.names}
        self.manifest = orjson.loads(self.files["manifest.json"])
        files = [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in self.files.items()
            if name != "manifest.json"
        ]
        assert self.manifest["files"] == files
        assert self.names[-1] == "manifest.json"

    def rows(self, kind: str) -> list[Any]:
        return [orjson.loads(line) for line in self.files[f"{kind}.ndjson"].splitlines()]


def download(api: Api, path: str) -> bytes:
    """The file of an export that is done."""
    row = api.get(path).json
    assert row["state"] == "done", row
    answer = api.get(f"{path}/presign-download").json
    data = urllib3.request("GET", answer["download_url"]).data
    assert (len(data), hashlib.sha256(data).hexdigest()) == (row["size_bytes"], row["sha256"])
    return data


def export(app: Any, api: Api, **body: Any) -> Archive:
    """A new archive of all that a user has."""
    location = api.post("/exports", body, status=202).headers["Location"]
    path = "/exports/" + location.rpartition("/")[2]
    run_tasks(app)
    return Archive(download(api, path))
