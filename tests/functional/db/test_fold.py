"""The comparison key of texts, ``fold()``, for all characters."""

import json
import sys
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

FOLD = text("SELECT fold(:text)")


def forms(text: str) -> set[str]:
    """The same text to a user, in other cases and normal forms."""
    normal = [unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    return {text, text.upper(), text.lower(), text.title(), text.casefold(), *normal}


def test_each_character_has_one_key_in_all_its_forms(connection: Connection):
    statement = text("""
        SELECT code FROM json_to_recordset(CAST(:characters AS json)) AS characters
            (code integer, forms text[]),
            LATERAL (SELECT array_agg(DISTINCT fold(form)) AS keys FROM unnest(forms) AS form) AS of
        WHERE cardinality(keys) > 1 OR fold(keys[1]) <> keys[1]
    """)
    connection.execute(text("SET LOCAL statement_timeout = '1min'"))
    codes = [
        code
        for code in range(1, sys.maxunicode + 1)
        if unicodedata.category(chr(code)) not in ("Cs", "Cn", "Co")
    ]
    for start in range(0, len(codes), 2_000):
        part = codes[start : start + 2_000]
        characters = [{"code": code, "forms": [*forms(chr(code))]} for code in part]
        given = {"characters": json.dumps(characters)}
        assert connection.execute(statement, given).fetchall() == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Zu\u0308rich", "Z\u00dcRICH"),
        ("\u03c3\u03bf\u03c6\u03cc\u03c2", "\u03a3\u039f\u03a6\u038c\u03a3"),
        ("Stra\u00dfe", "STRASSE"),
        ("STRA\u1e9eE", "strasse"),
        ("\u0130zmir", "I\u0307zmir"),
        ("\u0130zmir", "izmir"),
        ("i\u0307\u0301", "\u00ed"),
        ("O\u2019Reilly", "o'reilly"),
        ("Hawai\u02bbi", "Hawai\u02bci"),
        ("Wi\u2011Fi", "wi\u2010fi"),
        ("Wi\u2011Fi", "wi-fi"),
        ("\u201eFoo\u201c", '"foo"'),
        ("\uff21\uff42\uff43", "abc"),
        ("New\u00a0York", "new york"),
        ("a\u3000\u2003\t b", "A B"),
        ("zero\u200bwidth", "ZeroWidth"),
        ("\u202eright", "right\u2066"),
        ("soft\u00adhyphen", "softhyphen"),
        ("\u00bd", "1\u20442"),
    ],
)
def test_texts_that_are_the_same_have_one_key(connection: Connection, one: str, other: str):
    keys = {connection.execute(FOLD, {"text": each}).scalar() for each in (one, other)}
    assert len(keys) == 1


@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\u3164", "\u2800", "\u00a0\u202e", "\ufeff"])
def test_key_of_a_blank_text_is_empty(connection: Connection, blank: str):
    assert connection.execute(FOLD, {"text": blank}).scalar() == ""


def test_key_of_a_text_in_another_form_is_the_same(connection: Connection):
    @settings(max_examples=200)
    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0\u0345"), max_size=40))
    def check(string: str) -> None:
        if "\u0345" in unicodedata.normalize("NFD", string):
            return  # its uppercase is a letter, which marks can follow
        keys = {connection.execute(FOLD, {"text": each}).scalar() for each in forms(string)}
        (key,) = keys
        assert connection.execute(FOLD, {"text": key}).scalar() == key

    check()


@pytest.mark.parametrize(
    "hostile",
    [
        "a" + "\u0315" * 30_000 + "\u0300" * 30_000,
        "\u0301\uff9e" * 30_000,
        "\u0344\u0315" * 30_000,
        "\u093c\u094d\u0301" * 20_000,
        "\ufdfa" * 5_000,
    ],
)
@pytest.mark.parametrize("function", ["fold", "words_in"])
def test_functions_of_texts_take_linear_time(connection: Connection, hostile: str, function: str):
    before = time.monotonic()
    connection.execute(text("SET LOCAL statement_timeout = '20s'"))
    connection.execute(text(f"SELECT {function}(:text)"), {"text": hostile})
    assert time.monotonic() - before < 20
