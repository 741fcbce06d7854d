"""What is wrong with a file, and where."""

from typing import NamedTuple


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


class BrokenArchive(Exception):
    """Nothing more of the archive can be read."""

    def __init__(self, message: str, entry: str = "", line: int | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(message, entry, line, code="BROKEN")
