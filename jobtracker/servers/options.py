"""The options of a server in an ini file, which PasteDeploy passes as strings."""

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from pyramid.settings import asbool

from jobtracker.settings import InvalidSettings


def _number(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) == 0:
        raise ValueError("must be a whole number above 0")
    return int(value)


def _seconds(value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        raise ValueError("must be a number of seconds")
    return float(value)


# By the type of an option's default.
_PARSERS: dict[type, Callable[[str], Any]] = {int: _number, float: _seconds, bool: asbool, str: str}


def parse(
    factory: Callable[..., Any], raw: Mapping[str, str]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the options of a factory, each of the type of its default, and those that are unknown
    or malformed, each with the reason. A blank one counts as left out."""
    parameters = inspect.signature(factory).parameters.values()
    types = {each.name: type(each.default) for each in parameters if each.default is not each.empty}
    typed, problems = {}, []
    for name, value in raw.items():
        if name not in types:
            problems.append((name, "there is no such setting"))
        elif text := value.strip():
            try:
                typed[name] = _PARSERS[types[name]](text)
            except ValueError as error:
                problems.append((name, str(error)))
    return typed, problems


def from_strings(factory: Callable[..., Any]) -> Callable[..., Any]:
    """Let a factory of servers take its options as strings.

    :raises InvalidSettings: for those that are unknown or malformed
    """

    @functools.wraps(factory)
    def make(global_config: dict[str, str], **raw: str) -> Any:
        typed, problems = parse(factory, raw)
        if problems:
            raise InvalidSettings(*problems)
        return factory(global_config, **typed)

    return make
