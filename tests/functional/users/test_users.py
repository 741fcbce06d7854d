"""Users: profile, settings, UI preferences, change of the password."""

from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobtracker.users.models import User
from tests.common.api import Api
from tests.common.user_pool import PASSWORD, MotoUserPool

DEFAULTS = {
    "auto_refresh_seconds": 0,
    "theme": "dark",
    "default_jobs_sort": "updated_desc",
    "default_jobs_view": "all",
    "data_retention_days": 0,
}


def test_get_me_answers_the_user(ada: Api):
    me = ada.get("/users/me").json
    assert me == {
        "id": me["id"],
        "email": "ada@example.com",
        "name": "Ada",
        "auto_refresh_seconds": 0,
        "ui_preferences": {},
        "created_at": me["created_at"],
        "is_email_verified": True,
        "email_verified_at": me["created_at"],
    }


def test_token_of_an_unknown_user_creates_one_user(ada: Api, bob: Api, db: Session):
    first, second = ada.get("/users/me").json, ada.get("/users/me").json
    assert first == second != bob.get("/users/me").json
    assert db.scalar(select(func.count()).select_from(User)) == 2


def test_post_job_by_an_unknown_user_creates_the_user(ada: Api, db: Session):
    job = ada.post("/jobs", {"company_name": "Acme", "job_title": "Engineer"}, status=201).json
    assert [each["id"] for each in ada.get("/jobs").json] == [job["id"]]
    assert db.scalar(select(func.count()).select_from(User)) == 1


def test_token_of_an_account_unknown_to_cognito_answers_401(
    anonymous: Api, user_pool: MotoUserPool
):
    stranger = anonymous.signed_in(user_pool.token())
    stranger.refused(401, "GET", "/users/me")
    stranger.refused(401, "PATCH", "/jobs/1", {"location": "Graz"})
    stranger.refused(401, "POST", "/jobs", {"company_name": "Acme", "job_title": "Engineer"})


def test_token_of_a_deleted_account_makes_one_call(
    anonymous: Api, user_pool: MotoUserPool, app: Any, monkeypatch: pytest.MonkeyPatch
):
    deleted = anonymous.signed_in(user_pool.user("deleted@example.com", "Deleted").access_token)
    user_pool.client.admin_delete_user(UserPoolId=user_pool.pool_id, Username="deleted@example.com")
    calls: list[str] = []
    original = app.registry["cognito"].get_user

    def get_user(token: str) -> Any:
        calls.append(token)
        return original(token)

    monkeypatch.setattr(app.registry["cognito"], "get_user", get_user)
    for _ in range(5):
        deleted.refused(401, "GET", "/users/me")
        deleted.refused(401, "GET", "/users/me/mfa")
        deleted.refused(401, "POST", "/jobs", {"company_name": "Acme", "job_title": "Engineer"})
    assert len(calls) == 1


class TestSettings:
    def test_settings_of_a_new_user_are_the_defaults(self, ada: Api):
        assert ada.get("/users/me/settings").json == DEFAULTS

    def test_put_settings_changes_all_fields(self, ada: Api, bob: Api):
        chosen = {
            "auto_refresh_seconds": 30,
            "theme": "SYSTEM",
            "default_jobs_sort": "company_asc",
            "default_jobs_view": "needs_followup",
            "data_retention_days": 3650,
        }
        kept = {**chosen, "theme": "system"}
        answer = ada.put("/users/me/settings", chosen, status=200).json
        assert answer == {**kept, "message": "Settings updated"}
        assert ada.get("/users/me/settings").json == kept
        assert ada.get("/users/me").json["auto_refresh_seconds"] == 30
        assert bob.get("/users/me/settings").json == DEFAULTS

    def test_put_settings_keeps_fields_that_are_left_out(self, ada: Api):
        ada.put("/users/me/settings", {"theme": "light"})
        ada.put("/users/me/settings", {"auto_refresh_seconds": 60})
        ada.put("/users/me/settings", {})
        assert ada.get("/users/me/settings").json == {
            **DEFAULTS,
            "theme": "light",
            "auto_refresh_seconds": 60,
        }

    @pytest.mark.parametrize("seconds", [0, 10, 30, 60])
    def test_put_settings_accepts_every_refresh_interval(self, ada: Api, seconds: int):
        answer = ada.put("/users/me/settings", {"auto_refresh_seconds": seconds})
        assert answer.json["auto_refresh_seconds"] == seconds

    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("auto_refresh_seconds", 5, "enum"),
            ("auto_refresh_seconds", "10", "int_type"),
            ("auto_refresh_seconds", True, "int_type"),
            ("auto_refresh_seconds", 10.5, "int_type"),
            ("auto_refresh_seconds", None, "missing"),
            ("theme", "pink", "enum"),
            ("theme", "", "missing"),
            ("default_jobs_sort", "id", "enum"),
            ("default_jobs_view", "none", "enum"),
            ("data_retention_days", -1, "greater_than_equal"),
            ("data_retention_days", 3651, "less_than_equal"),
            ("data_retention_days", 10**30, "less_than_equal"),
            ("message", "x", "extra_forbidden"),
            ("email", "x@y.zz", "extra_forbidden"),
        ],
    )
    def test_put_settings_with_an_invalid_field_answers_422(
        self, ada: Api, field: str, value: object, kind: str
    ):
        body = {"theme": "light", field: value}
        assert ada.field_errors("PUT", "/users/me/settings", body) == {field: kind}
        assert ada.get("/users/me/settings").json == DEFAULTS


