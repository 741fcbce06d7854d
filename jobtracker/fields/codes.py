"""Codes that people read in an e-mail or an app, and type or paste."""

import re
import unicodedata
from typing import Any

from jobtracker import unicode
from jobtracker.fields.text import Text, checked_text

_BLANK = re.compile(f"[{unicode.BLANK}]")
_DASH = re.compile("[-\u2010-\u2015\u2212]")


def normalized_code(code: str) -> str:
    """The code without blanks, with ASCII digits for those of any script, and without the dashes
    between digits: ``123456`` for ``123 456`` and ``123-456``."""
    text = "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in _BLANK.sub("", unicode.without_ignorable(code))
    )
    digits = _DASH.sub("", text)
    return digits if re.fullmatch("[0-9]+", digits) else text


class Code(Text):
    """A code, normalized.

    :param digits: their number; None for any printable ASCII characters
    """

    def __init__(self, max: int | None = None, digits: int | None = None) -> None:
        self.digits = digits
        if digits is None:
            super().__init__(max, pattern="[!-~]+", hint="Must be letters and digits.")
        else:
            super().__init__(max, pattern=f"[0-9]{{{digits}}}", hint=f"Must be {digits} digits.")

    def normalized(self, node: Any, value: Any) -> str:
        return normalized_code(checked_text(node, value))
