"""Write all that a user stores, with the files of the documents, to a new file.

It is what POST /exports makes, for support and for moves between servers: docs/export-format.md.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from jobtracker.accounts.queries import record
from jobtracker.archive.manifest import Manifest
from jobtracker.archive.queries import source_of
from jobtracker.archive.writing import ArchiveWriter
from jobtracker.audit.models import AuditKind
from jobtracker.commands import ini
from jobtracker.commands.progress import progress_bar
from jobtracker.db.checks import first_line
from jobtracker.db.connections import transaction
from jobtracker.documents import TRANSFERS, make_bucket
from jobtracker.errors import ApiError, Unavailable
from jobtracker.sweep import make_sessions
from jobtracker.users.queries import find_by_email

PARSER = ini.parser()
PARSER.add_argument("--user", metavar="ADDRESS", required=True, help="the e-mail address")
PARSER.add_argument("file", metavar="FILE", type=Path, help="the zip to write, which is new")
PARSER.add_argument("--no-documents", action="store_true", help="without the files of documents")


def run(arguments: argparse.Namespace) -> str | None:
    file: Path = arguments.file
    if file.exists():
        return f"jobtracker export: {file} exists already"
    with ini.application(arguments.ini, "export") as registry:
        try:
            manifest = _export(
                registry, arguments.user.strip().lower(), file, documents=not arguments.no_documents
            )
        except Unavailable:
            return "jobtracker export: S3 does not answer: jobtracker check says why"
        except ApiError as error:
            return f"jobtracker export: {error.message}"
        except (DBAPIError, psycopg.Error) as error:
            return f"jobtracker export: PostgreSQL: {first_line(error)}"
    print(", ".join(f"{kind}: {number}" for kind, number in manifest.counts.items()))
    if manifest.missing:
        return f"jobtracker export: {len(manifest.missing)} files of documents are missing in S3"
    return None


def _export(registry: Any, email: str, file: Path, *, documents: bool) -> Manifest:
    """Write the archive under another name first.

    :raises ApiError: if there is no such user, or S3 fails
    """
    sessions = make_sessions(registry.settings)
    part = file.with_name(f"{file.name}.part")
    try:
        with transaction(sessions) as connection:
            user_id = find_by_email(connection, email)
            if user_id is None:
                raise NoSuchUser(email)
            source = source_of(connection, user_id)
            record(connection, user_id, AuditKind.EXPORT_REQUESTED)
        bucket = make_bucket(registry.settings, **TRANSFERS)
        # It is personal data.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out, progress_bar() as show_progress:
            manifest = ArchiveWriter(
                sessions,
                bucket,
                user_id,
                source=source,
                documents=documents,
                report_progress=show_progress,
            ).write(out)
            out.flush()
            os.fsync(out.fileno())
        part.rename(file)
        return manifest
    finally:
        part.unlink(missing_ok=True)
        sessions.kw["bind"].dispose()


class NoSuchUser(ApiError):
    """No user has signed in with that address."""

    status = 404

    def __init__(self, email: str) -> None:
        super().__init__(f"There is no user {email}: it has those who have signed in at least once")
