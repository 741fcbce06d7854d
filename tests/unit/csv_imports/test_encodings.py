"""The encodings of files, and text that was read in a wrong one."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtracker.csv_imports import encodings
from jobtracker.csv_imports.encodings import UnreadableText

TEXT = "Company;Titel\r\nMüller & Söhne;Ingénieur \u2013 €\r\n"
ASCII = "Company,Title\r\nAcme,Engineer\r\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("cp1252"), "windows-1252"),
        (TEXT.encode("mac-roman"), "macintosh"),
        (TEXT.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16"),
        (TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-32"), "utf-32"),
        (codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), "utf-32"),
    ],
)
def test_bytes_are_decoded(data: bytes, encoding: str):
    assert encodings.decoded(data) == (TEXT, encoding)


def test_polish_bytes_of_windows_are_decoded():
    text = "Spółka Łódzka;Księgowa;Wysłano;Źródło;Żabka\r\n"
    assert encodings.decoded(text.encode("windows-1250")) == (text, "windows-1250")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (TEXT, "utf-8"),
        ("\ufeff" + TEXT, "utf-8"),
        (TEXT.encode().decode("cp1252"), "utf-8"),
        (TEXT.encode("utf-8-sig").decode("cp1252"), "utf-8"),
        (TEXT.encode("utf-8-sig").decode("latin-1"), "utf-8"),
        (TEXT.encode("utf-16").decode("latin-1"), "utf-16"),
        (TEXT.encode("utf-16").decode("cp1252"), "utf-16"),
        ((codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be")).decode("latin-1"), "utf-16"),
        (("\ufeff" + TEXT).encode("utf-16-be").decode("utf-16-le"), "utf-16"),
    ],
)
def test_text_that_was_read_wrongly_is_repaired(text: str, encoding: str):
    assert encodings.repaired(text) == (TEXT, encoding)


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_of_ascii_that_was_read_as_utf_8_is_repaired(codec: str):
    assert encodings.repaired(ASCII.encode(codec).decode("utf-8", "replace")) == (ASCII, "utf-16")


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be", "cp1252", "latin-1", "utf-32"])
def test_text_that_has_lost_characters_is_refused(codec: str):
    text = TEXT.replace("\u2013", "-").replace("€", "E").encode(codec).decode("utf-8", "replace")
    with pytest.raises(UnreadableText):
        encodings.repaired(text)


@pytest.mark.parametrize("text", ["Ã¼ber allem: Ü", "SÃO PAULO", "naïve ©", "Ä", "â€", "½ Ã"])
def test_text_that_only_looks_wrong_remains(text: str):
    assert encodings.repaired(text) == (text, "utf-8")


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data: bytes):
    try:
        text, _encoding = encodings.decoded(data)
    except UnreadableText:
        return
    assert "\0" not in text
    text.encode()


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\0\ufffd\ufeff\ufffe\ud800Ã¼")))
def test_any_text_is_repaired_or_refused(text: str):
    try:
        repaired, _encoding = encodings.repaired(text)
    except UnreadableText:
        return
    assert "\0" not in repaired
    repaired.encode()
