"""Programs that go from user to user."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from jobtracker.errors import DATABASE_ERRORS

T = TypeVar("T")


def sum_over(items: Iterable[T], work: Callable[[T], int]) -> int:
    """The sum of what a function returns for each item, as for each user.

    A statement that fails for one, as by its time-out, does not keep the others waiting: its error
    is raised at the end. An error without an SQLSTATE, as of a connection, is raised at once.
    """
    number, failed = 0, None
    for item in items:
        try:
            number += work(item)
        except DATABASE_ERRORS as error:
            cause = getattr(error, "orig", error)
            if getattr(cause, "sqlstate", None) is None:
                raise
            failed = error
    if failed is not None:
        raise failed
    return number
