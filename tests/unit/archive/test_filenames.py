"""The names of documents in an archive: any file system has them, and none leads elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtracker.archive.filenames import MAX_BYTES, path_of

FORBIDDEN = set('<>:"/\\|?*\x7f') | {chr(code) for code in range(32)}


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("cv.pdf", "cv.pdf"),
        ("Lebenslauf é.pdf", "Lebenslauf é.pdf"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\cv.pdf", "C__cv.pdf"),
        ("..", "_"),
        (".", "_"),
        ("", "_"),
        (" . ", "_"),
        ("a\x00b\nc", "a_b_c"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("console.txt", "console.txt"),
        ("cv.pdf. ", "cv.pdf"),
        (".profile", ".profile"),
        ("fdp.\u202exe.pdf", "fdp._xe.pdf"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ("é" * 255, "é" * 127),
    ],
)
def test_name(filename: str, expected: str):
    assert path_of(7, filename) == f"documents/7/{expected}"


@given(st.text(max_size=300))
def test_any_name_becomes_one_that_file_systems_have(filename: str):
    folder, number, name = path_of(7, filename).split("/")
    assert (folder, number) == ("documents", "7")
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert name not in (".", "..")
    assert not FORBIDDEN & set(name)
    assert not name.endswith((".", " "))
