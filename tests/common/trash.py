"""One thing of each kind that can be in the trash, by the API."""

from typing import Any

from sqlalchemy import Connection, text

from jobtracker.db.trash import Trashable
from tests.common.api import Api

TRASH_KINDS = ("job", "note", "interview", "document", "saved_view")
JOB = {"company_name": "Acme", "job_title": "Engineer"}
DOCUMENT = {"doc_type": "thank_you", "filename": "thanks.pdf", "size_bytes": 1}
TITLES = {
    "job": "Acme: Engineer",
    "note": "They called back.",
    "interview": "first round",
    "document": "thanks.pdf",
    "saved_view": "Remote",
}


def make_job(api: Api) -> str:
    """The path of a new job."""
    return f"/jobs/{api.post('/jobs', JOB).json['id']}"


def make(api: Api, job: str, kind: str) -> str:
    """The path of a new thing of a kind, below a job where it belongs to one."""
    if kind == "job":
        return make_job(api)
    if kind == "document":
        made = api.post(f"{job}/documents/presign-upload", DOCUMENT).json["document"]
        return f"{job}/documents/{made['id']}"
    collection, body = {
        "note": (f"{job}/notes", {"body": TITLES["note"]}),
        "interview": (
            f"{job}/interviews",
            {"scheduled_at": "2026-11-30T13:00:00Z", "stage": TITLES["interview"]},
        ),
        "saved_view": ("/saved-views", {"name": TITLES["saved_view"], "data": {}}),
    }[kind]
    return f"{collection}/{api.post(collection, body).json['id']}"


def in_trash(kind: str, path: str) -> str:
    """The path in the trash of what was under a path."""
    return f"/trash/{kind}/{path.rpartition('/')[2]}"


def trash_one_of_each(api: Api, job: str) -> dict[str, str]:
    """The paths of things that were made and put into the trash, by kind, in this order."""
    paths = {kind: make(api, job, kind) for kind in TRASH_KINDS}
    for path in paths.values():
        api.delete(path, status=204)
    return paths


def listed(api: Api, query: str = "") -> list[tuple[str, int]]:
    """What the trash lists."""
    return [(row["kind"], row["id"]) for row in api.get(f"/trash{query}").json]


def age(connection: Connection, days: float) -> None:
    """Let what is in the trash have been there for some days longer."""
    for model in Trashable.by_kind.values():
        statement = f"UPDATE {model.__tablename__} SET trashed_at = trashed_at - :age"  # noqa: S608
        connection.execute(text(f"{statement} * interval '1 day'"), {"age": days})


def count_rows(connection: Connection, table: str) -> Any:
    return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608
