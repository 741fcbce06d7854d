"""Saved views: a name, and JSON data of the client."""

import json
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from jobtracker.saved_views.models import SavedView
from tests.common.api import Api

PATH = "/saved-views"
DATA = {"filters": {"status": ["applied"], "q": "Zürich \U0001f600"}, "columns": [], "wide": True}


def make(api: Api, name: str = "Mine", data: Any = None) -> dict:
    return api.post(PATH, {"name": name, "data": DATA if data is None else data}, status=201).json


def nested(depth: int) -> dict:
    """A JSON object with that many levels."""
    value: Any = {}
    for level in range(depth - 1):
        value = [value] if level % 2 and level < depth - 2 else {"a": value}
    return value


class TestCreate:
    def test_post_view_answers_the_view_and_its_location(self, ada: Api, bob: Api):
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
    def test_numbers_in_data_keep_type_and_value(self, ada: Api, number: float):
        view = make(ada, data={"n": number})
        for answer in (view, ada.get(f"{PATH}/{view['id']}").json):
            assert repr(answer["data"]["n"]) == repr(number)

    def test_number_with_an_exponent_is_accepted(self, ada: Api):
        view = ada.post(PATH, b'{"name": "x", "data": {"n": 1e22, "m": -1E+2}}').json
        assert ada.get(f"{PATH}/{view['id']}").json["data"] == {"n": 1e22, "m": -100}

    @pytest.mark.parametrize("data", [{}, {"": None}, {"a": [[], {}, None, "", " x "]}, nested(32)])
    def test_post_view_accepts_any_json_object(self, ada: Api, data: dict):
        view = make(ada, data=data)
        assert ada.get(f"{PATH}/{view['id']}").json["data"] == data

    @pytest.mark.parametrize("character", ["x", "\u00fc", "\U0001f600", '"', "\x01", "\\", "/"])
    def test_post_view_accepts_data_of_16_kib_and_no_more(self, ada: Api, character: str):
        one = len(json.dumps(character, ensure_ascii=False).encode()) - 2
        room = 16 * 1024 - len('{"a":""}')
        text = character * (room // one) + "y" * (room % one)
        view = make(ada, "x" * 80, {"a": text})
        assert ada.get(f"{PATH}/{view['id']}").json["data"] == {"a": text}
        body = {"name": "y", "data": {"a": text + "z"}}
        assert ada.field_errors("POST", PATH, body) == {"data": "too_long"}

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
    def test_post_view_with_an_invalid_field_answers_422(
        self, ada: Api, field: str, value: object, kind: str
    ):
        body = {"name": "Mine", "data": {}, field: value}
        assert ada.field_errors("POST", PATH, body) == {field: kind}
        assert ada.get(PATH).json == []

    def test_post_view_refuses_numbers_out_of_range(self, ada: Api):
        for number in (b"1e400", b"-1e999999999"):
            body = b'{"name": "x", "data": {"n": ' + number + b"}}"
            assert ada.field_errors("POST", PATH, body) == {"data": "number_range"}
        for number in (b"NaN", b"-Infinity", b"1" * 10_000):
            ada.refused(400, "POST", PATH, b'{"name": "x", "data": {"n": ' + number + b"}}")

    def test_post_view_with_an_existing_name_answers_409(self, ada: Api, bob: Api):
        make(ada, "Remote")
        body = {"name": " Remote ", "data": {}}
        error = ada.refused(409, "POST", PATH, body)
        assert "already exists" in error["message"]
        assert error["error"] == "CONFLICT"
        make(bob, "Remote")
        assert [view["name"] for view in ada.get(PATH).json] == ["Remote"]

    def test_post_view_beyond_the_maximum_answers_409(self, ada: Api, db: Session):
        user_id = ada.get("/users/me").json["id"]
        db.add_all(SavedView(user_id=user_id, name=str(number), data={}) for number in range(100))
        db.commit()
        error = ada.refused(409, "POST", PATH, {"name": "One more", "data": {}})
        assert error["message"] == "You can have at most 100 saved views."
        ada.delete(f"{PATH}/{ada.get(PATH).json[0]['id']}")
        make(ada)


class TestChange:
    def test_patch_view_changes_the_name(self, ada: Api):
        view = make(ada)
        path = f"{PATH}/{view['id']}"
        changed = ada.patch(path, {"name": " Other "}, status=200).json
        assert changed == {**view, "name": "Other", "updated_at": changed["updated_at"]}
        assert changed["updated_at"] > view["updated_at"]
        assert ada.get(path).json == changed

    def test_patch_view_replaces_the_data(self, ada: Api):
        path = f"{PATH}/{make(ada, data={'filters': {'q': 'x'}, 'wide': True})['id']}"
        changed = ada.patch(path, {"data": {"filters": {"tag": None}}}).json
        assert changed["data"] == {"filters": {"tag": None}}
        assert ada.get(path).json == changed

    @pytest.mark.parametrize(
        "patch", [{}, {"name": " Mine "}, {"data": {"b": [1, True], "a": {"x": 1.5}}}]
    )
    def test_patch_view_with_equal_values_leaves_updated_at(self, ada: Api, patch: dict):
        view = make(ada, data={"a": {"x": 1.5}, "b": [1, True]})
        path = f"{PATH}/{view['id']}"
        assert ada.patch(path, patch).json == view
        assert ada.get(path).json == view

    @pytest.mark.parametrize(("before", "after"), [(True, 1), (0, False), (1, 1.0), ([1], [True])])
    def test_patch_view_distinguishes_json_types_that_python_compares_equal(
        self, ada: Api, before: Any, after: Any
    ):
        view = make(ada, data={"a": before})
        path = f"{PATH}/{view['id']}"
        changed = ada.patch(path, {"data": {"a": after}}).json
        assert repr(ada.get(path).json["data"]) == repr({"a": after})
        assert changed["updated_at"] > view["updated_at"]

    def test_patch_view_to_an_existing_name_answers_409(self, ada: Api):
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
    def test_patch_view_with_an_invalid_field_answers_422(
        self, ada: Api, field: str, value: object, kind: str
    ):
        view = make(ada)
        path = f"{PATH}/{view['id']}"
        assert ada.field_errors("PATCH", path, {"name": "x", field: value}) == {field: kind}
        assert ada.get(path).json == view


def test_list_views_orders_by_latest_change(ada: Api, db: Session):
    views = [make(ada, name) for name in "abc"]
    ada.patch(f"{PATH}/{views[0]['id']}", {"data": {}})
    assert [view["name"] for view in ada.get(PATH).json] == ["a", "c", "b"]
    db.execute(update(SavedView).values(updated_at=views[0]["updated_at"]))
    db.commit()
    assert [view["name"] for view in ada.get(PATH).json] == ["c", "b", "a"]


def test_deleted_view_answers_404_and_frees_its_name(ada: Api):
    view = make(ada)
    path = f"{PATH}/{view['id']}"
    assert ada.delete(path, status=204).body == b""
    assert ada.get(PATH).json == []
    for method in ("GET", "PATCH", "DELETE"):
        ada.refused(404, method, path, {"name": "x"})
    make(ada)  # its name is free again


def test_view_of_another_user_answers_404(ada: Api, bob: Api):
    view = make(bob)
    for method in ("GET", "PATCH", "DELETE"):
        ada.refused(404, method, f"{PATH}/{view['id']}", {"name": "x"})
    assert bob.get(PATH).json == [view]


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Mine", "MINE"),
        ("Z\u00fcrich", "zu\u0308rich"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u03bf\u03b4\u03cc\u03c2", "\u039f\u0394\u038c\u03a3"),
        ("New York", "new\u00a0york"),
        ("DevOps", "Dev\u200bOps"),
    ],
)
def test_second_view_of_the_same_name_in_another_form_answers_409(ada: Api, name: str, same: str):
    view = make(ada, name)
    ada.refused(409, "POST", PATH, {"name": same, "data": {}})
    other = make(ada, "Other")
    ada.refused(409, "PATCH", f"{PATH}/{other['id']}", {"name": same})
    ada.patch(f"{PATH}/{view['id']}", {"name": same})
    assert len(ada.get(PATH).json) == 2
