"""jobtracker export: the file that it writes, and its errors."""

import argparse
import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobtracker.commands import export, ini, progress
from jobtracker.documents.storage import Bucket
from jobtracker.errors import Unavailable
from tests.common.api import Api
from tests.common.audit import entries
from tests.common.documents import CONTENT, Documents
from tests.common.exports import Archive


@pytest.fixture
def run(
    committing_app: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[str | None, Path]]:
    """Executes the command; returns the line of its error, and the path of the file."""

    @contextlib.contextmanager
    def application(_ini: str, _command: str) -> Iterator[Any]:
        yield committing_app.registry

    monkeypatch.setattr(ini, "application", application)

    def call(*options: str, user: str = " Ada@example.com") -> tuple[str | None, Path]:
        file = tmp_path / "ada.zip"
        parser = argparse.ArgumentParser(parents=[export.PARSER], add_help=False)
        arguments = parser.parse_args(["x.ini", str(file), "--user", user, *options])
        return export.run(arguments), file

    return call


@pytest.fixture
def documents(client: Api, s3: Any, bucket: str) -> Documents:
    documents = Documents(client, s3, bucket)
    documents.uploaded()
    return documents


def test_file_is_an_archive_that_others_cannot_read(
    run: Any, documents: Documents, capsys: pytest.CaptureFixture[str]
):
    error, file = run()
    assert error is None
    archive = Archive(file.read_bytes())
    archive.assert_valid()
    assert archive.files[archive.rows("documents")[0]["file"]] == CONTENT
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    out, errors = capsys.readouterr()
    assert "jobs: 1" in out
    assert errors == ""


def test_it_is_recorded_without_a_client(run: Any, documents: Documents, client: Api):
    run()
    (entry,) = entries(client)
    assert (entry["kind"], entry["client"]) == ("export_requested", None)


def test_files_of_documents_can_be_left_out(run: Any, documents: Documents):
    _error, file = run("--no-documents")
    archive = Archive(file.read_bytes())
    assert [row["file"] for row in archive.rows("documents")] == [None]


def test_missing_files_of_documents_are_an_error_after_the_rest_is_written(
    run: Any, documents: Documents
):
    documents.clear()
    error, file = run()
    assert error == "jobtracker export: 1 files of documents are missing in S3"
    assert len(Archive(file.read_bytes()).manifest["missing"]) == 1


def test_unknown_address_is_an_error_and_leaves_no_file(run: Any, documents: Documents):
    error, file = run(user="nobody@example.com")
    assert re.match("jobtracker export: There is no user nobody@example.com", error)
    assert [*file.parent.iterdir()] == []


def test_existing_file_stays_as_it_is(run: Any, documents: Documents, tmp_path: Path):
    (tmp_path / "ada.zip").write_text("mine")
    error, file = run()
    assert error == f"jobtracker export: {file} exists already"
    assert file.read_text() == "mine"


def test_failure_of_s3_is_an_error_and_leaves_no_file(
    run: Any, documents: Documents, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_arguments: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(Bucket, "download", fail)
    error, file = run()
    assert error == "jobtracker export: S3 does not answer: jobtracker check says why"
    assert [*file.parent.iterdir()] == []


def test_progress_is_shown_on_a_terminal(
    run: Any, documents: Documents, monkeypatch: pytest.MonkeyPatch
):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(progress, "INTERVAL", 0)
    run()
    updates = terminal.getvalue().split("\r")[1:]
    shares = [int(match[1]) for each in updates if (match := re.search(r"(\d+) %$", each))]
    assert shares == sorted(shares)
    assert shares[-1] == 100
    assert updates[-1] == "\033[K"
