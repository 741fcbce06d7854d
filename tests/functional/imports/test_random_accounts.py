"""Random accounts with odd text come back as they were."""

import datetime
import itertools
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobtracker.jobs.models import ACTIVITY_TYPES, Status
from tests.common.api import Api
from tests.common.exports import Archive, download
from tests.common.import_rows import archive, document, event, interview, job, note, step, view
from tests.common.imports import comparable, run
from tests.common.tasks import run_tasks
from tests.common.user_pool import MotoUserPool

NUMBERS = itertools.count()
# Something is visible in it, and it is no surrogate and no NUL.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30).map(
    lambda text: f"x{text}y"
)
TIME = st.datetimes(
    min_value=datetime.datetime(1970, 1, 2),  # noqa: DTZ001
    max_value=datetime.datetime(2100, 1, 1),  # noqa: DTZ001
).map(lambda time: time.isoformat() + "Z")
TRASH = st.one_of(
    st.just({"trashed_at": None, "trash_reason": None}),
    st.fixed_dictionaries(
        {"trashed_at": TIME, "trash_reason": st.sampled_from(["user", "retention", "import"])}
    ),
)
DATA = st.dictionaries(TEXT, st.one_of(TEXT, st.booleans(), st.floats(-1e300, 1e300)), max_size=3)


def of(*rows: Any) -> st.SearchStrategy[Any]:
    return st.lists(st.tuples(*rows), max_size=3)


JOBS = st.lists(
    st.fixed_dictionaries(
        {
            "fields": st.tuples(TEXT, TEXT, TIME, TRASH, st.lists(TEXT, max_size=3)),
            "steps": st.lists(st.tuples(st.sampled_from(Status), TIME), min_size=1, max_size=3),
            "notes": of(TEXT, TIME, TRASH),
            "interviews": of(TEXT, TIME, TRASH),
            "events": of(st.sampled_from(ACTIVITY_TYPES), TEXT, TIME, DATA),
            "documents": of(TEXT, TIME, TRASH, st.binary(min_size=1, max_size=20)),
        }
    ),
    max_size=4,
)
VIEWS = st.lists(st.tuples(DATA, TIME, TRASH), max_size=3)


def archive_of(jobs: list[Any], views: list[Any]) -> bytes:
    ids = itertools.count(1)
    rows: dict[str, list[Any]] = {
        name: [] for name in ("jobs", "history", "activity", "notes", "interviews", "documents")
    }
    files = {}
    for number, each in enumerate(jobs, 1):
        company, title, time, trash, tags = each["fields"]
        names = {"company_name": f"{number}{company}", "job_title": title, "tags": tags}
        rows["jobs"].append(job(number, **names, created_at=time, **trash))
        for status, at in each["steps"]:
            rows["history"].append(step(next(ids), number, status=status, at=at, created_at=at))
        for kind, message, at, data in each["events"]:
            what = {"type": kind, "message": message, "data": data}
            rows["activity"].append(event(next(ids), number, created_at=at, **what))
        for body, at, of_row in each["notes"]:
            rows["notes"].append(note(next(ids), number, body=body, created_at=at, **of_row))
        for text, at, of_row in each["interviews"]:
            texts = {"notes": text, "scheduled_at": at}
            rows["interviews"].append(interview(next(ids), number, **texts, **of_row))
        for name, at, of_row, content in each["documents"]:
            row_id = next(ids)
            path = f"documents/{row_id}/x"
            files[path] = content
            what = {"original_filename": name, "doc_type": "thank_you", "file": path}
            sizes = {"size_bytes": len(content), "uploaded_at": at}
            rows["documents"].append(document(row_id, number, **what, **sizes, **of_row))
    saved = [
        view(number, data=data, created_at=at, **trash)
        for number, (data, at, trash) in enumerate(views, 1)
    ]
    return archive(files, saved_views=saved, **rows)


def exported(app: Any, api: Api) -> bytes:
    location = api.post("/exports", {}, status=202).headers["Location"]
    run_tasks(app)
    return download(api, "/exports/" + location.rpartition("/")[2])


@settings(
    max_examples=3,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(jobs=JOBS, views=VIEWS)
def test_export_of_an_import_of_an_export_is_equal(
    committing_app: Any, client: Api, user_pool: MotoUserPool, jobs: list[Any], views: list[Any]
):
    first, second = (
        client.signed_in(user_pool.user(f"random-{next(NUMBERS)}@example.com", "x").access_token)
        for _ in range(2)
    )
    made = run(committing_app, first, archive_of(jobs, views))
    assert made["state"] == "done", made
    data = exported(committing_app, first)
    assert run(committing_app, second, data)["state"] == "done"
    assert comparable(Archive(exported(committing_app, second))) == comparable(Archive(data))
    assert run(committing_app, second, data)["report"]["made"] == {}
