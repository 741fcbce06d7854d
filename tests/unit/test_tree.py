"""The resource tree: traversal, and children declared elsewhere."""

from types import SimpleNamespace
from typing import Any

import pytest

from jobtracker.errors import Unauthorized
from jobtracker.jobs.resources import JobCollection, JobResource
from jobtracker.saved_views.resources import SavedViewCollection
from jobtracker.tree import Collection, Resource, Root
from jobtracker.users.resources import UserCollection, UserResource


@pytest.fixture
def root() -> Any:
    """A tree for a request of user 7."""
    return Root(SimpleNamespace(identity=SimpleNamespace(id=7), authenticated_userid="a-sub"))


def test_unknown_child_raises_key_error(root: Any):
    for name in ("nothing", "", "..", "children", "__acl__", "jobs/1"):
        with pytest.raises(KeyError):
            root[name]
    assert isinstance(root["users"]["me"], UserResource)
    with pytest.raises(KeyError):
        root["users"]["you"]


def test_owner_only_resource_without_a_user_raises_unauthorized():
    anonymous = SimpleNamespace(authenticated_userid=None)
    for private in (JobCollection, UserCollection, SavedViewCollection):
        (name,) = (name for name, kind in Root.children.items() if kind is private)
        with pytest.raises(Unauthorized):
            Root(anonymous)[name]


@pytest.mark.parametrize("key", ["x", "", "0", "-1", 0, -1, 2**63, str(2**63), "1.0", "9" * 99])
def test_malformed_id_raises_key_error_without_a_query(root: Any, key: str | int):
    class Rows(Collection):
        def find(self, row_id: int) -> Resource:
            raise AssertionError(row_id)

    with pytest.raises(KeyError):
        Rows(root, "rows")[key]


@pytest.mark.parametrize("key", [1, "1", 2**63 - 1, str(2**63 - 1)])
def test_id_is_an_integer_or_its_digits(root: Any, key: str | int):
    class Rows(Collection):
        def find(self, row_id: int) -> Resource:
            return Resource(self, str(row_id))

    found = Rows(root, "rows")[key]
    assert found.__name__ == str(key)
    assert found.request is root.request


def test_collection_has_named_children_beside_its_rows(root: Any):
    class Rows(Collection):
        pass

    class Sum(Resource, under=Rows, name="sum"):
        pass

    assert isinstance(Rows(root, "rows")["sum"], Sum)
    with pytest.raises(KeyError):
        Rows(root, "rows")[7]


def test_new_kind_of_child_is_found_by_its_declaration(root: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(JobResource, "children", dict(JobResource.children))

    class Offers(Resource, under=JobResource, name="offers"):
        pass

    job = JobResource(JobCollection(root, "jobs"), SimpleNamespace(id=1))  # type: ignore[arg-type]
    assert isinstance(job["offers"], Offers)
    assert job["offers"].__parent__ is job
