# ruff: noqa: N999 (the name of the command)
"""Import an archive, as an export makes it, for a user who has signed in.

It is what POST /imports and its run do, for support and for moves between servers. The file is
uploaded to S3, and deleted there at the end; tasks of others wait for nothing.
"""

import argparse
import os
import threading
import uuid
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from jobtracker.commands import ini
from jobtracker.commands.export import NoSuchUser
from jobtracker.commands.progress import progress_bar
from jobtracker.db.checks import first_line
from jobtracker.db.connections import transaction
from jobtracker.db.statements import database_time
from jobtracker.documents import TRANSFERS, make_bucket
from jobtracker.documents.storage import Bucket
from jobtracker.errors import ApiError, Unavailable
from jobtracker.exports.writing import multipart_upload
from jobtracker.imports.models import MAX_FILENAME, ImportKind, ImportState, OnDuplicate
from jobtracker.imports.queries import IMPORTS, RUN_IMPORT, ImportRow
from jobtracker.imports.resources import MAX_BYTES
from jobtracker.sweep import make_sessions
from jobtracker.tasks.lease_queries import TaskKey
from jobtracker.tasks.queries import enqueue
from jobtracker.tasks.runner import Outcome, Runner
from jobtracker.users.queries import find_by_email

# Seconds between two looks at the progress.
INTERVAL = 0.5
CHUNK = 1024 * 1024

PARSER = ini.parser()
PARSER.add_argument("--user", metavar="ADDRESS", required=True, help="the e-mail address")
PARSER.add_argument("file", metavar="FILE", type=Path, help="the zip to read")
PARSER.add_argument(
    "--on-duplicate",
    choices=[*map(str, OnDuplicate)],
    default=str(OnDuplicate.SKIP),
    help="what becomes of what the user has already (%(default)s)",
)


def run(arguments: argparse.Namespace) -> str | None:
    file: Path = arguments.file
    with ini.application(arguments.ini, "import") as registry:
        if not file.is_file():
            return f"jobtracker import: there is no file {file}"
        if not 0 < file.stat().st_size <= MAX_BYTES:
            return f"jobtracker import: {file} is empty, or has more than {MAX_BYTES} bytes"
        try:
            row = _import(
                registry, arguments.user.strip().lower(), file, OnDuplicate(arguments.on_duplicate)
            )
        except Unavailable:
            return "jobtracker import: S3 does not answer: jobtracker check says why"
        except ApiError as error:
            return f"jobtracker import: {error.message}"
        except (DBAPIError, psycopg.Error) as error:
            return f"jobtracker import: PostgreSQL: {first_line(error)}"
    return _show(row)


def _show(row: ImportRow) -> str | None:
    """Print the numbers of rows; return the lines of what is refused."""
    report = row.report or {}
    if row.state == ImportState.DONE:
        for name in ("made", "updated", "skipped"):
            counts = (f"{kind}: {number}" for kind, number in report[name].items())
            print(f"{name}: {', '.join(counts) or 'nothing'}")
        return None
    if row.state != ImportState.FAILED:
        return "jobtracker import: it has failed again and again: the log says why"
    refused = report["refused"]
    lines = [f"jobtracker import: {refused['number']} problems; the import has {row.state}"]
    for each in refused["first"]:
        place = ":".join(str(each[name]) for name in ("entry", "line", "field") if each[name])
        lines.append(f"{place}: {each['message']}" if place else each["message"])
    return "\n".join(lines)


def _import(registry: Any, email: str, file: Path, on_duplicate: OnDuplicate) -> ImportRow:
    """Upload the file, and run the task that imports it.

    :raises ApiError: if there is no such user, or S3 fails
    """
    sessions = make_sessions(registry.settings)
    bucket = make_bucket(registry.settings, **TRANSFERS)
    try:
        with transaction(sessions) as connection:
            user_id = find_by_email(connection, email)
            if user_id is None:
                raise NoSuchUser(email)
            # The row first: the sweeper deletes the object of one that is not imported.
            new = IMPORTS.insert(
                connection,
                {
                    "user_id": user_id,
                    "kind": ImportKind.ARCHIVE,
                    "filename": os.fsencode(file.name).decode(errors="replace")[:MAX_FILENAME],
                    "size_bytes": file.stat().st_size,
                    "object_key": f"incoming/{user_id}/{uuid.uuid4().hex}",
                    "upload_expires_at": database_time(connection),
                },
            )
        try:
            etag = _upload(bucket, file, new)
        except BaseException:
            with transaction(sessions) as connection:
                IMPORTS.delete(connection, {"user_id": user_id}, new.id)
            raise
        values = {"state": ImportState.RUNNING, "on_duplicate": on_duplicate, "etag": etag}
        with transaction(sessions) as connection:
            IMPORTS.update(connection, {"user_id": user_id}, new.id, values)
            task_id = enqueue(connection, user_id, RUN_IMPORT, {"import_id": new.id})
        return _run_task(registry, sessions, TaskKey(user_id, task_id), new.id)
    finally:
        sessions.kw["bind"].dispose()


def _upload(bucket: Bucket, file: Path, row: ImportRow) -> str:
    """Write the file to S3, and return the ETag of the object."""
    key = row.object_key or ""
    with (
        progress_bar() as show_progress,
        file.open("rb") as source,
        multipart_upload(bucket, key) as upload,
    ):
        while data := source.read(CHUNK):
            upload.write(data)
            show_progress(upload.size_bytes, row.size_bytes)
    stored = bucket.stat(key)
    if stored is None:
        raise Unavailable
    return stored.etag


def _run_task(registry: Any, sessions: Any, task: TaskKey, import_id: int) -> ImportRow:
    """Run the task, unless a worker does, until the import has ended, or has failed too often."""
    ended = threading.Event()
    runner = Runner(registry, sessions, ended.is_set)

    def find() -> ImportRow:
        with transaction(sessions) as connection:
            row = IMPORTS.find(connection, {"user_id": task.user_id}, import_id)
        if row is None:
            raise ApiError("The import was deleted.", status=404)
        return row

    def work() -> None:
        while not ended.is_set() and find().state == ImportState.RUNNING:
            if runner.run_one(task) is Outcome.FAILED:
                return
            ended.wait(INTERVAL)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        with progress_bar() as show_progress:
            while (row := find()).state == ImportState.RUNNING and worker.is_alive():
                if row.total:
                    show_progress(row.done, row.total)
                worker.join(INTERVAL)
        return find()
    finally:
        ended.set()
        worker.join()
