"""Text of all endpoints: normalized, blank if nothing of it is visible, and with hosts of any
script."""

import unicodedata
from typing import Any
from urllib.parse import quote

import pytest

from tests.common.api import Api

JOB = {"company_name": "Acme", "job_title": "Engineer"}
VIEW = {"name": "Mine", "data": {}}
UPLOAD = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
INTERVIEW = {"scheduled_at": "2026-11-30T14:00:00+01:00"}

# A word of Latin, Greek, Devanagari and Hangul each, the last of which decomposes into letters.
NFC = ("Z\u00fcrich", "\u03ac\u03bb\u03c6\u03b1", "\u0929\u092f\u093e", "\ud55c\uad6d\uc5b4")
BLANKS = ("\u200b", "\u3164", "\u2800", "\u202e", "\ufeff \u00a0", "\U000e0041", "\ufffc", "\u0301")


@pytest.fixture
def job(ada: Api) -> str:
    return f"/jobs/{ada.post('/jobs', JOB).json['id']}"


# method, path below the job or from the root, body, fields of single lines, fields of prose
REQUESTS: list[tuple[str, str, dict[str, Any], list[str], list[str]]] = [
    ("POST", "/jobs", JOB, ["company_name", "job_title", "location", "next_action_title"], []),
    ("PATCH", "", {}, ["company_name", "job_title", "location", "next_action_title"], []),
    ("POST", "interviews", INTERVIEW, ["location", "interviewer", "kind", "stage"], ["notes"]),
    ("POST", "notes", {"body": "x"}, [], ["body"]),
    ("POST", "/saved-views", VIEW, ["name"], []),
    ("POST", "documents/presign-upload", UPLOAD, ["filename"], []),
]
REQUIRED = {"company_name", "job_title", "body", "name", "filename"}


def path_of(job: str, path: str) -> str:
    return path if path.startswith("/") else f"{job}/{path}".rstrip("/")


def value_of(response: Any, field: str) -> Any:
    shown = response.json.get("document", response.json)
    return shown["original_filename" if field == "filename" else field]


@pytest.mark.parametrize("word", NFC, ids=ascii)
@pytest.mark.parametrize(("method", "path", "body", "lines", "prose"), REQUESTS)
def test_text_is_stored_in_nfc(
    ada: Api,
    job: str,
    method: str,
    path: str,
    body: dict[str, Any],
    lines: list[str],
    prose: list[str],
    word: str,
):
    decomposed = unicodedata.normalize("NFD", word)
    assert decomposed != word
    for field in (*lines, *prose):
        response = ada.call(method, path_of(job, path), {**body, field: f" {decomposed} "})
        assert value_of(response, field).lower() == word.lower()


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
@pytest.mark.parametrize(("method", "path", "body", "lines", "prose"), REQUESTS)
def test_text_without_a_visible_character_counts_as_blank(
    ada: Api,
    job: str,
    method: str,
    path: str,
    body: dict[str, Any],
    lines: list[str],
    prose: list[str],
    blank: str,
):
    for field in (*lines, *prose):
        given = {**body, field: blank}
        if field in REQUIRED:
            assert ada.field_errors(method, path_of(job, path), given) == {field: "missing"}
        else:
            assert value_of(ada.call(method, path_of(job, path), given), field) is None


@pytest.mark.parametrize(("method", "path", "body", "lines", "prose"), REQUESTS)
def test_bidi_controls_are_removed_from_names_and_remain_in_prose(
    ada: Api,
    job: str,
    method: str,
    path: str,
    body: dict[str, Any],
    lines: list[str],
    prose: list[str],
):
    for control in ("\u061c", "\u200f", "\u202e", "\u2067"):
        written = f"a{control}b"
        for field in lines:
            response = ada.call(method, path_of(job, path), {**body, field: f"{control}{written}"})
            assert value_of(response, field) == "ab"
            if path == "/saved-views":
                ada.delete(f"{path}/{response.json['id']}")
            if field == "filename":
                ada.delete(f"{job}/documents/{response.json['document']['id']}")
        for field in prose:
            response = ada.call(method, path_of(job, path), {**body, field: written})
            assert value_of(response, field) == written


