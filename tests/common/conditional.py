"""Conditional requests: requests without the checks of :class:`Api`, and data to request."""

from typing import Any

from sqlalchemy import Engine, text
from webtest import TestResponse

from jobtracker.permissions import Permission
from tests.common.api import Api
from tests.common.endpoints import endpoints, example_ids, fill
from tests.common.timeouts import http_request

INTERVIEW = {"scheduled_at": "2026-11-30T13:00:00Z"}
RESUME = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}

# GET endpoints without an ETag.
NOT_CONDITIONAL = ("/users/me/mfa", "/presign-download")
# Its body changes with time alone.
TIME_DEPENDENT = "/jobs/stats/funnel"


def send(client: Api, path: str, method: str = "GET", **headers: str) -> TestResponse:
    """A response of any status. Headers are keywords with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    own = {"Authorization": f"Bearer {client.token}", **named}
    return client.app.request(path, method=method, headers=own, status="*")


def send_uncached(client: Api, path: str, number: int) -> TestResponse:
    """A response that is not from the cache, since no query had this parameter before."""
    return send(client, f"{path}{'&' if '?' in path else '?'}uncached={number}")


def revision_of(engine: Engine, client: Api) -> int:
    """The revision of the client's user."""
    user_id = client.get("/users/me").json["id"]
    with engine.begin() as connection:
        query = text("SELECT revision FROM users WHERE id = :id")
        return connection.execute(query, {"id": user_id}).scalar_one()


def revisions_of(engine: Engine, *clients: Api) -> tuple[int, ...]:
    return tuple(revision_of(engine, client) for client in clients)


class UserData:
    """A user's resources: one of each kind."""

    def __init__(self, client: Api, word: str) -> None:
        self.client = client
        self.word = word
        body = {"company_name": word, "job_title": "Engineer", "tags": [word]}
        self.job_id = client.post("/jobs", body).json["id"]
        self.job = f"/jobs/{self.job_id}"
        client.post(f"{self.job}/notes", {"body": "x"})
        client.post(f"{self.job}/interviews", INTERVIEW)
        self.upload = client.post(f"{self.job}/documents/presign-upload", RESUME).json
        assert http_request("PUT", self.upload["upload_url"], body=b"x").status == 200
        client.post("/saved-views", {"name": "Mine", "data": {}})
        self.ids = example_ids(client)

    def confirm_upload(self) -> None:
        body = {"document_id": self.ids["document_id"]}
        self.client.post(f"{self.job}/documents/confirm-upload", body)

    def change(self, method: str, path: str, body: Any, saves: str) -> None:
        """One request.

        :param path: with placeholders of ids and of ``job``, the path of the job
        :param saves: the name in ``ids`` of what is created
        """
        answer = self.client.call(method, path.format(job=self.job, **self.ids), body)
        if answer.status_code == 201:
            self.ids[saves] = int(answer.headers["Location"].rpartition("/")[2])

    def paths(self) -> list[str]:
        """All paths that can be requested conditionally."""
        found = [
            fill(endpoint.template, self.ids)
            for endpoint in endpoints()
            if endpoint.method == "GET" and endpoint.permission is Permission.READ
        ]
        found = [path for path in found if not path.endswith(NOT_CONDITIONAL)]
        found[found.index("/jobs/search")] = f"/jobs/search?q={self.word}"
        return found
