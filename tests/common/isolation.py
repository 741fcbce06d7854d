"""The isolation of users: checks of every endpoint there is, whatever its resources are."""

from collections.abc import Iterator
from typing import Any

from cornice.service import get_services

from jobtracker.http.service import Operation
from jobtracker.permissions import Permission
from tests.common.api import SAME_REQUEST_ID, Api
from tests.common.endpoints import PLACEHOLDER, endpoints, example_ids, fill, missing_ids
from tests.common.pagination import assert_field_refused, next_path

KEY = "a-key-of-the-owner"


def assert_token_required(anonymous: Api, owner: Api) -> None:
    """Without a token, what exists and what does not answer the same 401."""
    existing = example_ids(owner)
    for endpoint in endpoints():
        if endpoint.permission is not Permission.PUBLIC:
            for ids in (existing, missing_ids()):
                anonymous.call(endpoint.method, fill(endpoint.template, ids), {}, status=401)


def assert_hidden_from_others(owner: Api, other: Api) -> None:
    """Another user's request answers as for a missing resource, to the last byte, and changes
    nothing, also where the resource's parents are the other user's own, and with the owner's
    entity tag or key."""
    ids, others, missing = example_ids(owner), example_ids(other), missing_ids()
    assert ids.keys() == others.keys() == missing.keys()
    before = _resources(owner, ids)
    for endpoint in endpoints():
        names = PLACEHOLDER.findall(endpoint.template)
        # All is the owner's, or the last alone.
        pairs = [(ids, missing)] if names else []
        pairs += [
            ({**others, last: ids[last]}, {**others, last: missing[last]}) for last in names[-1:]
        ]
        for tried, no_such in pairs:
            for headers in _preconditions(owner, fill(endpoint.template, ids)):
                hidden, absent = (
                    other.call(
                        *(endpoint.method, fill(endpoint.template, each), {}),
                        status=404,
                        headers={**SAME_REQUEST_ID, **headers},
                    )
                    for each in (tried, no_such)
                )
                assert hidden.body == absent.body, (endpoint, headers)
                assert hidden.headers == absent.headers, (endpoint, headers)
    assert _resources(owner, ids) == before


def _preconditions(owner: Api, path: str) -> Iterator[dict[str, str]]:
    """Headers that have a meaning for the owner's resource."""
    yield {}
    etag = owner.call("GET", path, status="*").headers.get("ETag", '"1-x"')
    for value in (etag, "*"):
        yield {"If-None-Match": value}
        yield {"If-Match": value}
    yield {"Idempotency-Key": KEY}


def _operations() -> Iterator[tuple[str, Operation]]:
    """The operations that need a token, with the templates of their paths."""
    for service in get_services():
        for operation in service.operations.values():
            if operation.permission is not Permission.PUBLIC:
                yield service.template, operation


def assert_stored_responses_are_separate(owner: Api, other: Api) -> None:
    """A key of another user's request has no stored response, and does not conflict with it."""
    ids, others = example_ids(owner), example_ids(other)
    for template, operation in _operations():
        if not operation.idempotent or operation.body is None or operation.status != 201:
            continue
        key = {"Idempotency-Key": KEY + template}
        body = {**operation.body.example}
        if "name" in body:  # which is unique
            body["name"] = "Another"
        first, again, theirs = (
            client.post(fill(template, own), body, status=201, headers=key)
            for client, own in ((owner, ids), (owner, ids), (other, others))
        )
        assert first.body == again.body
        assert first.headers["Location"] != theirs.headers["Location"], template


def assert_cached_responses_are_separate(owner: Api, other: Api) -> None:
    """An entity tag of another user's is not that of the same path, cached or not."""
    for template, operation in _operations():
        if operation.etag is not None and not PLACEHOLDER.search(template):
            etag = owner.get(template).headers["ETag"]
            own = other.get(template)
            again = other.get(template, headers={"If-None-Match": etag}, status=200)
            assert again.body == own.body, template
            assert etag != own.headers["ETag"], template


def assert_cursors_are_separate(owner: Api, other: Api) -> None:
    """A cursor of another user's is not valid for the same list."""
    ids, others = example_ids(owner), example_ids(other)
    lists = 0
    for template, operation in _operations():
        query = operation.query
        if query is None or "cursor" not in {node.name for node in query.children}:
            continue
        there = next_path(owner.get(f"{fill(template, ids)}?limit=1"))
        if there is None:
            continue
        lists += 1
        owner.get(there)
        cursor = there.partition("?")[2]
        assert_field_refused(other, f"{fill(template, others)}?{cursor}", "cursor")
        if PLACEHOLDER.search(template):
            other.refused(404, "GET", there)
    assert lists > 3


def _resources(owner: Api, ids: dict[str, int]) -> dict[str, Any]:
    """The JSON of all that is under an id, but for URLs that are signed anew each time."""
    paths = {
        fill(endpoint.template, ids)
        for endpoint in endpoints()
        if endpoint.method == "GET"
        and PLACEHOLDER.search(endpoint.template)
        and not endpoint.template.endswith("presign-download")
    }
    return {path: owner.get(path).json for path in paths}
