"""Imports in tests: archives that are brought in, or made by hand."""

import hashlib
import io
import uuid
import zipfile
from collections.abc import Mapping
from typing import Any

import orjson

from jobtracker.archive.kinds import ARCHIVE_KINDS
from jobtracker.tasks.runner import Outcome
from tests.common.api import Api
from tests.common.exports import Archive
from tests.common.tasks import run_tasks
from tests.common.timeouts import http_request

NAMES = tuple(kind.name for kind in ARCHIVE_KINDS)


def upload(api: Api, data: bytes, filename: str = "archive.zip") -> str:
    """The path of an import whose file has been uploaded."""
    body = {"filename": filename, "size_bytes": len(data)}
    answer = api.post("/imports", body, status=201)
    put(answer.json, data)
    return f"/imports/{answer.json['import']['id']}"


def put(upload: dict[str, Any], data: bytes) -> None:
    headers = upload["upload_headers"]
    assert http_request("PUT", upload["upload_url"], body=data, headers=headers).status == 200


def check(app: Any, api: Api, data: bytes) -> dict[str, Any]:
    """The import of a file that was checked."""
    path = upload(api, data)
    api.post(f"{path}/check", status=202)
    run_tasks(app)
    return api.get(path).json


def run(app: Any, api: Api, data: bytes, on_duplicate: str = "skip") -> dict[str, Any]:
    """The import of a file that was carried out."""
    path = upload(api, data)
    return run_uploaded(app, api, path, on_duplicate)


def run_uploaded(app: Any, api: Api, path: str, on_duplicate: str = "skip") -> dict[str, Any]:
    api.post(f"{path}/run", {"on_duplicate": on_duplicate}, status=202)
    # A long one is interrupted, to let others have their turn.
    run_tasks(app, expected=(Outcome.DONE, Outcome.INTERRUPTED))
    return api.get(path).json


def undo(app: Any, api: Api, made: dict[str, Any]) -> dict[str, Any]:
    """The import after its undo."""
    path = f"/imports/{made['id']}"
    api.delete(path, status=202)
    run_tasks(app)
    return api.get(path).json


def zipped(entries: Mapping[str, bytes]) -> bytes:
    """A zip of entries."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def manifest_of(entries: Mapping[str, bytes], **changes: Any) -> dict[str, Any]:
    """The manifest of entries."""
    counts = {name: entries.get(f"{name}.ndjson", b"").count(b"\n") for name in NAMES}
    return {
        "format": "jobtracker-archive",
        "version": 1,
        "made_at": "2026-11-23T09:00:00.000000Z",
        "source": str(uuid.UUID(int=1)),
        "revision": 1,
        "documents": True,
        "counts": counts,
        "files": [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in entries.items()
        ],
        "missing": [],
        **changes,
    }


def archive_of(entries: Mapping[str, bytes], **changes: Any) -> bytes:
    """An archive of entries, with a manifest of them."""
    manifest = orjson.dumps(manifest_of(entries, **changes))
    return zipped({**entries, "manifest.json": manifest})


def ndjson(*rows: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def comparable(archive: Archive) -> dict[str, Any]:
    """The rows of an archive by kind, and its documents, without what an import changes: ids are
    replaced by the order of the rows."""
    ids: dict[tuple[str, int], int] = {}
    rows = {name: archive.rows(name) for name in NAMES}
    for name, of_kind in rows.items():
        for place, row in enumerate(of_kind):
            if "id" in row:
                ids[name, row.pop("id")] = place
    for of_kind in rows.values():
        for row in of_kind:
            if "application_id" in row:
                row["application_id"] = ids["jobs", row["application_id"]]
    for event in rows["activity"]:
        data = event["data"]
        for field, name in (
            ("note_id", "notes"),
            ("interview_id", "interviews"),
            ("document_id", "documents"),
        ):
            if field in data:
                data[field] = ids.get((name, data[field]), -abs(data[field]))
    files = []
    for row in rows["documents"]:
        if (path := row.pop("file")) is not None:
            files.append((path.rpartition("/")[2], archive.files.get(path)))
    return {**rows, "files": files}