class TestUiPreferences:
    PATH = "/users/me/ui-preferences"

    def kept(self, api: Api) -> dict[str, bool]:
        """The stored preferences, which /users/me contains as well."""
        answer = api.get(self.PATH, status=200).json
        assert answer.keys() == {"ui_preferences"}
        assert api.get("/users/me").json["ui_preferences"] == answer["ui_preferences"]
        return answer["ui_preferences"]

    def patch(self, api: Api, **preferences: bool | None) -> dict[str, bool]:
        answer = api.patch(self.PATH, {"preferences": preferences}, status=200).json
        assert answer == {"ui_preferences": self.kept(api)}
        return answer["ui_preferences"]

    def test_patch_ui_preferences_merges_and_removes_keys(self, ada: Api, bob: Api):
        assert self.kept(ada) == {}
        assert self.patch(ada, a=True, b_2=False) == {"a": True, "b_2": False}
        assert self.patch(ada, b_2=True, c=False) == {"a": True, "b_2": True, "c": False}
        assert self.patch(ada) == {"a": True, "b_2": True, "c": False}
        assert self.patch(ada, a=None, b_2=False, d=None) == {"b_2": False, "c": False}
        assert self.kept(bob) == {}

    def test_patch_ui_preferences_beyond_a_hundred_keys_answers_422(self, ada: Api):
        many = {f"{number:064}": True for number in range(100)}
        assert self.patch(ada, **many) == many
        body = {"preferences": {"one_more": False}}
        assert ada.field_errors("PATCH", self.PATH, body) == {"preferences": "too_long"}
        assert self.kept(ada) == many
        removed = dict.fromkeys(many)
        assert self.patch(ada, **{**removed, "one_more": False}) == {"one_more": False}

    @pytest.mark.parametrize(
        ("preferences", "kind"),
        [
            (None, "missing"),
            ([], "dict_type"),
            ("a", "dict_type"),
            ({"": True}, "string_pattern"),
            ({"A": True}, "string_pattern"),
            ({"a-b": True}, "string_pattern"),
            ({"a\n": True}, "string_pattern"),
            ({"\u0661": True}, "string_pattern"),
            ({"\ud800": None}, "string_pattern"),
            ({"x" * 65: True}, "string_pattern"),
            ({"a": 1}, "bool_type"),
            ({"a": "true"}, "bool_type"),
            ({"a": {}}, "bool_type"),
            ({str(number): True for number in range(101)}, "too_long"),
        ],
    )
    def test_patch_ui_preferences_with_an_invalid_value_answers_422(
        self, ada: Api, preferences: object, kind: str
    ):
        self.patch(ada, kept=True)
        body = {"preferences": preferences}
        assert ada.field_errors("PATCH", self.PATH, body) == {"preferences": kind}
        assert ada.field_errors("PATCH", self.PATH, {}) == {"preferences": "missing"}
        assert self.kept(ada) == {"kept": True}


class TestChangePassword:
    PATH = "/users/me/change-password"
    LOGIN = "/auth/cognito/login"

    @pytest.fixture
    def email(self, request: pytest.FixtureRequest) -> str:
        return f"{abs(hash(request.node.name))}@example.com"

    def test_change_of_password_revokes_all_refresh_tokens(
        self, anonymous: Api, user_pool: MotoUserPool, email: str
    ):
        tokens = user_pool.user(email, "Grace")
        other = anonymous.post(self.LOGIN, {"email": email, "password": PASSWORD}).json["tokens"]
        new = "Hopper-1906-x"
        body = {"current_password": PASSWORD, "new_password": new}
        answer = anonymous.signed_in(tokens.access_token).post(self.PATH, body, status=200)
        assert answer.json["message"]
        for refresh_token in (tokens.refresh_token, other["refresh_token"]):
            body = {"refresh_token": refresh_token}
            anonymous.refused(401, "POST", "/auth/cognito/refresh", body)
        anonymous.refused(401, "POST", self.LOGIN, {"email": email, "password": PASSWORD})
        anonymous.post(self.LOGIN, {"email": email, "password": new})

    def test_change_of_password_with_a_wrong_password_answers_400(self, ada: Api):
        body = {"current_password": "wrong", "new_password": "Hopper-1906-x"}
        assert ada.refused(400, "POST", self.PATH, body)["details"]["code"] == "WRONG_PASSWORD"

    def test_change_of_password_to_a_weak_one_answers_400(self, ada: Api):
        body = {"current_password": PASSWORD, "new_password": "weak"}
        details = ada.refused(400, "POST", self.PATH, body)["details"]
        assert details["code"] == "WEAK_PASSWORD"
        assert details["violations"]

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({}, {"current_password": "missing", "new_password": "missing"}),
            ({"current_password": "x"}, {"new_password": "missing"}),
            ({"current_password": 1, "new_password": "x"}, {"current_password": "string_type"}),
            (
                {"current_password": "x", "new_password": "x" * 257},
                {"new_password": "string_too_long"},
            ),
        ],
    )
    def test_change_of_password_with_an_invalid_field_answers_422(
        self, ada: Api, body: dict, wrong: dict
    ):
        assert ada.field_errors("POST", self.PATH, body) == wrong
