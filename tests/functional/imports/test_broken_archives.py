"""Archives that are broken or hostile change nothing, and the report tells where."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from jobtracker.imports import archive_reader, zip_file
from tests.common.api import Api
from tests.common.import_rows import archive, document, entries_of, event, job, note, step, view
from tests.common.imports import archive_of, check, manifest_of, ndjson, run_uploaded, zipped
from tests.common.trash import count_rows

GOOD = entries_of(jobs=[job()], history=[step()], notes=[note()])
FILE = {"documents/1/cv.pdf": b"pdf"}


def with_entry(name: str, data: bytes = b"x", **attributes: Any) -> bytes:
    """A good archive with a further entry."""
    file = io.BytesIO(archive_of({**GOOD, name: data}))
    with zipfile.ZipFile(file, "a") as zipped_file:
        for attribute, value in attributes.items():
            setattr(zipped_file.NameToInfo[name], attribute, value)
        zipped_file._didModify = True  # type: ignore[attr-defined]
    return file.getvalue()


def twice() -> bytes:
    file = io.BytesIO(archive_of(GOOD))
    with zipfile.ZipFile(file, "a") as archive_file, pytest.warns(UserWarning, match="Duplicate"):
        archive_file.writestr("jobs.ndjson", b"")
    return file.getvalue()


def changed(data: bytes, before: bytes, after: bytes) -> bytes:
    assert before in data
    return data.replace(before, after)


def bomb(megabytes: int) -> bytes:
    line = b" " * (256 * 1024 - 3) + b"{}\n"
    return archive_of({**GOOD, "activity.ndjson": line * (4 * megabytes)})


def overlapping() -> bytes:
    """Two entries of the list have the same bytes."""
    data = archive_of(GOOD)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        first, second = file.infolist()[:2]
    place = data.index(b"PK\1\2")
    second_place = data.index(b"PK\1\2", place + 4)
    offset = struct.pack("<L", first.header_offset)
    assert second.header_offset > 0
    return data[: second_place + 42] + offset + data[second_place + 46 :]


def beyond_the_entries() -> bytes:
    """The data of the last entry reaches into the central directory."""
    data = archive_of(GOOD)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        size = file.infolist()[-1].compress_size
    place = data.rindex(b"PK\1\2") + 20
    assert data[place : place + 4] == struct.pack("<L", size)
    return data[:place] + struct.pack("<L", size + 1000) + data[place + 4 :]


def with_missing_file(name: str) -> bytes:
    manifest = manifest_of(GOOD)
    manifest["files"].append({"name": name, "bytes": 1, "sha256": "0" * 64})
    return zipped({**GOOD, "manifest.json": orjson.dumps(manifest)})


def truncated_entry() -> bytes:
    data = bytearray(archive_of(GOOD))
    place = 30 + len("jobs.ndjson") + 5
    data[place : place + 20] = bytes(20)
    return bytes(data)


def of_line(kind: str, line: bytes) -> bytes:
    return archive_of({**GOOD, f"{kind}.ndjson": line})


def wrong_sha() -> bytes:
    manifest = manifest_of(GOOD)
    manifest["files"][0]["sha256"] = "0" * 64
    return zipped({**GOOD, "manifest.json": orjson.dumps(manifest)})


def uploaded(*documents: dict[str, Any], files: dict[str, bytes] = FILE) -> bytes:
    return archive(files, jobs=[job()], history=[step()], documents=list(documents))


# The archive, the entry, the line, the field, and a part of the message.
CASES: dict[str, tuple[Callable[[], bytes], str, int | None, str | None, str]] = {
    "no zip": (lambda: b"PK hello, this is no zip", "", None, None, "no zip archive"),
    "cut off": (lambda: archive_of(GOOD)[:-30], "", None, None, "no zip archive"),
    "an encrypted entry": (
        lambda: with_entry("documents/1/x", flag_bits=1),
        *("documents/1/x", None, None, "encrypted"),
    ),
    "an absolute name": (lambda: with_entry("/etc/passwd"), "/etc/passwd", None, None, "absolute"),
    "a name of another folder": (
        lambda: with_entry("documents/../../x"),
        *("documents/../../x", None, None, "another folder"),
    ),
    "a name with backslashes": (lambda: with_entry("a\\b"), "a\\b", None, None, "absolute"),
    "a name with a drive": (lambda: with_entry("C:x"), "C:x", None, None, "absolute"),
    "a link": (
        lambda: with_entry("documents/1/x", external_attr=(stat.S_IFLNK | 0o777) << 16),
        *("documents/1/x", None, None, "link"),
    ),
    "a folder": (lambda: with_entry("documents/1/", b""), "documents/1/", None, None, "folder"),
    "an entry twice": (twice, "jobs.ndjson", None, None, "two entries"),
    "entries that overlap": (overlapping, "history.ndjson", None, None, "overlaps"),
    "an entry that overlaps with the central directory": (
        beyond_the_entries,
        *("manifest.json", None, None, "central directory"),
    ),
    "another compression": (
        lambda: with_entry("documents/1/x", compress_type=zipfile.ZIP_LZMA),
        *("documents/1/x", None, None, "unknown way"),
    ),
    "an unknown entry": (
        lambda: with_entry("x.exe"),
        *("x.exe", None, None, "no entry of this name"),
    ),
    "a bomb": (lambda: bomb(80), "activity.ndjson", None, None, "suspiciously small"),
    "damaged data": (truncated_entry, "jobs.ndjson", None, None, "damaged"),
    "no manifest": (lambda: zipped(GOOD), "manifest.json", None, None, "no manifest"),
    "a manifest that is no JSON": (
        lambda: zipped({**GOOD, "manifest.json": b"{"}),
        *("manifest.json", None, None, "no JSON"),
    ),
    "a zip of something else": (
        lambda: zipped({"manifest.json": b'{"format": "x"}'}),
        *("manifest.json", None, None, "no archive of JobTracker"),
    ),
    "a newer format": (
        lambda: archive_of(GOOD, version=2),
        *("manifest.json", None, None, "version 2"),
    ),
    "an invalid manifest": (
        lambda: archive_of(GOOD, source="x"),
        *("manifest.json", None, None, "is invalid"),
    ),
    "an entry that is missing": (
        lambda: zipped({"manifest.json": orjson.dumps(manifest_of(GOOD))}),
        *("jobs.ndjson", None, None, "missing"),
    ),
    "a missing entry whose name JSONB cannot have": (
        lambda: with_missing_file("documents/1/a\0b"),
        *("documents/1/a\ufffdb", None, None, "missing"),
    ),
    "a missing entry of a long name": (
        lambda: with_missing_file("x" * 10_000),
        *("x" * 300, None, None, "missing"),
    ),
    "an entry that is not in the manifest": (
        lambda: zipped({**GOOD, **FILE, "manifest.json": orjson.dumps(manifest_of(GOOD))}),
        *("documents/1/cv.pdf", None, None, "does not have the entry"),
    ),
    "another SHA-256": (wrong_sha, "jobs.ndjson", None, None, "SHA-256"),
    "another number of rows": (
        lambda: archive_of(GOOD, counts={"jobs": 2, "history": 1, "notes": 1}),
        *("jobs.ndjson", None, None, "number of rows"),
    ),
    "a line that is no JSON": (
        lambda: of_line("notes", ndjson(note()) + b"{x\n"),
        *("notes.ndjson", 2, None, "no JSON"),
    ),
    "a line that is no object": (
        lambda: of_line("notes", b"[1]\n"),
        *("notes.ndjson", 1, None, "object"),
    ),
    "a long line": (
        lambda: of_line("notes", ndjson(note(body="x" * 600_000))),
        *("notes.ndjson", 1, None, "more than"),
    ),
    "an unknown field": (
        lambda: of_line("notes", ndjson(note(user_id=1))),
        *("notes.ndjson", 1, "user_id", "no such field"),
    ),
    "an unknown field whose name JSONB cannot have": (
        lambda: of_line("notes", ndjson(note(**{"a\0b": 1}))),
        *("notes.ndjson", 1, "a\ufffdb", "no such field"),
    ),
    "a missing field": (
        lambda: of_line("jobs", b'{"id": 1}\n'),
        *("jobs.ndjson", 1, "company_name", "missing"),
    ),
    "a long text": (
        lambda: of_line("notes", ndjson(note(body="x" * 10_001))),
        *("notes.ndjson", 1, "body", "10000"),
    ),
    "a URL of JavaScript": (
        lambda: of_line("jobs", ndjson(job(job_url="javascript:alert(1)"))),
        *("jobs.ndjson", 1, "job_url", "http"),
    ),
    "a status that does not exist": (
        lambda: of_line("jobs", ndjson(job(status="hired"))),
        *("jobs.ndjson", 1, "status", "one of"),
    ),
    "a blank title": (
        lambda: of_line("jobs", ndjson(job(job_title=" "))),
        *("jobs.ndjson", 1, "job_title", "required"),
    ),
    "the character NUL": (
        lambda: of_line("notes", ndjson(note(body="a\0b"))),
        *("notes.ndjson", 1, "body", "NUL"),
    ),
    "too many tags": (
        lambda: of_line("jobs", ndjson(job(tags=[f"t{n}" for n in range(51)]))),
        *("jobs.ndjson", 1, "tags", "50"),
    ),
    "an event that does not exist": (
        lambda: of_line("activity", ndjson(event(type="hacked"))),
        *("activity.ndjson", 1, "type", "one of"),
    ),
    "a step before 1970": (
        lambda: of_line("history", ndjson(step(at="1969-12-31T23:59:59Z"))),
        *("history.ndjson", 1, "at", "1970"),
    ),
    "a creation in the year 9999": (
        lambda: of_line("notes", ndjson(note(created_at="9999-12-31T23:59:59Z"))),
        *("notes.ndjson", 1, "created_at", "9998"),
    ),
    "a creation in the year 1": (
        lambda: of_line("notes", ndjson(note(created_at="0001-01-01T00:00:00Z"))),
        *("notes.ndjson", 1, "created_at", "1970"),
    ),
    "a row about to be purged": (
        lambda: of_line(
            "notes", ndjson(note(trashed_at="2026-01-05T10:00:00Z", trash_reason="purge"))
        ),
        *("notes.ndjson", 1, "trash_reason", "one of"),
    ),
    "half of the trash": (
        lambda: of_line("notes", ndjson(note(trash_reason="user"))),
        *("notes.ndjson", 1, "trash_reason", "trashed_at"),
    ),
    "a negative id": (
        lambda: of_line("notes", ndjson(note(-1))),
        *("notes.ndjson", 1, "id", "positive"),
    ),
    "a row of no job": (
        lambda: of_line("notes", ndjson(note(1, 5))),
        *("notes.ndjson", 1, "application_id", "no job of this id"),
    ),
    "jobs in another order": (
        lambda: archive(jobs=[job(2), job(1)]),
        *("jobs.ndjson", 2, None, "order"),
    ),
    "rows in another order": (
        lambda: of_line("notes", ndjson(note(2), note(1))),
        *("notes.ndjson", 2, None, "order"),
    ),
    "an id twice": (
        lambda: archive(
            jobs=[job(1), job(2)], history=[step(1, 1), step(2, 2)], notes=[note(7, 1), note(7, 2)]
        ),
        *("notes.ndjson", 2, "id", "Another row"),
    ),
    "two views of a name": (
        lambda: of_line("saved_views", ndjson(view(1, name="A"), view(2, name="a"))),
        *("saved_views.ndjson", 2, "name", "Another view"),
    ),
    "settings twice": (
        lambda: of_line("preferences", b'{"ui_preferences": {}}\n' * 2),
        *("preferences.ndjson", 2, None, "more than one"),
    ),
    "two current resumes": (
        lambda: uploaded(document(1), document(2, file=None)),
        *("documents.ndjson", 2, "doc_type", "another document"),
    ),
    "a document without its file": (
        lambda: uploaded(document(1), files={}),
        *("documents.ndjson", 1, "file", "no such entry"),
    ),
    "a file of another size": (
        lambda: uploaded(document(1, size_bytes=4)),
        *("documents.ndjson", 1, "size_bytes", "another size"),
    ),
    "a file of no document": (
        lambda: uploaded(),
        *("documents/1/cv.pdf", None, None, "no document"),
    ),
    "a document that is too large": (
        lambda: uploaded(
            document(1, size_bytes=6 * 1024**2), files={"documents/1/cv.pdf": b"x" * (6 * 1024**2)}
        ),
        *("documents.ndjson", 1, "size_bytes", "at most"),
    ),
    "an infected document with a file": (
        lambda: uploaded(document(1, status="infected")),
        *("documents.ndjson", 1, "file", "uploaded document"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_problem_is_reported_and_nothing_is_made(committing_app: Any, client: Api, name: str):
    make, entry, line, field, message = CASES[name]
    before = committed_rows(committing_app)
    found = check(committing_app, client, make())
    assert found["state"] == "failed"
    assert not found["report"]["is_importable"]
    problem = found["report"]["refused"]["first"][0]
    assert (problem["entry"], problem["line"], problem["field"]) == (entry, line, field)
    assert message in problem["message"]
    after = run_uploaded(committing_app, client, f"/imports/{found['id']}")
    assert after["state"] == "failed"
    assert after["report"] == found["report"]
    assert committed_rows(committing_app) == before


def committed_rows(app: Any) -> dict[str, int]:
    tables = ("jobs", "notes", "documents", "saved_views", "activity", "import_sources")
    with app.registry["db_engine"].connect() as connection:
        return {table: count_rows(connection, table) for table in tables}


def test_more_inflated_bytes_than_allowed(
    committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(zip_file, "MAX_INFLATED", 1000)
    assert "more than 1000 bytes" in problem_of(committing_app, client, archive_of(GOOD))


def test_sizes_are_counted_and_not_believed(
    committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(zip_file, "MAX_INFLATED", 3000)
    data = archive_of({**GOOD, "documents/1/x": bytes(5000)})
    size = struct.pack("<L", 5000)
    small = changed(data, size, struct.pack("<L", 50))
    found = problem_of(committing_app, client, small)
    assert "another size" in found or "damaged" in found


def test_more_entries_than_allowed(
    committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(zip_file, "MAX_ENTRIES", 3)
    assert "more than 3 entries" in problem_of(committing_app, client, archive_of(GOOD))


def test_more_rows_than_allowed(committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive_reader, "MAX_ROWS", 2)
    assert "more than 2 rows" in problem_of(committing_app, client, archive_of(GOOD))


def test_more_below_a_job_than_allowed(
    committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(archive_reader, "MAX_BYTES", 100)
    assert "too much below it" in problem_of(committing_app, client, archive_of(GOOD))


@pytest.mark.parametrize("kind", ["notes", "saved_views"])
def test_more_small_rows_than_allowed(
    committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch, kind: str
):
    row: Any = {"notes": note, "saved_views": view}[kind]
    monkeypatch.setattr(archive_reader, "MAX_BYTES", 20_000)
    many = archive_of({**GOOD, f"{kind}.ndjson": ndjson(*map(row, range(1, 21)))})
    assert " too " in problem_of(committing_app, client, many)


def problem_of(app: Any, api: Api, data: bytes) -> str:
    found = check(app, api, data)["report"]["refused"]
    assert found["number"] == 1
    return str(found["first"][0]["message"])


def test_with_too_many_problems_no_more_is_read(
    committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(archive_reader, "MAX_INVALID", 3)
    notes = [note(number, body="") for number in range(1, 10)]
    found = check(committing_app, client, archive(jobs=[job()], history=[step()], notes=notes))
    refused = found["report"]["refused"]
    assert refused["number"] == 4
    assert (refused["first"][0]["code"], refused["first"][0]["line"]) == ("BROKEN", 4)


def test_of_many_problems_the_first_hundred_are_reported(committing_app: Any, client: Api):
    notes = [note(number, body="") for number in range(1, 151)]
    found = check(committing_app, client, archive(jobs=[job()], history=[step()], notes=notes))
    refused = found["report"]["refused"]
    assert (refused["number"], len(refused["first"])) == (150, 100)
