"""Text, which is trimmed, and what it can be."""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from jobtracker.fields.base import FieldType, InvalidValue


def checked_text(node: Any, value: Any) -> str:
    """Text that PostgreSQL and UTF-8 can hold.

    :raises InvalidValue: for another type, NUL, or half of a surrogate pair
    """
    if not isinstance(value, str):
        raise InvalidValue(node, "Must be a string.", "string_type")
    if "\0" in value:
        raise InvalidValue(node, "Must not contain the character NUL.", "string_characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidValue(node, "Must be valid Unicode.", "string_characters") from None
    return value


# What shows at all: no blank, no control character, no byte order mark.
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ufeff]")


def trimmed_text(node: Any, value: Any) -> str:
    """Text without blanks at its ends, which is empty where nothing shows.

    :raises InvalidValue: as :func:`checked_text`
    """
    text = checked_text(node, value).strip()
    return text if _VISIBLE.search(text) else ""


class Text(FieldType):
    """Text, trimmed. ``max`` counts characters."""

    def __init__(self, max: int | None = None, pattern: str = "", hint: str = "") -> None:
        self.max = max
        self.pattern = re.compile(pattern) if pattern else None
        self.hint = hint

    def parse(self, node: Any, value: Any) -> str | None:
        return self.bounded(node, trimmed_text(node, value))

    def bounded(self, node: Any, text: str) -> str | None:
        if self.max is not None and len(text) > self.max:
            raise InvalidValue(node, f"Must be at most {self.max} characters.", "string_too_long")
        if text and self.pattern and not self.pattern.fullmatch(text):
            raise InvalidValue(node, self.hint, "string_pattern")
        return text or None


class Lowercase(Text):
    """Text, lowercased; so it is measured: some letters become two."""

    def parse(self, node: Any, value: Any) -> str | None:
        return self.bounded(node, trimmed_text(node, value).lower())


class RawText(Text):
    """Text that is taken as it is, blanks at its ends included: a password, an answer."""

    def parse(self, node: Any, value: Any) -> str | None:
        return self.bounded(node, checked_text(node, value))


class Email(Text):
    """An e-mail address, lowercased. 128 characters is Cognito's bound for a username.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SignUp.html
    """

    # RFC 5321's Dot-string of at most 64 characters, at a domain of two labels or more.
    ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
    LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    ADDRESS = rf"(?=[^@]{{1,64}}@){ATOM}(\.{ATOM})*@{LABEL}(\.{LABEL})+"

    def __init__(self) -> None:
        super().__init__(max=128, pattern=self.ADDRESS, hint="Must be an e-mail address.")

    def parse(self, node: Any, value: Any) -> str | None:
        text = trimmed_text(node, value)
        if not text.isascii():  # before it is lowercased: a Kelvin sign becomes a k
            raise InvalidValue(node, self.hint, "string_pattern")
        return self.bounded(node, text.lower())


class WebAddress(Text):
    """An http or https URL: one that is safe to show as a link."""

    # Labels of letters and digits, of any script, with hyphens between.
    HOST = re.compile(r"[^\W_]([\w-]*[^\W_])?(\.[^\W_]([\w-]*[^\W_])?)*\.?")

    def parse(self, node: Any, value: Any) -> str | None:
        text = super().parse(node, value)
        if text is not None and not self._is_web(text):
            raise InvalidValue(node, "Must be an http or https address.", "url_format")
        return text

    @staticmethod
    def _is_web(text: str) -> bool:
        # urlsplit drops tabs and newlines before it looks, as browsers do: "java\nscript:" is one.
        if re.search(r"[\x00-\x20\x7f\\]", text):
            return False
        try:
            parts = urlsplit(text)
            host, _port = parts.hostname or "", parts.port
        except ValueError:  # a port that is none, brackets that hold no IPv6 address
            return False
        is_host = WebAddress.HOST.fullmatch(host) or ":" in host
        return parts.scheme in ("http", "https") and bool(is_host)


class Choice(FieldType):
    """One of some words, in any case; lowercased."""

    def __init__(self, words: type[StrEnum] | Collection[str]) -> None:
        self.words = tuple(str(word) for word in words)

    def parse(self, node: Any, value: Any) -> str | None:
        word = trimmed_text(node, value).lower()
        if word and word not in self.words:
            raise InvalidValue(node, f"Must be one of {', '.join(self.words)}.", "enum")
        return word or None
