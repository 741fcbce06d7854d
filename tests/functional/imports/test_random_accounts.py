"""Random accounts, with each column of each kind and odd text in them, come back as they were."""

import datetime
import itertools
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobtracker.archive.kinds import ARCHIVE_KINDS, DOCUMENTS, JOBS, Field, Kind
from jobtracker.jobs.models import ACTIVITY_TYPES
from jobtracker.users.models import AUTO_REFRESH_SECONDS, MAX_RETENTION_DAYS
from tests.common.api import Api
from tests.common.exports import Archive, download
from tests.common.import_rows import archive
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
    max_value=datetime.datetime(2026, 1, 1),  # noqa: DTZ001
).map(lambda time: time.isoformat() + "Z")
ANY_TIME = st.datetimes().map(lambda time: time.isoformat() + "Z")
DATA = st.dictionaries(TEXT, st.one_of(TEXT, st.booleans(), st.floats(-1e300, 1e300)), max_size=3)
FLAGS = st.dictionaries(st.from_regex("[a-z0-9_]{1,64}", fullmatch=True), st.booleans(), max_size=3)
#: The columns whose type in the archive allows more than the API.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "auto_refresh_seconds": st.sampled_from(AUTO_REFRESH_SECONDS),
    "data_retention_days": st.integers(0, MAX_RETENTION_DAYS),
    "ui_preferences": FLAGS,
    "type": st.sampled_from(ACTIVITY_TYPES),
    "job_url": st.just("https://example.com/\U0001f44b?a=%C3%A9"),
    "content_type": st.sampled_from(["application/pdf", 'text/plain; a="b"']),
    "version": st.integers(1, 2**53 - 1),
    **dict.fromkeys(("next_action_at", "last_action_at", "scheduled_at"), ANY_TIME),
}


# By the format or the type of JSON.
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "date-time": TIME,
    "date": st.dates().map(str),
    "string": TEXT,
    "array": st.lists(TEXT, max_size=3),
    "object": DATA,
}


def values(field: Field) -> st.SearchStrategy[Any]:
    """Those of a column."""
    schema = field.type.schema
    if field.name in VALUES:
        found = VALUES[field.name]
    elif "enum" in schema:
        found = st.sampled_from(schema["enum"])
    else:
        found = BY_TYPE[schema["format"] if "format" in schema else schema["type"]]
    return st.one_of(st.none(), found) if field.is_nullable else found


def rows(kind: Kind) -> st.SearchStrategy[dict[str, Any]]:
    """Those of a kind, without ids."""
    given_later = ("id", "application_id", "size_bytes", "file")
    fields = {each.name: values(each) for each in kind.fields if each.name not in given_later}
    return st.fixed_dictionaries(fields).map(in_trash_or_not)


def in_trash_or_not(row: dict[str, Any]) -> dict[str, Any]:
    if None in (row.get("trashed_at"), row.get("trash_reason")):
        row |= {name: None for name in ("trashed_at", "trash_reason") if name in row}
    return row


CHILDREN = [kind for kind in ARCHIVE_KINDS if kind.is_of_job]
JOB_TREES = st.lists(
    st.fixed_dictionaries(
        {kind.name: st.lists(rows(kind), min_size=1, max_size=3) for kind in CHILDREN}
        | {JOBS.name: rows(JOBS)}
    ),
    max_size=4,
)
OTHERS = st.fixed_dictionaries(
    {
        kind.name: st.lists(rows(kind), min_size=kind.is_single, max_size=3 - 2 * kind.is_single)
        for kind in ARCHIVE_KINDS
        if kind is not JOBS and kind not in CHILDREN
    }
)


def archive_of(trees: list[Any], others: dict[str, list[Any]]) -> bytes:
    ids = itertools.count(1)
    found: dict[str, list[Any]] = {kind.name: [] for kind in ARCHIVE_KINDS}
    files: dict[str, bytes] = {}
    for number, tree in enumerate(trees, 1):
        name = f"{number} {tree['jobs']['company_name']}"
        found["jobs"].append({**tree["jobs"], "id": number, "company_name": name})
        for kind in CHILDREN:
            for row in tree[kind.name]:
                new = {**row, "id": next(ids), "application_id": number}
                found[kind.name].append(with_file(new, files) if kind is DOCUMENTS else new)
    for view in others["saved_views"]:
        number = next(ids)
        found["saved_views"].append({**view, "id": number, "name": f"{number} {view['name']}"})
    for name in ("settings", "preferences"):
        found[name] = others[name]
    return archive(files, **found)


def with_file(row: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    """The row of a document, with its file if it has one."""
    path = f"documents/{row['id']}/x" if row["status"] == "uploaded" else None
    if path is not None:
        files[path] = bytes([row["id"]]) * row["id"]
    # Several of this type can be current.
    doc_type = "thank_you" if row["trashed_at"] is None else row["doc_type"]
    return {**row, "doc_type": doc_type, "size_bytes": row["id"], "file": path}


def exported(app: Any, api: Api) -> bytes:
    location = api.post("/exports", {}, status=202).headers["Location"]
    run_tasks(app)
    return download(api, "/exports/" + location.rpartition("/")[2])


@settings(
    max_examples=3,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(trees=JOB_TREES, others=OTHERS)
def test_export_of_an_import_of_an_export_is_equal(
    committing_app: Any,
    client: Api,
    user_pool: MotoUserPool,
    trees: list[Any],
    others: dict[str, list[Any]],
):
    first, second = (
        client.signed_in(user_pool.user(f"random-{next(NUMBERS)}@example.com", "x").access_token)
        for _ in range(2)
    )
    made = run(committing_app, first, archive_of(trees, others))
    assert made["state"] == "done", made
    data = exported(committing_app, first)
    Archive(data).assert_valid()
    assert run(committing_app, second, data)["state"] == "done"
    assert comparable(Archive(exported(committing_app, second))) == comparable(Archive(data))
    for on_duplicate in ("skip", "update"):
        again = run(committing_app, second, data, on_duplicate)["report"]
        assert (again["made"], again["updated"]) == ({}, {})
