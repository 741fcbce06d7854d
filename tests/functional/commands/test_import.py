"""jobtracker import: what it prints, its errors, and what it leaves behind."""

import argparse
import contextlib
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobtracker.commands import ini
from jobtracker.documents.object_deletions import process_deletions
from jobtracker.documents.storage import Bucket
from jobtracker.errors import Unavailable
from jobtracker.imports import tasks
from tests.common.api import Api
from tests.common.import_rows import archive, document, job, note, step
from tests.common.tasks import run_tasks

command = importlib.import_module("jobtracker.commands.import")
GOOD = archive(
    {"documents/1/cv.pdf": b"pdf"},
    jobs=[job()],
    history=[step()],
    notes=[note()],
    documents=[document()],
)


@pytest.fixture
def run(
    committing_app: Any, client: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str | None]:
    """Executes the command with a file of these bytes; returns the lines of its error."""

    @contextlib.contextmanager
    def application(_ini: str, _command: str) -> Iterator[Any]:
        yield committing_app.registry

    monkeypatch.setattr(ini, "application", application)
    monkeypatch.setattr(command, "INTERVAL", 0.01)

    def call(data: bytes, *options: str, user: str = "ADA@example.com ") -> str | None:
        file = tmp_path / "ada.zip"
        file.write_bytes(data)
        parser = argparse.ArgumentParser(parents=[command.PARSER], add_help=False)
        arguments = parser.parse_args(["x.ini", str(file), "--user", user, *options])
        error: str | None = command.run(arguments)
        return error

    client.get("/users/me")
    return call


def objects(s3: Any, bucket: str) -> tuple[int, int]:
    """The numbers of objects that wait to be imported, and of incomplete uploads."""
    uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return s3.list_objects_v2(Bucket=bucket, Prefix="incoming/")["KeyCount"], len(uploads)


def test_file_is_imported_and_deleted_in_s3(
    run: Any, client: Api, s3: Any, bucket: str, capsys: pytest.CaptureFixture[str]
):
    before = objects(s3, bucket)
    assert run(GOOD) is None
    out, _errors = capsys.readouterr()
    assert out.startswith("made: jobs: 1, notes: 1, history: 1, documents: 1\n")
    (mine,) = client.get("/jobs").json
    (found,) = client.get(f"/jobs/{mine['id']}/documents").json
    assert found["status"] == "uploaded"
    assert objects(s3, bucket) == before
    assert run(GOOD) is None
    assert "made: nothing" in capsys.readouterr().out
    assert [each["state"] for each in client.get("/imports").json] == ["done", "done"]


def test_problems_are_lines_with_their_places(run: Any, client: Api):
    error = run(archive(jobs=[job(status="hired")], history=[step()]))
    first, second = error.splitlines()
    assert first == "jobtracker import: 1 problems; the import has failed"
    assert second.startswith("jobs.ndjson:1:status: Must be one of saved,")
    assert client.get("/jobs").json == []


def test_unknown_address_and_an_empty_file_are_errors(run: Any, client: Api):
    assert "no user nobody@example.com" in run(GOOD, user="nobody@example.com")
    assert "is empty" in run(b"")
    assert client.get("/imports").json == []


@pytest.mark.parametrize("method", ["upload_part", "complete_upload", "stat"])
def test_failure_of_s3_leaves_nothing(
    run: Any,
    committing_app: Any,
    client: Api,
    s3: Any,
    bucket: str,
    method: str,
    monkeypatch: pytest.MonkeyPatch,
):
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise Unavailable

    before = objects(s3, bucket)
    with monkeypatch.context() as patched:
        patched.setattr(Bucket, method, fail)
        assert "S3 does not answer" in run(GOOD)
    assert client.get("/imports").json == []
    process_deletions(
        committing_app.registry["db_sessions"],
        committing_app.registry["bucket"],
        client.get("/users/me").json["id"],
    )
    assert objects(s3, bucket) == before


def test_task_that_is_given_up_ends_the_command(
    run: Any, committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch
):
    def fail(_task: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(tasks, "_import", fail)
    monkeypatch.setattr("jobtracker.tasks.runner.FIRST_PAUSE", 0)
    assert "failed again and again" in run(GOOD)
    run_tasks(committing_app)
    assert client.get("/jobs").json == []
