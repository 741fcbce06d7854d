"""What a search takes for a word, and that what it finds is what it marks."""

import html
import re
import unicodedata
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from jobtracker.search.words import words
from tests.common.api import Api


def make(api: Api, title: str, **fields: object) -> int:
    job = {"company_name": "-", "job_title": title, **fields}
    return api.post("/jobs", job).json["id"]


def search(api: Api, q: str) -> list[dict[str, Any]]:
    return api.get(f"/jobs/search?q={quote(q)}&limit=50").json["jobs"]


def marked(hit: dict[str, Any]) -> str:
    """The texts between marks."""
    return " ".join(map(html.unescape, re.findall("<mark>(.*?)</mark>", hit["highlight"] or "")))


@pytest.mark.parametrize(
    ("q", "title", "mark"),
    [
        ("C++", "C++ Engineer", "C++"),
        ("c++", "Engineer (C++)", "C++"),
        ("c++ engineer", "Knows C++, engineer", "C++ engineer"),
        ("c++", "C++20", "C++"),
        ("c++20", "C++20", "C++20"),
        ("c+", "C++", "C++"),
        ("c/c++", "C/C++", "C/C++"),
        ("c++", "C/C++.", "C++"),
        ("c#", "C#.", "C#"),
        ("C#", "Lead C#/.NET", "C#"),
        ("c#/.net", "Lead C#/.NET", "C#/.NET"),
        ("f#", "F#", "F#"),
        ("q#", "(Q#)", "Q#"),
        ("g++", "gcc, g++", "g++"),
        (".net", ".NET 8", ".NET"),
        (".NET 8", ".NET 8", ".NET 8"),
        ("net", ".NET", "NET"),
        (".net", "ASP.NET Core", ".NET"),
        ("asp.net", "ASP.NET Core", "ASP.NET"),
        ("asp", "ASP.NET Core", "ASP"),
        ("node", "Node.js", "Node"),
        ("js", "Node.js", "js"),
        ("node.js", "Node.js", "Node.js"),
        ("node.js dev", "Node.js dev", "Node.js dev"),
        ("vue.j", "Vue.js", "Vue.js"),
        ("ci", "CI/CD", "CI"),
        ("cd", "CI/CD", "CD"),
        ("ci/cd", "CI/CD", "CI/CD"),
        ("ci/cd now", "CI/CD now", "CI/CD now"),
        ("r&d", "Head of R&D", "R&D"),
        ("pl/sql", "PL/SQL", "PL/SQL"),
        ("t-sql", "T-SQL", "T-SQL"),
        ("sql", "T-SQL", "SQL"),
        ("a/b", "A/B tests", "A/B"),
        ("ui/ux", "UI/UX", "UI/UX"),
        ("objective-c", "Objective-C", "Objective-C"),
        ("j2ee", "J2EE", "J2EE"),
        ("3d", "3D artist", "3D"),
        ("@angular", "@angular/core", "angular"),
        ("security+", "CompTIA Security+", "Security+"),
        ("security expert", "Security+ expert", "Security expert"),
        ("5+ years", "5+ years", "5+ years"),
        ("5 years", "5+ years", "5 years"),
        ("o'reilly", "O\u2019Reilly", "O\u2019Reilly"),
        # Accents, and other forms of letters.
        ("resume", "R\u00e9sum\u00e9", "R\u00e9sum\u00e9"),
        ("r\u00e9sum\u00e9", "Resume", "Resume"),
        ("zurich", "Z\u00fcrich", "Z\u00fcrich"),
        ("Z\u00fcrich", "ZURICH", "ZURICH"),
        ("lodz", "\u0141\u00f3d\u017a", "\u0141\u00f3d\u017a"),
        ("\u00f8rsted", "Orsted", "Orsted"),
        ("aether", "\u00c6ther", "\u00c6ther"),
        ("engineer", "\uff25\uff4e\uff47\uff49\uff4e\uff45\uff45\uff52", None),
        ("office", "O\ufb03ce", "O\ufb03ce"),
        ("strasse", "Stra\u00dfe", "Stra\u00dfe"),
        ("STRA\u1e9eE", "strasse", "strasse"),
        ("\u03a3\u039f\u03a6\u039f\u03a3", "\u03c3\u03bf\u03c6\u03cc\u03c2", None),
        ("\u0435\u043b\u043a\u0430", "\u0401\u043b\u043a\u0430", "\u0401\u043b\u043a\u0430"),
        ("\u0456\u0439", "\u0406\u0419", "\u0406\u0419"),
        ("istanbul", "\u0130stanbul", "\u0130stanbul"),
        ("dev\u00adops", "Dev\u200bOps", "Dev\u200bOps"),
        # Arabic and Hebrew without and with marks.
        ("\u0645\u062d\u0645\u062f", "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f", None),
        ("\u0627\u062d\u0645\u062f", "\u0623\u062d\u0645\u062f", None),
        ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", None),
        # A word of another script directly behind a particle, and within a word.
        ("python", "\u0628\u0640Python", "Python"),
        ("pyth", "\u05d1Python\u05d5", "Python"),
        ("\u05d1python", "\u05d1Python", "\u05d1Python"),
        ("\u05d1-python", "\u05d1Python", "\u05d1Python"),
        ("api", "\u0627\u0644\u0640API", "API"),
        (".net", "\u05d1.NET", ".NET"),
        ("c++", "\u0628C++\u0648", "C++"),
        ("2026", "\u05d12026", "2026"),
        ("\u0645\u0637\u0648\u0631", "Java\u0645\u0637\u0648\u0631", "\u0645\u0637\u0648\u0631"),
        # Letters that are written as signs.
        ("c#", "C\u266f, F\u266f", "C\u266f"),
        ("f\u266f", "C#, F#", "F#"),
        ("\u043a'\u044e", "\u043a\u02bc\u044e", None),
        ("\u043a\u02bc\u044e", "\u043a\u2019\u044e", None),
        ("hawai'i", "Hawai\u02bbi", None),
        # Words of other scripts.
        ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0939\u093f\u0928\u094d\u0926\u0940 !", None),
        ("\u09ac\u09be\u0982\u09b2\u09be", "(\u09ac\u09be\u0982\u09b2\u09be)", None),
        ("\u0ba4\u0bae\u0bbf\u0bb4\u0bcd", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd,", None),
        ("\ud55c\uad6d", "\ud55c\uad6d\uc5b4 \uac1c\ubc1c", "\ud55c\uad6d"),
    ],
)
def test_search_finds_and_marks_a_word(ada: Api, q: str, title: str, mark: str | None):
    job = make(ada, title)
    make(ada, "Baker")
    (hit,) = search(ada, q)
    assert hit["id"] == job
    assert marked(hit) == (mark or unicodedata.normalize("NFC", title).strip(" ()!,"))


@pytest.mark.parametrize(
    ("q", "title"),
    [
        ("c++", "C Engineer"),
        ("c#", "C Engineer"),
        ("c#", "C++"),
        ("f#", "F major"),
        (".net", "Net income"),
        ("c engineer", "C++ engineer"),
        ("ci/cd", "CD, then CI"),
        ("node.js", "JS, no node"),
        ("asp.net", "net of asp"),
        ("net", "Internet"),
        ("\u05d5\u05d1", "\u05d1Python\u05d5"),
        ("ython", "\u05d1Python"),
        ("\u4eac\u6771", "\u6771\u4eac"),
        ("\u6771\u4eac\u90fd", "\u6771\u4eac\u3001\u4eac\u90fd"),
    ],
)
def test_search_does_not_find_another_word(ada: Api, q: str, title: str):
    make(ada, title)
    assert search(ada, q) == []


@pytest.mark.parametrize(
    ("q", "text"),
    [
        ("\u6771\u4eac", "\u6771\u4eac\u90fd\u5e81\u3067\u50cd\u304f"),
        ("\u5e81", "\u6771\u4eac\u90fd\u5e81\u3067\u50cd\u304f"),
        ("\u304f", "\u6771\u4eac\u90fd\u5e81\u3067\u50cd\u304f"),
        ("\u90fd\u5e81\u3067", "\u6771\u4eac\u90fd\u5e81\u3067\u50cd\u304f"),
        ("\u30a8\u30f3\u30b8\u30cb\u30a2", "Java\u30a8\u30f3\u30b8\u30cb\u30a2\u52df\u96c6"),
        ("java\u30a8\u30f3", "Java\u30a8\u30f3\u30b8\u30cb\u30a2\u52df\u96c6"),
        ("\uff76\uff9e\uff72\uff84\uff9e", "\u30ac\u30a4\u30c9"),
        ("\u30ac\u30a4\u30c9", "\uff76\uff9e\uff72\uff84\uff9e"),
        (
            "\u0e01\u0e23\u0e38\u0e07",
            "\u0e07\u0e32\u0e19\u0e01\u0e23\u0e38\u0e07\u0e40\u0e17\u0e1e",
        ),
        ("\u0e97\u0eb0", "\u0eaa\u0eb0\u0e97\u0eb0\u0e99\u0eb0"),
        ("\uac1c\ubc1c\uc790", "\ubc31\uc5d4\ub4dc\uac1c\ubc1c\uc790"),
        ("\uac1c\ubc1c", "Java\uac1c\ubc1c\uc790\ub97c"),
        ("\uad6c\ud2b9", "\uac15\ub0a8\uad6c\ud2b9\uac00"),
        ("\uad6d", "\ud55c\uad6d\uc5b4"),
        ("\u1106\u1167\u11bc", "\uc12c\uba85\uc11c"),
        ("\u1798\u17c2\u179a", "\u1781\u17d2\u1798\u17c2\u179a"),
        ("\u1019\u102c", "\u1019\u103c\u1014\u103a\u1019\u102c"),
    ],
)
def test_search_finds_a_part_of_a_text_without_spaces(ada: Api, q: str, text: str):
    titled, noted = make(ada, text), make(ada, "Baker")
    ada.post(f"/jobs/{noted}/notes", {"body": f"x {text} y"})
    hits = search(ada, q)
    assert [hit["id"] for hit in hits] == [titled, noted]
    for hit in hits:
        folded = unicodedata.normalize("NFKC", marked(hit)).casefold()
        assert unicodedata.normalize("NFKC", q).casefold() in folded


def test_search_ranks_an_exact_word_before_a_prefix(ada: Api):
    prefix = make(ada, "JavaScript Java4 Javac", company_name="Javadoc", tags=["javafx"])
    noted = make(ada, "Baker")
    ada.post(f"/jobs/{noted}/notes", {"body": "Some java"})
    exact = make(ada, "Java")
    make(ada, "Lava")
    assert [hit["id"] for hit in search(ada, "java")] == [exact, noted, prefix]


def test_search_for_c_ranks_c_before_others(ada: Api):
    others = [make(ada, title) for title in ("C++", "C#", "Cobol")]
    exact = make(ada, "C")
    found = [hit["id"] for hit in search(ada, "c")]
    assert found[0] == exact
    assert sorted(found[1:]) == others


def test_search_finds_words_in_different_notes_of_a_job(ada: Api):
    job = make(ada, "Baker")
    for number in range(40):
        ada.post(f"/jobs/{job}/notes", {"body": f"note{number} " + f"filler{number} " * 100})
    ada.post(f"/jobs/{job}/notes", {"body": "tail"})
    (hit,) = search(ada, "baker note3 note39 tail")
    assert hit["id"] == job
    assert marked(search(ada, "note17")[0]) == "note17"
    assert marked(search(ada, "filler39")[0]).startswith("filler39")
    assert search(ada, "note40") == []


def test_search_follows_notes_that_change(ada: Api, connection: Connection):
    jobs = [make(ada, "Baker") for _ in range(2)]
    notes = [
        ada.post(f"/jobs/{jobs[0]}/notes", {"body": f"word{chr(ord('a') + n)}"}).json["id"]
        for n in range(5)
    ]
    ada.delete(f"/jobs/{jobs[0]}/notes/{notes[0]}?permanent=true")
    connection.execute(text("UPDATE notes SET body = 'wordz' WHERE id = :id"), {"id": notes[1]})
    move = text("UPDATE notes SET application_id = :job WHERE id = :id")
    connection.execute(move, {"job": jobs[1], "id": notes[2]})
    assert search(ada, "worda") == search(ada, "wordb") == []
    for q, job in (("wordz", 0), ("wordc", 1), ("wordd", 0), ("worde", 0)):
        (hit,) = search(ada, q)
        assert (hit["id"], marked(hit)) == (jobs[job], q)
    rows = connection.execute(text("SELECT unnest(note_ids) FROM note_words")).scalars()
    assert sorted(rows) == notes[1:]


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"], max_codepoint=0x3134F)
    | st.sampled_from("aZ \u00df\u03c3\u03c2\u0130\u0131\ufb03+#./-\u6771\u4eac\u0e01"),
    min_size=1,
    max_size=30,
)
FORMS = st.sampled_from(
    [
        *(lambda text, form=form: unicodedata.normalize(form, text) for form in ("NFC", "NFD")),
        *(str.upper, str.lower, str.title),
    ]
)


def test_text_is_found_by_itself_in_any_form(ada: Api):
    @settings(max_examples=100)
    @given(TEXTS, FORMS)
    def check(title: str, form: Any) -> None:
        title = unicodedata.normalize("NFC", f"x{title}x").strip()
        assume(words(title) and "\u0345" not in unicodedata.normalize("NFD", title))
        job = make(ada, title)
        q = unicodedata.normalize("NFC", form(title))
        assert job in [hit["id"] for hit in search(ada, q)]
        assert job in [each["id"] for each in ada.get(f"/jobs?q={quote(q)}").json]
        ada.delete(f"/jobs/{job}")

    check()
