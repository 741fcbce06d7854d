"""The response cache: no response of another user, of another query, or out of date."""

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from webtest import TestResponse

from tests.common.api import Api
from tests.common.conditional import send


def test_cached_response_is_not_shared_between_users_and_queries(client: Api, other_client: Api):
    for name, api in (("ada", client), ("bob", other_client)):
        for number in range(3):
            body = {"company_name": f"{name}{number}", "job_title": "x", "tags": [f"t{number}"]}
            api.post("/jobs", body)
    for _ in range(2):
        for name, api in (("ada", client), ("bob", other_client)):
            for number in range(3):
                for path in (f"/jobs?tag=t{number}", f"/jobs?q={name}{number}"):
                    (found,) = send(api, path).json
                    assert found["company_name"] == f"{name}{number}"
                assert len(send(api, f"/jobs?limit={number + 1}").json) == number + 1
            assert len(send(api, "/jobs?").json) == 3
            other_etag = send(other_client if api is client else client, "/jobs").headers["ETag"]
            assert send(api, "/jobs", If_None_Match=other_etag).status_code == 200


def test_no_response_is_older_than_an_acknowledged_write(client: Api, other_client: Api):
    """Two users write and read concurrently, and no read is older than a write that was
    acknowledged before it began."""
    users = []
    for name, api in (("ada", client), ("bob", other_client)):
        job_id = api.post("/jobs", {"company_name": name, "job_title": "0"}).json["id"]
        users.append((name, api, f"/jobs/{job_id}"))
    acknowledged = {"ada": 0, "bob": 0}
    is_over = Event()

    def write(name: str, api: Api, job: str) -> None:
        own = {"Authorization": f"Bearer {api.token}"}
        for number in range(1, 41):
            api.app.request(
                job,
                method="PATCH",
                headers={**own, "Content-Type": "application/json"},
                body=b'{"job_title": "%d"}' % number,
            )
            acknowledged[name] = number

    def read(seed: int) -> int:
        rng = random.Random(seed)  # noqa: S311
        known: dict[tuple[str, str], TestResponse] = {}
        times = 0
        while not is_over.is_set():
            name, api, job = rng.choice(users)
            path = rng.choice(
                [job, "/jobs", "/jobs?limit=1", "/jobs/board", f"{job}/details", f"/jobs?q={name}"]
            )
            old = known.get((name, path)) if rng.random() < 0.7 else None
            headers = {"If_None_Match": old.headers["ETag"]} if old is not None else {}
            least = acknowledged[name]
            answer = send(api, path, **headers)
            if answer.status_code == 304:
                assert old is not None
                assert answer.headers["ETag"] == old.headers["ETag"]
                answer = old
            assert answer.status_code == 200
            body = answer.json
            body = body[0] if isinstance(body, list) else body
            body = body.get("jobs", [body])[0]
            body = body.get("job", body)
            assert body["company_name"] == name
            assert int(body["job_title"]) >= least, path
            known[name, path] = answer
            times += 1
        return times

    with ThreadPoolExecutor(6) as threads:
        readers = [threads.submit(read, seed) for seed in range(4)]
        writers = [threads.submit(write, *one) for one in users]
        try:
            for writer in writers:
                writer.result()
        finally:
            is_over.set()
        assert sum(reader.result() for reader in readers) > 50
    for name, api, job in users:
        assert api.get(job).json["job_title"] == "40", name
