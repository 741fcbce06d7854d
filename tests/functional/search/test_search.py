"""Search: matches, order, highlights, and isolation of users."""

import html
import itertools
import re
import threading
from typing import Any, cast
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from jobtracker.db.engine import TimeoutConnection
from jobtracker.search import queries
from tests.common.api import Api


def make(api: Api, note: str = "", **fields: object) -> int:
    job = {"company_name": "Acme", "job_title": "Engineer", **fields}
    job_id = api.post("/jobs", job).json["id"]
    if note:
        api.post(f"/jobs/{job_id}/notes", {"body": note})
    return job_id


def search(api: Api, q: str, limit: str = "") -> list[dict[str, Any]]:
    return api.get(f"/jobs/search?q={quote(q)}&limit={limit}").json["jobs"]


def ids(found: list[dict[str, Any]]) -> list[int]:
    return [hit["id"] for hit in found]


@pytest.mark.parametrize(
    ("q", "marked"),
    [
        ("globex", "<mark>Globex</mark> AG"),
        ("GLOB", "<mark>Globex</mark> AG"),
        ("backend", "Front/<mark>Backend</mark> Dev_Ops (C++)"),
        ("ops dev", "Front/Backend <mark>Dev</mark>_<mark>Ops</mark> (C++)"),
        ("front/b", "<mark>Front/Backend</mark> Dev_Ops (C++)"),
        ("c++", "Front/Backend Dev_Ops (<mark>C++</mark>)"),
        ("machine", "go, <mark>machine</mark> learning"),
        ("z\u00fcrich", "<mark>Z\u00fcrich</mark>, West"),
        ("ZU\u0308RICH", "<mark>Z\u00fcrich</mark>, West"),
        ("visa", "Ask &lt;b&gt;Eve&lt;/b&gt; on the <mark>visa</mark> &amp; pay"),
        ("globex visa", "<mark>Globex</mark> AG"),
        ("visa on", "Ask &lt;b&gt;Eve&lt;/b&gt; <mark>on</mark> the <mark>visa</mark> &amp; pay"),
        ("eve@visa", "Ask &lt;b&gt;<mark>Eve</mark>&lt;/b&gt; on the <mark>visa</mark> &amp; pay"),
        ("\u65e5\u672c", None),
        ("globex nothing", None),
        ("lobex", None),
        ("glob ag", None),  # but the last, words are whole
    ],
)
def test_search_matches_words_of_all_text_fields(ada: Api, q: str, marked: str | None):
    job_id = make(
        ada,
        company_name="Globex AG",
        job_title="Front/Backend Dev_Ops (C++)",
        tags=["machine learning", "go"],
        location="Z\u00fcrich, West",
        note="Ask <b>Eve</b>\n on the visa & pay",
    )
    make(ada)
    found = search(ada, q)
    assert ids(found) == [job_id] * (marked is not None)
    if marked is not None:
        assert found[0]["highlight"] == marked


def test_search_orders_by_relevance(ada: Api):
    note = make(ada, note="python " * 500)
    place = make(ada, location="Python Street")
    tag = make(ada, tags=["python"])
    title = make(ada, job_title="A good place for one who knows Python")
    many = make(ada, note="Python")
    make(ada)
    assert ids(search(ada, "python")) == [title, tag, place, note, many]
    assert ids(search(ada, "python", limit="2")) == [title, tag]
    assert len(search(ada, "a", limit="999")) == 6


def test_search_follows_every_change(ada: Api, connection: Connection):
    job_id = make(ada)
    ada.patch(f"/jobs/{job_id}", {"job_title": "Baker", "tags": ["bread"]})
    note = ada.post(f"/jobs/{job_id}/notes", {"body": "Rolls"}).json["id"]
    assert search(ada, "engineer") == []
    for q in ("baker", "bread", "rolls"):
        assert ids(search(ada, q)) == [job_id]
    connection.execute(text("UPDATE notes SET body = 'Buns'"))
    assert search(ada, "rolls") == []
    assert ids(search(ada, "buns")) == [job_id]
    ada.delete(f"/jobs/{job_id}/notes/{note}")
    assert search(ada, "buns") == []
    ada.delete(f"/jobs/{job_id}")
    for table in ("job_words", "note_words"):
        assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0  # noqa: S608


def test_search_omits_jobs_of_other_users(ada: Api, bob: Api):
    own = make(ada, note="Something public")
    other = make(bob, company_name="Secret", note="Something secret", tags=["secret"])
    user_id = bob.get("/users/me").json["id"]
    assert search(ada, "secret") == []
    assert ids(search(ada, "something")) == [own]
    assert "secret" not in search(ada, "something")[0]["highlight"]
    for q in (f"@{user_id}", f"'@{user_id}'", f"secret:* | '@{user_id}'", "acme | secret"):
        assert search(ada, q) == []
    assert ids(search(bob, "something secret")) == [other]


@pytest.mark.parametrize("q", ["", " ", "&", "'", "\\", ":*", "\U0001f600", "\u0301", "-- ()|!<->"])
def test_search_without_words_finds_nothing(ada: Api, q: str):
    make(ada, note="\U0001f600 & ' \\ :* a\u0301 \u0301")
    assert search(ada, q) == []


