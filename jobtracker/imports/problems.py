"""What is wrong with a file, and where."""

from typing import Any, NamedTuple

MAX_NAME = 300


class Problem(NamedTuple):
    """Why a file cannot be imported.

    :param entry: of the archive; empty for the archive itself
    :param line: from 1
    :param code: as of the errors of requests
    """

    message: str
    entry: str = ""
    line: int | None = None
    field: str | None = None
    code: str = "INVALID"

    def as_json(self) -> dict[str, Any]:
        """The names are of the file: they are cut, and JSONB cannot have the character NUL."""
        names = {"entry": self.entry, "field": self.field}
        return self._asdict() | {
            key: name and name.replace("\0", "\ufffd")[:MAX_NAME] for key, name in names.items()
        }


class BrokenArchive(Exception):
    def __init__(self, message: str, entry: str = "", line: int | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(message, entry, line, code="BROKEN")
