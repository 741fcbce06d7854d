"""The encoding of a file, and text that was read in another encoding than that of its file.

A browser's ``File.text()`` and ``FileReader.readAsText()`` read a file as UTF-8 whatever it is, and
replace what is not by U+FFFD. What they do is in https://encoding.spec.whatwg.org.
"""

import codecs
import contextlib
import re

from jobtracker.errors import ValidationFailed

UTF_8, UTF_16, UTF_32 = "utf-8", "utf-16", "utf-32"
WINDOWS_1252, WINDOWS_1250, MACINTOSH = "windows-1252", "windows-1250", "macintosh"

_BOM, _SWAPPED_BOM, _REPLACEMENT = "\ufeff", "\ufffe", "\ufffd"
# The byte order marks of UTF-16, read as windows-1252 or Latin-1, or as UTF-8.
_UTF_16_MARKS = ("\u00ff\u00fe", "\u00fe\u00ff", "\ufffd\ufffd")
_BOMS = (
    # The first of them begins with the next one.
    (codecs.BOM_UTF32_LE, UTF_32),
    (codecs.BOM_UTF16_LE, UTF_16),
    (codecs.BOM_UTF32_BE, UTF_32),
    (codecs.BOM_UTF16_BE, UTF_16),
)
# ZIP (.xlsx, .ods, .numbers), OLE (.xls), PDF.
_BINARIES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")
# Bytes that windows-1252 has no character for; the encoding standard takes them for controls.
_UNDEFINED_BYTES = b"\x81\x8d\x8f\x90\x9d"
# As the error handler "surrogateescape" has them.
_UNDEFINED = {byte: chr(0xDC00 + byte) for byte in _UNDEFINED_BYTES}
# Letters that windows-1252 has in capitals: those of Excel's "CSV (Macintosh)" are small.
_IN_MACINTOSH = re.compile(rb"[a-z][\x8a\x8e\x9f][a-z]")
# The Polish letters that are superscript digits in windows-1252.
_IN_WINDOWS_1250 = re.compile(rb"[a-z][\xb3\xb9][a-z]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


class UnreadableText(ValidationFailed):
    """The text of a file was not read in the file's encoding, or the file is no text."""

    def __init__(self, field: str, message: str) -> None:
        error = {"loc": ["body", field], "msg": message, "type": "encoding"}
        super().__init__([error], message)


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a file, and the file's encoding.

    :raises UnreadableText: when it is none of those above
    """
    if data.startswith(_BINARIES):
        raise UnreadableText("base64", _NO_TEXT)
    name = next((name for bom, name in _BOMS if data.startswith(bom)), None)
    if name is None and b"\0" in data:
        name = _without_bom(data, "base64")
    if name is None:
        with contextlib.suppress(UnicodeDecodeError):
            return _checked(data.decode("utf-8-sig"), "base64"), UTF_8
    if name is None:
        is_macintosh = _IN_MACINTOSH.search(data) or data.translate(None, _UNDEFINED_BYTES) != data
        name = MACINTOSH if is_macintosh else WINDOWS_1252
        name = WINDOWS_1250 if _IN_WINDOWS_1250.search(data) else name
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        raise UnreadableText("base64", _NO_TEXT) from None
    return _checked(text, "base64"), UTF_16 if name.startswith(UTF_16) else name


def repaired(text: str) -> tuple[str, str]:
    """The text as it is in its file, and the encoding that was taken for another one.

    :raises UnreadableText: when characters were lost
    """
    if text.startswith(_SWAPPED_BOM):
        swapped = text.encode("utf-16-le", "surrogatepass").decode("utf-16-be", "replace")
        return _checked(swapped, "text"), UTF_16
    if "\0" in text:
        return _from_utf_16(text), UTF_16
    encoding = UTF_8
    if not text.isascii() and (data := _bytes_of(text)) is not None:
        # UTF-8 that was read as windows-1252: other text in it is not valid UTF-8.
        with contextlib.suppress(UnicodeDecodeError):
            text = data.decode()
    if _REPLACEMENT in text:
        raise UnreadableText("text", _LOST)
    return _checked(text, "text"), encoding


def _from_utf_16(text: str) -> str:
    """Text of UTF-16 that was read one byte at a time."""
    begin = 2 if text.startswith(_UTF_16_MARKS) else 0
    body = text[begin:]
    data = _bytes_of(body)
    if data is not None and len(data) % 2 == 0:
        with contextlib.suppress(UnicodeDecodeError):
            return _checked(data.decode(_without_bom(data, "text")), "text")
    raise UnreadableText("text", _LOST if _REPLACEMENT in body or data is None else _NO_TEXT)


def _without_bom(data: bytes, field: str) -> str:
    """The byte order of UTF-16, in which a comma, a line break and each letter of ASCII has one
    zero byte, at the odd or at the even places."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    if 10 * min(even, odd) > max(even, odd):
        raise UnreadableText(field, _NO_TEXT)
    return "utf-16-le" if odd > even else "utf-16-be"


def _bytes_of(text: str) -> bytes | None:
    """The bytes that were read as windows-1252 or Latin-1; None if they were not."""
    text = text.translate(_UNDEFINED)
    for encoding in (WINDOWS_1252, "latin-1"):
        with contextlib.suppress(UnicodeEncodeError):
            return text.encode(encoding, "surrogateescape")
    return None


def _checked(text: str, field: str) -> str:
    text = text.lstrip(_BOM)
    if _CONTROLS.search(text):
        raise UnreadableText(field, _NO_TEXT)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        raise UnreadableText(field, _NO_TEXT) from None
    return text


_NO_TEXT = (
    "The file is not the text of a table. Please save it as CSV: a workbook (.xlsx, .ods, .numbers)"
    " cannot be imported."
)
_LOST = (
    "The file was read in the wrong encoding, and characters were lost. Please send its bytes as"
    " base64, or save it as CSV in UTF-8."
)
