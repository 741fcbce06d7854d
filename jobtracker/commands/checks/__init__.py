"""The checks of ``jobtracker check``: one module for each system, each a generator of results."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

#: Seconds for all checks of a system together, names of hosts that do not resolve included.
SECONDS = 20


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Result(NamedTuple):
    """One line of the table.

    :param setting: the setting to change, if something is wrong
    """

    status: Status
    subject: str
    setting: str
    detail: str


#: Checks of one system, by the settings, of which those that are invalid are None.
Check = Callable[[Mapping[str, Any]], Iterator[Result]]


class System(NamedTuple):
    """A system, with the settings without which it cannot be checked."""

    name: str
    check: Check
    required: tuple[str, ...]


def ok(subject: str, setting: str, detail: str = "") -> Result:
    return Result(Status.OK, subject, setting, detail)


def warning(subject: str, setting: str, detail: str) -> Result:
    return Result(Status.WARNING, subject, setting, detail)


def error(subject: str, setting: str, detail: str) -> Result:
    return Result(Status.ERROR, subject, setting, detail)


def setting_in(text: str, prefix: str, default: str) -> str:
    """The first setting with the prefix that a text names."""
    match = re.search(rf"\b{re.escape(prefix)}\.[a-z_]+", text)
    return match[0] if match else default


def check_all(systems: Iterable[System], settings: Mapping[str, Any]) -> Iterator[Result]:
    """Check all systems at once, each within :data:`SECONDS`; the results are in their order."""
    running = []
    for system in systems:
        results: list[Result] = []
        arguments = (system, settings, results)
        thread = threading.Thread(target=_check, args=arguments, daemon=True)
        thread.start()
        running.append((system, thread, results))
    for system, thread, results in running:
        thread.join(SECONDS)
        yield from list(results)
        if thread.is_alive():
            setting = system.required[0]
            yield error(system.name, setting, f"no further result within {SECONDS} seconds")


def _check(system: System, settings: Mapping[str, Any], results: list[Result]) -> None:
    missing = [name for name in system.required if settings[name] is None]
    if missing:
        results.append(warning(system.name, missing[0], "not checked without this setting"))
        return
    try:
        for result in system.check(settings):
            results.append(result)
    except SystemExit as exit_:  # of a proxy, for example
        results.append(error(system.name, system.required[0], str(exit_)))
    except Exception as problem:
        detail = f"{type(problem).__name__}: {problem}"
        results.append(error(system.name, system.required[0], detail))
