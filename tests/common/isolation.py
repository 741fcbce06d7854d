"""The isolation of users: checks of every endpoint there is, whatever its resources are."""

from typing import Any

from jobtracker.permissions import Permission
from tests.common.api import SAME_REQUEST_ID, Api
from tests.common.endpoints import PLACEHOLDER, endpoints, example_ids, fill, missing_ids


def assert_token_required(anonymous: Api, owner: Api) -> None:
    """Without a token, what exists and what does not answer the same 401."""
    existing = example_ids(owner)
    for endpoint in endpoints():
        if endpoint.permission is not Permission.PUBLIC:
            for ids in (existing, missing_ids()):
                anonymous.call(endpoint.method, fill(endpoint.template, ids), {}, status=401)


def assert_hidden_from_others(owner: Api, other: Api) -> None:
    """Another user's request answers as for a missing resource, to the last byte, and changes
    nothing, also where the resource's parents are the other user's own."""
    ids, others, missing = example_ids(owner), example_ids(other), missing_ids()
    assert ids.keys() == others.keys() == missing.keys()
    before = _resources(owner, ids)
    for endpoint in endpoints():
        names = PLACEHOLDER.findall(endpoint.template)
        for tried in (ids, {**others, names[-1]: ids[names[-1]]}) if names else ():
            hidden, absent = (
                other.call(
                    *(endpoint.method, fill(endpoint.template, each), {}),
                    status=404,
                    headers=SAME_REQUEST_ID,
                )
                for each in (tried, missing)
            )
            assert hidden.body == absent.body, endpoint
            assert hidden.headers == absent.headers, endpoint
    assert _resources(owner, ids) == before


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
