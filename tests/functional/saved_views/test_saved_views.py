"""Saved views: named, and holding whatever JSON the client puts into them."""

import json
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from jobtracker.saved_views.models import MAX_VIEWS, SavedView
from tests.common.api import Api

PATH = "/saved-views"
DATA = {"filters": {"status": ["applied"], "q": "Zürich \U0001f600"}, "columns": [], "wide": True}


def make(api: Api, name: str = "Mine", data: Any = None) -> dict:
    return api.post(PATH, {"name": name, "data": DATA if data is None else data}, status=201).json


def nested(depth: int) -> dict:
    """An object of that many levels."""
    value: Any = {}
    for level in range(depth - 1):
        value = [value] if level % 2 and level < depth - 2 else {"a": value}
    return value


class TestCreate:
    def test_answers_the_view_and_where_it_is(self, ada: Api, bob: Api):
        response = ada.post(PATH, {"name": "  Remote, waiting\n", "data": DATA}, status=201)
        view = response.json
        assert view == {
            "id": view["id"],
            "name": "Remote, waiting",
            "data": DATA,
            "created_at": view["created_at"],
            "updated_at": view["created_at"],
        }
        assert response.headers["Location"].endswith(f"{PATH}/{view['id']}")
        assert ada.get(response.headers["Location"]).json == view
        assert ada.get(PATH).json == [view]
        assert bob.get(PATH).json == []

    @pytest.mark.parametrize("number", [0, -1, 1.0, 0.1, 1.5e300, 5e-324, 2**63 - 1, -(2**63)])
    def test_numbers_stay_what_they_are(self, ada: Api, number: float):
        view = make(ada, data={"n": number})
        for answer in (view, ada.get(f"{PATH}/{view['id']}").json):
            assert repr(answer["data"]["n"]) == repr(number)

    def test_an_exponent_is_a_number(self, ada: Api):
        view = ada.post(PATH, b'{"name": "x", "data": {"n": 1e22, "m": -1E+2}}').json
        assert ada.get(f"{PATH}/{view['id']}").json["data"] == {"n": 1e22, "m": -100}

    @pytest.mark.parametrize("data", [{}, {"": None}, {"a": [[], {}, None, "", " x "]}, nested(32)])
    def test_takes_any_object(self, ada: Api, data: dict):
        view = make(ada, data=data)
        assert ada.get(f"{PATH}/{view['id']}").json["data"] == data

    @pytest.mark.parametrize("character", ["x", "\u00fc", "\U0001f600", '"', "\x01", "\\", "/"])
    def test_takes_16_kib(self, ada: Api, character: str):
        one = len(json.dumps(character, ensure_ascii=False).encode()) - 2
        room = 16 * 1024 - len('{"a":""}')
        text = character * (room // one) + "y" * (room % one)
        view = make(ada, "x" * 80, {"a": text})
        assert ada.get(f"{PATH}/{view['id']}").json["data"] == {"a": text}
        body = {"name": "y", "data": {"a": text + "z"}}
        assert ada.fields_at_fault("POST", PATH, body) == {"data": "too_long"}

    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("name", None, "missing"),
            ("name", " \t", "missing"),
            ("name", "x" * 81, "string_too_long"),
            ("name", 1, "string_type"),
            ("name", "a\0", "string_characters"),
            ("data", None, "missing"),
            ("data", [], "dict_type"),
            ("data", "{}", "dict_type"),
            ("data", {"a": "\0"}, "string_characters"),
            ("data", {"a\0": 1}, "string_characters"),
            ("data", {"a": [{"\ud800": 1}]}, "string_characters"),
            ("data", {"a": [["\udfff"]]}, "string_characters"),
            ("data", {"a": 2**63}, "number_range"),
            ("data", {"a": [-(2**63) - 1]}, "number_range"),
            ("data", {"a": 10**4000}, "number_range"),
            ("data", nested(33), "too_deep"),
            ("data", nested(900), "too_deep"),
            ("data", {"a": "x" * 20_000}, "too_long"),
            ("user_id", 1, "extra_forbidden"),
        ],
    )
    def test_refuses(self, ada: Api, field: str, value: object, kind: str):
        body = {"name": "Mine", "data": {}, field: value}
        assert ada.fields_at_fault("POST", PATH, body) == {field: kind}
        assert ada.get(PATH).json == []

    def test_refuses_numbers_beyond_all_bounds(self, ada: Api):
        for number in (b"1e400", b"-1e999999999"):
            body = b'{"name": "x", "data": {"n": ' + number + b"}}"
            assert ada.fields_at_fault("POST", PATH, body) == {"data": "number_range"}
        for number in (b"NaN", b"-Infinity", b"1" * 10_000):
            ada.refused(400, "POST", PATH, b'{"name": "x", "data": {"n": ' + number + b"}}")

    def test_a_name_is_taken_once(self, ada: Api, bob: Api):
        make(ada, "Remote")
        body = {"name": " Remote ", "data": {}}
        error = ada.refused(409, "POST", PATH, body)
        assert "already exists" in error["message"]
        assert error["error"] == "CONFLICT"
        make(ada, "remote")
        make(bob, "Remote")
        assert [view["name"] for view in ada.get(PATH).json] == ["remote", "Remote"]

    def test_only_so_many(self, ada: Api, db: Session):
        user_id = ada.get("/users/me").json["id"]
        db.add_all(
            SavedView(user_id=user_id, name=str(number), data={}) for number in range(MAX_VIEWS)
        )
        db.commit()
        error = ada.refused(409, "POST", PATH, {"name": "One more", "data": {}})
        assert "100" in error["message"]
        ada.delete(f"{PATH}/{ada.get(PATH).json[0]['id']}")
        make(ada)