def test_emoji_and_joiners_within_names_remain(ada: Api):
    for name in (
        "\u2764\ufe0f",
        "\u0645\u06cc\u200c\u0634\u0648\u062f",
        "\u0915\u094d\u200d\u0937",
    ):
        made = ada.post(
            "/jobs", {**JOB, "company_name": f"\u200b{name}\ufeff", "tags": [name]}
        ).json
        assert (made["company_name"], made["tags"]) == (name, [name])


def test_same_text_in_another_form_is_no_change(ada: Api):
    names = {"company_name": "Z\u00fcrich", "location": "S\u00e3o Paulo", "tags": ["stra\u00dfe"]}
    made = ada.post("/jobs", {**JOB, **names}).json
    for form in ("NFD", "NFC"):
        again = {name: normalized(form, value) for name, value in names.items()}
        assert ada.patch(f"/jobs/{made['id']}", again).json == made


def normalized(form: Any, value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize(form, value)
    return [normalized(form, item) for item in value]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (["Stra\u00dfe", "STRASSE", "strasse"], ["stra\u00dfe"]),
        (["\u03bf\u03c2", "\u039f\u03a3", "\u03bf\u03c3"], ["\u03bf\u03c2"]),
        (["Zu\u0308rich", "z\u00fcrich"], ["z\u00fcrich"]),
        (["on\u00a0site", "on site", "on \u2003site"], ["on\u00a0site"]),
        (["re\u200bmote", "remote", "\uff32emote"], ["re\u200bmote"]),
        (["\ufb01nance", "finance"], ["\ufb01nance"]),
        (["\u200b", "\u3164", "\u202e", " ", "a"], ["a"]),
    ],
    ids=ascii,
)
def test_tags_that_are_equal_when_compared_are_one(ada: Api, given: list[str], stored: list[str]):
    made = ada.post("/jobs", {**JOB, "tags": given}).json
    assert made["tags"] == stored
    assert ada.patch(f"/jobs/{made['id']}", {"tags": stored * 2}).json == made


def test_client_s_own_json_is_stored_as_it_is(ada: Api):
    data = {"q": "Zu\u0308rich\u202e", "\u200b": [" \u3164 "]}
    assert ada.post("/saved-views", {**VIEW, "data": data}).json["data"] == data


@pytest.mark.parametrize("parameter", ["q", "tag", "tag_q"])
def test_filter_without_a_visible_character_is_ignored(ada: Api, job: str, parameter: str):
    for blank in BLANKS:
        assert len(ada.get(f"/jobs?{parameter}={quote(blank)}").json) == 1


@pytest.mark.parametrize("parameter", ["q", "tag", "tag_q"])
def test_filter_is_normalized(ada: Api, parameter: str):
    ada.post("/jobs", {**JOB, "location": NFC[0], "tags": [NFC[0]]})
    for form in ("NFC", "NFD"):
        value = quote(normalized(form, NFC[0].lower()))
        assert len(ada.get(f"/jobs?{parameter}={value}").json) == 1


@pytest.mark.parametrize("name", ["\u200b", "\u3164", "\u202e\u2800"])
def test_sign_up_without_a_visible_name_answers_422(anonymous: Api, name: str):
    given = {"email": "eve@example.com", "password": "Lovelace-1815", "turnstile_token": "x"}
    path = "/auth/cognito/signup"
    assert anonymous.field_errors("POST", path, {**given, "name": name}) == {"name": "missing"}


@pytest.mark.parametrize(
    "url",
    [
        "https://\u0939\u093f\u0928\u094d\u0926\u0940.\u092d\u093e\u0930\u0924/\u0928\u094c\u0915\u0930\u0940",
        "https://\u09ac\u09be\u0982\u09b2\u09be.\u09ad\u09be\u09b0\u09a4",
        "https://\u0ba4\u0bae\u0bbf\u0bb4\u0bcd.\u0b87\u0ba8\u0bcd\u0ba4\u0bbf\u0baf\u0bbe",
        "https://\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22.\u0e44\u0e17\u0e22",
        "https://\u0dc1\u0dca\u200d\u0dbb\u0dd3.\u0dbd\u0d82\u0d9a\u0dcf/",
    ],
    ids=ascii,
)
def test_address_with_a_host_of_any_script_is_accepted(ada: Api, url: str):
    assert ada.post("/jobs", {**JOB, "job_url": url}).json["job_url"] == url