def test_search_with_an_invalid_query_answers_422(ada: Api):
    assert ada.field_errors("GET", "/jobs/search?q=a%00", None) == {"q": "string_characters"}
    path = f"/jobs/search?q={'x' * 10_000}"
    assert ada.field_errors("GET", path, None) == {"q": "string_too_long"}
    assert ada.field_errors("GET", "/jobs/search?q=a&limit=0", None).keys() == {"limit"}
    ada.refused(400, "GET", "/jobs/search?q=%ff")


HOSTILE = st.text(
    st.sampled_from("'\"\\:*&|!<->()@%_$;,.#/ aA1e5\u00e4\u0130\u0301\u200d\U0001f600\u0e01\u202e")
    | st.characters(codec="utf-8", exclude_characters="\0"),
    max_size=255,
)


def test_search_accepts_arbitrary_text(ada: Api):
    note = "It's <mark>fun</mark> & \"more\" \u0130\u0301 a'b:*c 1e5 -5 \u00e4"
    make(ada, note=note, job_title="<script>a</script> A & B")

    @settings(max_examples=200)
    @given(HOSTILE)
    def check(q: str) -> None:
        for hit in search(ada, q):
            shown = hit["highlight"] or ""
            assert "<" not in re.sub("</?mark>", "", shown)
            assert shown.count("<mark>") == shown.count("</mark>")
            plain = html.unescape(re.sub("</?mark>", "", shown))
            texts = (hit["job_title"], hit["company_name"], note)
            assert any(plain in some for some in texts)

    check()


def test_search_considers_the_first_eight_words(ada: Api):
    words = [f"word{chr(ord('a') + n)}" for n in range(8)]
    job = make(ada, " ".join(words))
    (hit,) = search(ada, " ".join([*words, "missing"]))
    assert hit["id"] == job
    assert hit["highlight"].count("<mark>") == 8
    assert search(ada, " ".join([*words[:7], "missing", "worda"])) == []


def test_search_shows_the_note_with_the_most_words_of_a_prefix(ada: Api):
    notes = {
        "recr": "the recruiters recruited a recruiter",
        "z": "zebra zeal zen",
        "\u0440\u0430": "\u0440\u0430\u0437 \u0440\u0430\u0431",
        "\u4eac": "\u6771\u4eac\u90fd",
        "\u1e2f": "\u00efmage \u00efris",
        ".n": "core of .NET",
        "c": "C++, C# and cobol",
        "\U00010436": "\U0001043e\U0001043f, \U00010436\U0001043f",
    }
    job = make(ada, "a reception, a zebra, \u0440\u0430\u043d, naive")
    for note in notes.values():
        ada.post(f"/jobs/{job}/notes", {"body": note})
    for q, note in notes.items():
        (hit,) = search(ada, q)
        assert html.unescape(re.sub("</?mark>", "", hit["highlight"])) == note, q


def test_search_highlights_a_bounded_length_of_notes(ada: Api):
    text = f"{'before ' * 1400}needle"
    for _ in range(15):
        make(ada, text)
    found = search(ada, "needle")
    assert len(found) == 15
    highlighted = [hit["highlight"] is not None for hit in found]
    assert highlighted == [True] * 10 + [False] * 5


def test_words_of_many_combining_characters_take_little_time(connection: Connection):
    connection.execute(text("SET LOCAL statement_timeout = '2s'"))
    # To sort these would take a minute.
    marks = f"a\u0301ge {chr(0x315) * 30_000}{chr(0x300) * 30_000}"
    words_in = text("SELECT words_in(:text)")
    assert connection.execute(words_in, {"text": marks}).scalar() == "age"


def test_decomposed_text_is_found_wherever_it_is(ada: Api):
    note = "u\u0308ber allen Gipfeln ist Ruh, " * 100 + "Vo\u0308glein"
    job = make(ada, note)
    assert ids(search(ada, "v\u00f6glein")) == ids(search(ada, "vo\u0308gl")) == [job]
    long = make(ada, location="\u65e5" * 250, job_title="\u672c" * 255)
    assert ids(search(ada, "\u672c" * 255)) == [long]


def test_query_that_another_thread_drops_from_the_cache_is_found(ada: Api):
    job = make(ada, company_name="Globex")
    is_over = threading.Event()

    def drop() -> None:
        while not is_over.is_set():
            queries.parse.cache_clear()

    thread = threading.Thread(target=drop)
    thread.start()
    try:
        for limit in range(1, 21):  # not from the response cache
            assert ids(search(ada, "globex", str(limit))) == [job]
    finally:
        is_over.set()
        thread.join()


def test_hostile_queries_keep_few_parsed_queries_and_statements(ada: Api, connection: Connection):
    job = make(ada, company_name="a b c d e")
    user_id = ada.get("/users/me").json["id"]
    driver = cast(TimeoutConnection, connection.connection.dbapi_connection)
    for words in itertools.product("abcde", repeat=4):
        q = " ".join([*words, *"abcd", *words])
        (hit,) = queries.search(driver, user_id, q, limit=1)
        assert hit[0].id == job
    assert queries.parse.cache_info().currsize <= 1000
    assert queries._search.cache_info().currsize < 100
