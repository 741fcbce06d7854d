"""If-Match: a change of an outdated version is refused with 412, and no change is lost."""

from typing import Any

import pytest
from webtest import TestResponse

from tests.common.api import Api, statuses
from tests.common.concurrency import repeat_concurrently
from tests.common.conditional import UserData


def if_match(etag: str) -> dict[str, str]:
    return {"If-Match": etag}


def without_notes(job: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in job.items() if name != "notes"}


def test_outdated_if_match_answers_412_with_the_current_job(client: Api, job: str):
    known = client.get(job).headers["ETag"]
    first = client.patch(job, {"location": "Graz"}, headers=if_match(known), status=200)
    present = without_notes(client.get(job).json)
    for body in ({"location": "Linz"}, {"location": "Graz"}, {"status": "offer"}, {}):
        error = client.refused(412, "PATCH", job, body, headers=if_match(known))
        assert error["error"] == "PRECONDITION_FAILED"
        assert error["details"] == {"current": present}
        assert without_notes(client.get(job).json) == present
    second = client.patch(
        job, {"location": "Linz"}, headers=if_match(first.headers["ETag"]), status=200
    )
    assert second.headers["ETag"] not in (first.headers["ETag"], known)
    # A request without If-Match succeeds.
    third = client.patch(job, {"status": "offer"})
    client.refused(412, "PATCH", job, {}, headers=if_match(second.headers["ETag"]))
    same = client.patch(job, {"status": "offer"}, headers=if_match(third.headers["ETag"]))
    assert same.headers["ETag"] == third.headers["ETag"]
    assert client.get(job).json["location"] == "Linz"


def test_version_of_a_job_changes_only_with_the_job_itself(client: Api, user_data: UserData):
    known = client.get(user_data.job).headers["ETag"]
    client.post(f"{user_data.job}/notes", {"body": "x"})
    client.post("/jobs", {"company_name": "x", "job_title": "y"})
    client.put("/users/me/settings", {"theme": "light"})
    client.patch(f"{user_data.job}/interviews/{user_data.ids['interview_id']}", {"notes": "x"})
    user_data.confirm_upload()
    client.post(f"{user_data.job}/history", {"status": "saved", "at": "2026-01-01T00:00:00Z"})
    assert client.get(user_data.job).headers["ETag"] != known
    after = client.patch(user_data.job, {"location": "Graz"}, headers=if_match(known), status=200)
    # The latest step changes the job.
    client.post(f"{user_data.job}/history", {"status": "offer"})
    etag = if_match(after.headers["ETag"])
    error = client.refused(412, "PATCH", user_data.job, {"location": "x"}, headers=etag)
    assert error["details"]["current"]["status"] == "offer"


def test_if_match_of_the_current_version_succeeds(client: Api):
    for given in (
        *("{etag}", '"a", {etag}', '{etag},"a"', '"0-x", {etag}, W/"b"', "*", " * "),
        *("W/{etag}", '"a" , W/{etag}', "\t{etag}\t,", 'garbage, "0", {etag}'),
        # Of Apache, Caddy, lighttpd; Jetty; LiteSpeed; nginx in front of one of them.
        *('"{bare}-gzip"', '"{bare}-br"', '"{bare}-zstd"', '"{bare}--gzip"', '"{bare};gzip"'),
        *('"{bare};br"', 'W/"{bare}-gzip"', '"a", W/"{bare}--gzip"', '"{bare}:zstd"'),
    ):
        path = client.post("/jobs", {"company_name": "Acme", "job_title": "x"}).headers["Location"]
        etag = client.get(path).headers["ETag"]
        for location in ("Linz", "Graz"):  # the ETag of a GET, and that of a PATCH
            headers = if_match(given.format(etag=etag, bare=etag.strip('"')))
            body = {"location": location}
            etag = client.patch(path, body, headers=headers, status=200).headers["ETag"]
        headers = if_match(given.format(etag=etag, bare=etag.strip('"')))
        client.delete(path, headers=headers, status=204)


