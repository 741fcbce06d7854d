"""An account with something of every kind, for tests of its deletion."""

import itertools
from typing import Any, NamedTuple

from sqlalchemy import Engine, text

from tests.common.api import Api
from tests.common.documents import Documents
from tests.common.user_pool import PASSWORD, MotoUserPool

ME = "/users/me"
AUTH = "/auth/cognito"
DELETION = {"password": PASSWORD}
#: What survives the user: entries of the audit, and the task that deletes the account.
SURVIVING = {"audit", "tasks"}

_numbers = itertools.count()


class Account(NamedTuple):
    """A signed-in account, whose tests can delete it."""

    email: str
    client: Api
    user_id: int

    @classmethod
    def of(cls, anonymous: Api, user_pool: MotoUserPool) -> "Account":
        email = f"deleted-{next(_numbers)}@example.com"
        tokens = user_pool.user(email, "Grace")
        client = anonymous.signed_in(tokens.access_token)
        return cls(email, client, client.get(ME).json["id"])

    def delete(self, **options: Any) -> dict[str, Any]:
        return self.client.call("DELETE", ME, DELETION, status=202, **options).json

    def sign_in(self, **options: Any) -> Api:
        """Another session of the account."""
        login = {"email": self.email, "password": PASSWORD}
        answer = Api(self.client.app).post(f"{AUTH}/login", login, **options).json
        return self.client.signed_in(answer["tokens"]["access_token"])


def fill(client: Api, s3: Any, bucket: str) -> Documents:
    """Something of every kind, a part of it in the trash."""
    documents = Documents(client, s3, bucket)
    for path in ("job", "another"):
        body = {"company_name": path, "job_title": "x", "tags": ["a"]}
        job = f"/jobs/{client.post('/jobs', body).json['id']}"
    client.patch(job, {"status": "interviewing"})
    note = client.post(f"{job}/notes", {"body": "Called."}, headers={"Idempotency-Key": "x"})
    client.post(f"{documents.job_path}/notes", {"body": "Called back."})
    client.post(f"{job}/interviews", {"scheduled_at": "2026-11-23T09:00:00Z", "kind": "phone"})
    client.post("/saved-views", {"name": "Mine", "data": {}})
    documents.uploaded()
    documents.presign("cover_letter")
    documents.put(documents.presign("thank_you"))
    client.delete(f"{job}/notes/{note.json['id']}")
    client.post("/exports", {"documents": True})
    client.post("/imports/csv", {"text": "Company,Position\nInitech,Tester\n"})
    return documents


def objects_of(documents: Documents, user_id: int) -> list[str]:
    """The keys of the user's objects."""
    keys = documents.keys()
    return [key for key in keys if f"/{user_id}/" in key]


def rows_of(engine: Engine, user_id: int) -> dict[str, int]:
    """The number of rows of a user in each table of the database that has any."""
    with_user = """SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = current_schema()
            AND (column_name = 'user_id' OR table_name = 'users' AND column_name = 'id')"""
    counts = {}
    with engine.connect() as connection:
        for table, column in connection.execute(text(with_user)).all():
            query = text(f"SELECT count(*) FROM {table} WHERE {column} = :user_id")  # noqa: S608
            counts[table] = int(connection.execute(query, {"user_id": user_id}).scalar_one())
    return {table: number for table, number in counts.items() if number}
