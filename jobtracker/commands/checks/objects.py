"""The rows with objects and the objects of the bucket, compared after a restore of the database."""

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from jobtracker.commands.checks import Result, error, ok
from jobtracker.db.checks import first_line
from jobtracker.db.connections import make_sessions
from jobtracker.db.engine import make_engine, transaction_settings
from jobtracker.documents import make_bucket
from jobtracker.documents.reconciliation import MissingObject, differences
from jobtracker.errors import Unavailable
from jobtracker.exports import queries as _exports  # noqa: F401 (with their objects)

URL, BUCKET = "sqlalchemy.url", "s3.bucket"


def compare(settings: Mapping[str, Any]) -> Iterator[Result | str]:
    """A line for each difference, and then the results."""
    engine = make_engine(dict(settings))
    sessions = make_sessions(engine, transaction_settings(dict(settings)))
    missing = unreferenced = 0
    try:
        for each in differences(sessions, make_bucket(settings)):
            key = each.object_key if each.object_key.isprintable() else ascii(each.object_key)
            if isinstance(each, MissingObject):
                missing += 1
                yield f"{each.kind} {each.row_id} of user {each.user_id}: no object {key}"
            else:
                unreferenced += 1
                yield f"object {key}: no row"
    except Unavailable:
        yield error("Documents", BUCKET, "S3 cannot be listed: jobtracker check says why")
        return
    except (DBAPIError, psycopg.Error) as problem:
        yield error("Documents", URL, first_line(problem))
        return
    finally:
        engine.dispose()
    for subject, number, setting in (
        ("Rows without their object", missing, BUCKET),
        ("Objects without a row", unreferenced, BUCKET),
    ):
        yield error(subject, setting, str(number)) if number else ok(subject, setting, "none")