@pytest.mark.parametrize("path", ["job", "/users/me/settings"])
def test_if_match_of_another_version_answers_412(client: Api, job: str, path: str):
    path = job if path == "job" else path
    body = {"location": "Linz"} if path == job else {"theme": "light"}
    stale = client.get(path).headers["ETag"]
    client.call("PATCH" if path == job else "PUT", path, dict.fromkeys(body, "system"))
    now = client.get(path)
    etag = now.headers["ETag"]
    for given in (
        *(stale, f"W/{stale}", f'W/{stale}, "a"', etag.strip('"'), "garbage", "", ","),
        *(f'"{stale[1:-1]}{suffix}"' for suffix in ("-gzip", "--gzip", ";br", "-zstd")),
        *(
            '"gzip"',
            '"-gzip"',
            '";gzip"',
            'W/"-br"',
            f'"x{etag[1:]}',
            f'"{etag[1:-1].partition("-")[0]}.5"',
        ),
        *('""', '"-"', '"*"', '"-1"', f'"{"9" * 26}"', '"9223372036854775808"', "\u00fc"),
        *('"\u00b2"', '"a", ' * 2000, '"' * 5001),
    ):
        for method in ("PATCH", "DELETE") if path == job else ("PUT",):
            client.refused(412, method, path, body, headers=if_match(given))
    assert client.get(path).body == now.body


def test_if_match_on_a_missing_job_answers_404(client: Api, other_client: Api, job: str):
    for method in ("PATCH", "DELETE"):
        for given in ('"1"', "*", "W/x"):
            other_client.refused(404, method, job, {}, headers=if_match(given))


def test_one_of_two_concurrent_patches_with_if_match_succeeds(client: Api, job: str):
    for turn in range(6):
        known = if_match(client.get(job).headers["ETag"])

        def patch(number: int, turn: int = turn, known: dict[str, str] = known) -> TestResponse:
            body = {"location": f"{turn} {number}"}
            return client.patch(job, body, headers=known, status="*")

        answers = repeat_concurrently(patch, 2)
        assert statuses(answers) == [200, 412]
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        assert lost.json["details"]["current"] == won.json == without_notes(client.get(job).json)


def test_one_of_two_equal_concurrent_patches_with_if_match_succeeds(client: Api, job: str):
    for turn in range(3):
        known = if_match(client.get(job).headers["ETag"])

        def patch(_number: int, turn: int = turn, known: dict[str, str] = known) -> TestResponse:
            return client.patch(job, {"location": str(turn)}, headers=known, status="*")

        assert statuses(repeat_concurrently(patch, 2)) == [200, 412]


def test_either_delete_or_patch_with_if_match_succeeds(client: Api):
    for turn in range(4):
        made = client.post("/jobs", {"company_name": "Acme", "job_title": "x"})
        path = f"/jobs/{made.json['id']}"
        known = if_match(client.get(path).headers["ETag"])

        def call(number: int, path: str = path, known: dict[str, str] = known) -> TestResponse:
            if number:
                return client.call("DELETE", path, headers=known, status="*")
            return client.patch(path, {"location": "x"}, headers=known, status="*")

        assert statuses(repeat_concurrently(call, 2)) in ([200, 412], [204, 404]), turn


def test_delete_with_an_outdated_if_match_answers_412(client: Api, job: str):
    known = client.get(job).headers["ETag"]
    now = client.patch(job, {"location": "Graz"})
    error = client.refused(412, "DELETE", job, headers=if_match(known))
    assert error["details"]["current"] == now.json
    client.delete(job, headers=if_match(now.headers["ETag"]), status=204)
    client.refused(404, "DELETE", job, headers=if_match(now.headers["ETag"]))


