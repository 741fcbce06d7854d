"""Text, e-mail addresses, URLs and enumerated words."""

import base64
import functools
import re
import unicodedata
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

from jobtracker import unicode
from jobtracker.errors import enumeration
from jobtracker.fields.base import FieldType, InvalidValue


def checked_text(node: Any, value: Any) -> str:
    """The value, if it is a string without NUL and lone surrogates; InvalidValue otherwise."""
    if not isinstance(value, str):
        raise InvalidValue(node, "Must be text.", "string_type")
    if "\0" in value:
        raise InvalidValue(node, "Must not contain the character NUL.", "string_characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidValue(node, "Must be valid Unicode.", "string_characters") from None
    return value


def trimmed_text(node: Any, value: Any) -> str:
    """The text of a name as it is stored, empty if it is blank."""
    return unicode.normalize_name(checked_text(node, value))


def one_of(words: Iterable[Any]) -> str:
    """The message of an error of a value that is none of the words."""
    return f"Must be one of {enumeration(words, 'or')}."


class Text(FieldType):
    """Trimmed text in NFC, without bidi controls; ``max`` applies after normalization.

    :param hint: the message of an error where the pattern does not match
    """

    def __init__(self, max: int | None = None, pattern: str = "", hint: str = "") -> None:
        self.max, self.hint = max, hint
        self.pattern = re.compile(pattern) if pattern else None

    def parse(self, node: Any, value: Any) -> str | None:
        text = self.normalized(node, value)
        if self.max is not None and len(text) > self.max:
            hint = f"Must be at most {self.max} characters."
            raise InvalidValue(node, hint, "string_too_long")
        if text and self.pattern and not self.pattern.fullmatch(text):
            raise InvalidValue(node, self.hint, "string_pattern")
        return text or None

    def normalized(self, node: Any, value: Any) -> str:
        """The text to validate, empty if it is blank."""
        return trimmed_text(node, value)


class Prose(Text):
    """Text in which bidi controls remain: a note."""

    def normalized(self, node: Any, value: Any) -> str:
        return unicode.normalize_prose(checked_text(node, value))


class Lowercase(Text):
    """Text in lower case, which can have more characters than the given one."""

    def normalized(self, node: Any, value: Any) -> str:
        return unicode.normalize(trimmed_text(node, value).lower())


class RawText(Text):
    """Text that is taken as it is: a password, a token, a session."""

    def normalized(self, node: Any, value: Any) -> str:
        return checked_text(node, value)


class Base64(FieldType):
    """Bytes in base64 (RFC 4648), also as a ``data:`` URL."""

    def parse(self, node: Any, value: Any) -> bytes:
        if not isinstance(value, str):
            raise InvalidValue(node, "Must be text.", "string_type")
        text = value
        if text.startswith("data:"):
            text = text.partition(",")[2]
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except ValueError:
            raise InvalidValue(node, "Must be base64.", "base64") from None


class Email(Lowercase):
    """An e-mail address in lower case, of at most 128 characters, as Cognito's usernames."""

    # https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SignUp.html
    # RFC 5321's Dot-string of at most 64 characters, at a domain of two labels or more.
    ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
    LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    ADDRESS = rf"(?=[^@]{{1,64}}@){ATOM}(\.{ATOM})*@{LABEL}(\.{LABEL})+"

    def __init__(self) -> None:
        super().__init__(max=128, pattern=self.ADDRESS, hint="Must be like name@example.com.")

    def normalized(self, node: Any, value: Any) -> str:
        # NFC of the Kelvin sign is an ASCII K.
        if not unicode.without_ignorable(checked_text(node, value).strip()).isascii():
            raise InvalidValue(node, self.hint, "string_pattern")
        return super().normalized(node, value)


# Of Catalan, Greek, Hebrew, Sindhi, Tibetan and Japanese: RFC 5892, section 2.6 and appendix A.
_PUNCTUATION_IN_HOSTS = "\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u30fb"


@functools.lru_cache(1024)
def _kind_in_host(character: str) -> str:
    """The kind of a character of a host name, as the pattern of WebAddress has it."""
    if character in ".\u3002\uff0e\uff61":  # browsers take the full stops of CJK for dots
        return "."
    if character == "_":
        return "a"
    if character == "-":
        return "-"
    if character in "\u200c\u200d":
        return "j"
    if character in _PUNCTUATION_IN_HOSTS:
        return "m"
    category = unicodedata.category(character)
    if category[0] not in "LMN" or not unicode.without_ignorable(character):
        return "!"
    if category[0] == "M":
        return "m"
    return "o" if category == "Lo" else "a"


class WebAddress(Text):
    """An absolute http or https URL, safe as the target of a link."""

    # RFC 5891, section 4.2, by kinds of characters: letters and digits of any script, and
    # underscores, marks after them, hyphens between, joiners between those of the scripts that have
    # them (RFC 5892, appendix A).
    LABEL = r"[ao]([aom-]|(?<=[om])j(?=[om]))*(?<!-)"
    HOST = re.compile(rf"{LABEL}(\.{LABEL})*\.?")
    # urlsplit drops tabs and newlines, as browsers do: "java\nscript:" would be a scheme.
    UNSAFE = re.compile(rf"[\x00-\x20\x7f-\x9f\u2028\u2029\\{unicode.BIDI_CONTROLS}]")

    def normalized(self, node: Any, value: Any) -> str:
        return unicode.normalize_url(checked_text(node, value))

    def parse(self, node: Any, value: Any) -> str | None:
        text = super().parse(node, value)
        if text is not None and not self._is_http_url(text):
            hint = "Must begin with http:// or https://."
            if re.match("https?://", text, re.IGNORECASE):
                hint = "Must be an address like https://example.com/jobs/1, without blanks."
            raise InvalidValue(node, hint, "url_format")
        return text

    def _is_http_url(self, text: str) -> bool:
        if self.UNSAFE.search(text):
            return False
        try:
            parts = urlsplit(text)
            host, _port = parts.hostname or "", parts.port
            # It can be percent-encoded in UTF-8 (RFC 3986, 3.2.2).
            kinds = "".join(map(_kind_in_host, unquote(host, errors="strict")))
        except ValueError:  # an invalid port, IPv6 address or encoding
            return False
        is_host = self.HOST.fullmatch(kinds) or ":" in host
        return parts.scheme in ("http", "https") and bool(is_host)


class Choice(FieldType):
    """One of a set of words, matched without regard to case."""

    def __init__(self, words: type[StrEnum] | Collection[str]) -> None:
        # A collection is not copied: that of the activity types grows with each package.
        self.words = tuple(map(str, words)) if isinstance(words, type) else words

    def parse(self, node: Any, value: Any) -> str | None:
        word = trimmed_text(node, value).lower()
        if word and word not in self.words:
            raise InvalidValue(node, one_of(self.words), "enum")
        return word or None
