"""Filters compare without regard to case, form and invisible characters."""

from urllib.parse import quote

import pytest

from tests.common.api import Api

DECOMPOSED = "Zu\u0308rich"
SAME = [
    (DECOMPOSED, "Z\u00fcrich"),
    ("Z\u00fcrich", "ZU\u0308RICH"),
    ("Stra\u00dfe", "STRASSE"),
    ("STRASSE", "stra\u00dfe"),
    ("\u039f\u03b4\u03cc\u03c2", "\u039f\u0394\u038c\u03a3"),
    ("\u03bf\u03b4\u03cc\u03c3", "\u03bf\u03b4\u03cc\u03c2"),
    ("New\u00a0York", "new york"),
    ("New York", "New\u3000York"),
    ("Dev\u200bOps", "devops"),
    ("DevOps", "dev\u00adops"),
    ("\uff21\uff23\uff2d\uff25", "acme"),
    ("\u0130stanbul", "i\u0307stanbul"),
    ("\u0130stanbul", "istanbul"),
    ("istanbul", "\u0130STANBUL"),
    ("O\u2019Reilly", "o'reilly"),
    ("O'Reilly", "O\u02bcReilly"),
    ("Wi\u2011Fi", "wi-fi"),
    ("\u201cFoo\u201d", '"foo"'),
    ("100%_sure\\", "100%_SURE\\"),
]


def make(api: Api, **fields: object) -> int:
    return api.post("/jobs", {"company_name": "-", "job_title": "-", **fields}).json["id"]


def ids(api: Api, **filters: str) -> list[int]:
    query = "&".join(f"{name}={quote(value)}" for name, value in filters.items())
    return [job["id"] for job in api.get(f"/jobs?{query}").json]


@pytest.mark.parametrize(("stored", "q"), SAME)
@pytest.mark.parametrize("field", ["company_name", "job_title", "location"])
def test_q_finds_the_same_text(ada: Api, field: str, stored: str, q: str):
    job = make(ada, **{field: f"The {stored} of"})
    make(ada)
    assert ids(ada, q=q) == ids(ada, q=f"e {q} o") == [job]


@pytest.mark.parametrize(("stored", "q"), SAME)
def test_tag_and_tag_q_find_the_same_tag(ada: Api, stored: str, q: str):
    job = make(ada, tags=["other", f"The {stored}"])
    make(ada, tags=["another"])
    assert ids(ada, tag=f"the {q}") == ids(ada, tag_q=q) == [job]
    assert ids(ada, tag=q) == []


def test_q_does_not_match_across_fields(ada: Api):
    make(ada, company_name="Acme", job_title="Engineer", location="Vienna")
    for q in ("AcmeEngineer", "Acme Engineer", "eng vie", "acme\nengineer", "r\nv"):
        assert ids(ada, q=q) == []


@pytest.mark.parametrize("plain", ["%", "_", "\\", "a%", "\\%"])
def test_characters_of_patterns_are_plain(ada: Api, plain: str):
    make(ada, company_name="abc", tags=["abc"])
    assert ids(ada, q=plain) == ids(ada, tag_q=plain) == []
    job = make(ada, company_name=f"x{plain}y", tags=[f"x{plain}y"])
    assert ids(ada, q=plain) == ids(ada, tag_q=plain) == [job]


@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\u3164", "\u00a0", "\u202e\u2800"])
def test_blank_filter_is_none(ada: Api, blank: str):
    jobs = [make(ada, tags=["a"]), make(ada)]
    for name in ("q", "tag", "tag_q"):
        assert sorted(ids(ada, **{name: blank})) == jobs


def test_filters_follow_changes(ada: Api):
    job = make(ada, company_name="Acme", tags=["one"])
    ada.patch(f"/jobs/{job}", {"company_name": "Globex", "tags": ["two"]})
    assert ids(ada, q="acme") == ids(ada, tag="one") == []
    assert ids(ada, q="globex", tag="two", tag_q="w") == [job]
    assert ids(ada, q="globex", tag="two", tag_q="x") == []
