"""An HTTP client for many threads."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import urllib3

from tests.common.proxy import HOST

JOB = {"company_name": "Acme", "job_title": "x"}
RESUME = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
CONTENT = b"x"  # of the size that RESUME announces

SECONDS_TO_ANSWER = 30
CONNECTIONS = 64

T = TypeVar("T")


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def content(self) -> tuple[int, bytes, str]:
        """Status, body, and path of the Location: equal for equal responses of any server."""
        return self.status, self.body, urlsplit(self.headers.get("Location", "")).path


class Client:
    """A client of one server, shared by threads.

    :param token: an access token, or blank for none
    """

    def __init__(self, port: int, token: str = "") -> None:
        self.port = port
        self.token = token
        self.http = urllib3.HTTPConnectionPool(
            HOST, port, maxsize=CONNECTIONS, timeout=SECONDS_TO_ANSWER, retries=False
        )

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        """One request.

        :param key: an Idempotency-Key
        :raises urllib3.exceptions.HTTPError: for no response or an incomplete one
        """
        headers = {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        start = time.monotonic()
        response = self.http.request(method, path, body=content, headers=headers)
        seconds = time.monotonic() - start
        assert response.headers["X-Request-ID"]
        return Answer(response.status, response.headers, response.data, seconds)

    def done(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The JSON of a request that must succeed."""
        answer = self.call(method, path, body, key=key)
        assert answer.status < 300, answer
        return answer.json if answer.body else None

    def make_job(self, **fields: Any) -> str:
        """The path of a new job."""
        return f"/jobs/{self.done('POST', '/jobs', {**JOB, **fields})['id']}"

    def presign(self, job: str) -> Any:
        """The response of presign-upload for a resume."""
        return self.done("POST", f"{job}/documents/presign-upload", RESUME)

    def upload(self, job: str) -> int:
        """The id of a resume that is uploaded, not confirmed."""
        upload = self.presign(job)
        assert put(upload) == 200
        return upload["document"]["id"]

    def confirm(self, job: str, document: int) -> Answer:
        return self.call("POST", f"{job}/documents/confirm-upload", {"document_id": document})

    def close(self) -> None:
        self.http.close()


def put(upload: Any) -> int:
    """The status of a PUT to the presigned URL, on a new connection."""
    with urllib3.PoolManager(retries=False, timeout=SECONDS_TO_ANSWER) as http:
        headers = upload["upload_headers"]
        return http.request("PUT", upload["upload_url"], body=CONTENT, headers=headers).status


def print_figures(*lines: str) -> None:
    """Print figures of the test, shown by ``pytest -s``."""
    print("", *lines, sep="\n")  # noqa: T201


def unique(what: str = "key") -> str:
    return f"{what}-{uuid.uuid4().hex}"


def statuses(answers: Sequence[Answer]) -> list[int]:
    return sorted(answer.status for answer in answers)


def fault_of(answer: Answer, status: int = 503) -> str | None:
    """What is wrong with an error response, or None."""
    if answer.status != status:
        return f"{answer.status} {answer.body[:200]!r}, not {status}"
    try:
        error = answer.json
    except ValueError:
        return f"{answer.body[:200]!r} is not JSON"
    if not {"error", "message"} <= error.keys() <= {"error", "message", "details"}:
        return f"{error} is not of the shape of errors"
    if status in (429, 503) and int(answer.headers.get("Retry-After", 0)) < 1:
        return "there is no Retry-After"
    return None