def test_put_settings_with_an_outdated_if_match_answers_412(client: Api):
    path = "/users/me/settings"
    known = client.get(path).headers["ETag"]
    # Other changes leave the version of the settings.
    client.patch("/users/me/ui-preferences", {"preferences": {"a": True}})
    client.post("/jobs", {"company_name": "x", "job_title": "y"})
    first = client.put(path, {"theme": "light"}, headers=if_match(known), status=200)
    present = client.get(path).json
    for body in ({"theme": "system"}, {"theme": "light"}, {}):
        error = client.refused(412, "PUT", path, body, headers=if_match(known))
        assert error["error"] == "PRECONDITION_FAILED"
        assert error["details"] == {"current": present}
    assert client.get(path).json == present
    etag = first.headers["ETag"]
    weak, compressed = f"W/{known}", f'"{known[1:-1]}-gzip"'
    for given in (weak, compressed, f"{weak}, {compressed}"):
        client.refused(412, "PUT", path, {"theme": "system"}, headers=if_match(given))
    for given in (f"W/{etag}", f'"{etag[1:-1]}-gzip"', f'"{etag[1:-1]};br"'):
        client.put(path, {"theme": "light"}, headers=if_match(given), status=200)
    second = client.put(path, {"theme": "system"}, headers=if_match(etag), status=200)
    client.put(path, {"theme": "dark"}, headers=if_match(f'"a", {second.headers["ETag"]}'))
    client.put(path, {"theme": "light"}, headers=if_match("*"), status=200)

    paces = (10, 30, 60)
    for pace in paces:
        known_now = if_match(client.get(path).headers["ETag"])

        def put(number: int, pace: int = pace, known: dict[str, str] = known_now) -> TestResponse:
            body = {"auto_refresh_seconds": pace, "data_retention_days": number}
            return client.put(path, body, headers=known, status="*")

        answers = repeat_concurrently(put, 2)
        assert statuses(answers) == [200, 412]
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        won_body = {name: value for name, value in won.json.items() if name != "message"}
        assert lost.json["details"]["current"] == won_body == client.get(path).json


def test_concurrent_puts_of_different_settings_are_all_kept(client: Api):
    path = "/users/me/settings"
    given: list[dict[str, Any]] = [
        *({"theme": "light"}, {"auto_refresh_seconds": 30}),
        *({"default_jobs_sort": "company_asc"}, {"data_retention_days": 7}),
    ]
    client.get(path)
    answers = repeat_concurrently(
        lambda number: client.put(path, given[number], status="*"), len(given)
    )
    assert statuses(answers) == [200] * len(given)
    after = client.get(path).json
    for some in given:
        assert after.items() >= some.items()


def test_concurrent_patches_of_the_same_fields_are_atomic(client: Api, job: str):
    fields = ("company_name", "job_title", "location", "next_action_title")

    def patch(number: int) -> TestResponse:
        return client.patch(job, dict.fromkeys(fields, f"{turn} by {number}"), status="*")

    for turn in range(3):
        answers = repeat_concurrently(patch)
        assert statuses(answers) == [200] * len(answers)
        for number, answer in enumerate(answers):
            assert {answer.json[name] for name in fields} == {f"{turn} by {number}"}
        assert len({client.get(job).json[name] for name in fields}) == 1


def test_concurrent_increments_with_if_match_lose_no_update(client: Api, job: str):
    """Read, increment, and write if unchanged, in several threads."""

    def count(_number: int) -> TestResponse:
        while True:
            seen = client.get(job)
            body = {"next_action_title": str(int(seen.json["next_action_title"] or 0) + 1)}
            answer = client.patch(job, body, headers=if_match(seen.headers["ETag"]), status="*")
            if answer.status_code == 200:
                return answer
            assert answer.status_code == 412

    answers = repeat_concurrently(count, 6)
    assert statuses(answers) == [200] * 6
    assert client.get(job).json["next_action_title"] == "6"
    assert sorted(int(answer.json["next_action_title"]) for answer in answers) == [*range(1, 7)]
