"""Environment variables in settings, as ``${NAME}``, and the files that ``NAME_FILE`` names.

The variables of a running process do not change, the contents of a file can: by :func:`read_again`
a secret is rotated without a restart.
"""

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Self

log = logging.getLogger(__name__)


class UnsetVariable(ValueError):
    """An environment variable that a setting uses is not set, or its file cannot be read."""


class Variable(str):
    """The value of a setting that has environment variables, as it was when it was read."""

    _setting: str
    _read: Callable[[], str]

    @classmethod
    def of(cls, value: str, setting: str, read: Callable[[], str]) -> Self:
        """:param read: returns the value as of now; ValueError with the reason"""
        variable = cls(value)
        variable._setting, variable._read = setting, read
        return variable

    def as_of_now(self) -> Self:
        """The value as of now; itself if that is the same or cannot be read."""
        try:
            value = self._read()
        except ValueError as error:
            log.error("Setting %s: %s", self._setting, error)
            return self
        if value == self:
            return self
        log.warning("Setting %s: has changed, and is used as it is now", self._setting)
        return self.of(value, self._setting, self._read)


def read_again(value: str | None) -> str | None:
    """The value of a setting as of now: what was rejected may have been rotated."""
    return value.as_of_now() if isinstance(value, Variable) else value


def expand(raw: str) -> str:
    """The value of a setting with its environment variables, without blanks around it.

    :raises UnsetVariable: for variables that are not set, and files that cannot be read
    """
    values = {name: _value(name) for name in dict.fromkeys(re.findall(r"\$\{(\w+)\}", raw))}
    if unset := [name for name, value in values.items() if value is None]:
        raise UnsetVariable(f"the environment variable {' and '.join(unset)} is not set")
    return re.sub(r"\$\{(\w+)\}", lambda match: str(values[match[1]]), raw).strip()


def _value(name: str) -> str | None:
    """The value of an environment variable, or the contents of the file of ``NAME_FILE``."""
    value, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if path is None:
        return value
    if value is not None:
        raise UnsetVariable(f"the environment variables {name} and {name}_FILE are both set")
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise UnsetVariable(f"the file of {name}_FILE cannot be read: {reason}") from None