class TestChange:
    def test_the_name(self, ada: Api):
        view = make(ada)
        path = f"{PATH}/{view['id']}"
        changed = ada.patch(path, {"name": " Other "}, status=200).json
        assert changed == {**view, "name": "Other", "updated_at": changed["updated_at"]}
        assert changed["updated_at"] > view["updated_at"]
        assert ada.get(path).json == changed

    def test_the_data_is_replaced_as_a_whole(self, ada: Api):
        path = f"{PATH}/{make(ada, data={'filters': {'q': 'x'}, 'wide': True})['id']}"
        changed = ada.patch(path, {"data": {"filters": {"tag": None}}}).json
        assert changed["data"] == {"filters": {"tag": None}}
        assert ada.get(path).json == changed

    @pytest.mark.parametrize(
        "patch", [{}, {"name": " Mine "}, {"data": {"b": [1, True], "a": {"x": 1.5}}}]
    )
    def test_what_is_as_it_was_is_no_change(self, ada: Api, patch: dict):
        view = make(ada, data={"a": {"x": 1.5}, "b": [1, True]})
        path = f"{PATH}/{view['id']}"
        assert ada.patch(path, patch).json == view
        assert ada.get(path).json == view

    @pytest.mark.parametrize(("before", "after"), [(True, 1), (0, False), (1, 1.0), ([1], [True])])
    def test_what_is_equal_to_python_alone_is_a_change(self, ada: Api, before: Any, after: Any):
        view = make(ada, data={"a": before})
        path = f"{PATH}/{view['id']}"
        changed = ada.patch(path, {"data": {"a": after}}).json
        assert repr(ada.get(path).json["data"]) == repr({"a": after})
        assert changed["updated_at"] > view["updated_at"]

    def test_to_a_name_that_is_taken(self, ada: Api):
        make(ada, "Remote")
        view = make(ada, "Onsite")
        path = f"{PATH}/{view['id']}"
        error = ada.refused(409, "PATCH", path, {"name": "Remote", "data": {}})
        assert "already exists" in error["message"]
        assert ada.get(path).json == view

    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("name", None, "missing"),
            ("name", "", "missing"),
            ("data", None, "missing"),
            ("data", [1], "dict_type"),
            ("data", {"a": "x" * 20_000}, "too_long"),
            ("id", 1, "extra_forbidden"),
        ],
    )
    def test_refuses(self, ada: Api, field: str, value: object, kind: str):
        view = make(ada)
        path = f"{PATH}/{view['id']}"
        assert ada.fields_at_fault("PATCH", path, {"name": "x", field: value}) == {field: kind}
        assert ada.get(path).json == view


def test_the_one_that_was_changed_last_first(ada: Api, db: Session):
    views = [make(ada, name) for name in "abc"]
    ada.patch(f"{PATH}/{views[0]['id']}", {"data": {}})
    assert [view["name"] for view in ada.get(PATH).json] == ["a", "c", "b"]
    db.execute(update(SavedView).values(updated_at=views[0]["updated_at"]))
    db.commit()
    assert [view["name"] for view in ada.get(PATH).json] == ["c", "b", "a"]


def test_are_forgotten(ada: Api):
    view = make(ada)
    path = f"{PATH}/{view['id']}"
    assert ada.delete(path, status=204).body == b""
    assert ada.get(PATH).json == []
    for method in ("GET", "PATCH", "DELETE"):
        ada.refused(404, method, path, {"name": "x"})
    make(ada)  # its name is free again


def test_of_another_user_are_404(ada: Api, bob: Api):
    view = make(bob)
    for method in ("GET", "PATCH", "DELETE"):
        ada.refused(404, method, f"{PATH}/{view['id']}", {"name": "x"})
    assert bob.get(PATH).json == [view]
