"""Text, e-mail addresses, URLs and enumerated words."""

import re
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from jobtracker.fields.base import FieldType, InvalidValue

# No white space, no control character, no byte order mark.
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ufeff]")


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
    """The text without surrounding white space, empty if no character is visible."""
    text = checked_text(node, value).strip()
    return text if _VISIBLE.search(text) else ""


def one_of(words: Iterable[Any]) -> str:
    """The message of an error of a value that is none of the words."""
    return f"Must be one of {' or '.join(', '.join(map(str, words)).rsplit(', ', 1))}."


class Text(FieldType):
    """Trimmed text; ``hint`` is the message of an error where the pattern does not match."""

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


class Lowercase(Text):
    """Trimmed text in lower case; ``max`` applies after conversion, which can add characters."""

    def normalized(self, node: Any, value: Any) -> str:
        return trimmed_text(node, value).lower()


class RawText(Text):
    """Text that is not trimmed: a password, a token, a session."""

    def normalized(self, node: Any, value: Any) -> str:
        return checked_text(node, value)


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
        if not trimmed_text(node, value).isascii():  # the Kelvin sign's lower case is an ASCII k
            raise InvalidValue(node, self.hint, "string_pattern")
        return super().normalized(node, value)


class WebAddress(Text):
    """An absolute http or https URL, safe as the target of a link."""

    # Labels of letters and digits of any script, with hyphens between.
    HOST = re.compile(r"[^\W_]([\w-]*[^\W_])?(\.[^\W_]([\w-]*[^\W_])?)*\.?")

    def parse(self, node: Any, value: Any) -> str | None:
        text = super().parse(node, value)
        if text is not None and not self._is_http_url(text):
            hint = "Must begin with http:// or https://."
            if re.match("https?://", text, re.IGNORECASE):
                hint = "Must be an address like https://example.com/jobs/1, without blanks."
            raise InvalidValue(node, hint, "url_format")
        return text

    def _is_http_url(self, text: str) -> bool:
        # urlsplit drops tabs and newlines, as browsers do: "java\nscript:" would be a scheme.
        if re.search(r"[\x00-\x20\x7f\\]", text):
            return False
        try:
            parts = urlsplit(text)
            host, _port = parts.hostname or "", parts.port
        except ValueError:  # an invalid port or IPv6 address
            return False
        is_host = self.HOST.fullmatch(host) or ":" in host
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
