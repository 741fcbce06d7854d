"""Check the settings, and all systems that they name; the exit status is 1 if something is wrong.

One line for each check: ok, warning or error, what was checked, the setting, and what is wrong. S3
is checked with a small object, which is put, got and deleted; nothing else is changed.

With --after-restore it compares the documents with the objects of the bucket instead, and changes
nothing at all.
"""

import argparse
import logging
from collections.abc import Iterator, Mapping
from configparser import InterpolationError
from typing import Any

from plaster_pastedeploy import Loader

from jobtracker import settings as settings_
from jobtracker.commands import checks, ini
from jobtracker.commands.checks import (
    Result,
    Status,
    System,
    cognito,
    objects,
    postgres,
    rate_limits,
    s3,
    turnstile,
)
from jobtracker.commands.settings import effective, mask, secrets_of
from jobtracker.servers import granian_server, options

GRANIAN = "egg:jobtracker#granian"

PARSER = ini.parser()
PARSER.add_argument(
    "--after-restore",
    action="store_true",
    help="find documents and exports without their object, and objects without a row",
)


def run(arguments: argparse.Namespace) -> int:
    loader = ini.load(arguments.ini)
    ini.set_up_logging(arguments.ini, loader)
    logging.disable()  # what is wrong is in the table
    raw = effective(loader)
    settings, problems = settings_.parse(raw)
    problems += server_problems(loader)
    secrets = secrets_of(raw)
    ini_file = arguments.ini.partition("#")[0]
    check_systems = compare if arguments.after_restore else check
    results = []
    for result in check_systems(settings, problems, ini_file):
        if isinstance(result, Result):
            results.append(result._replace(detail=mask(result.detail, secrets)))
        else:  # there can be many: each is printed at once
            print(result)
    print(table(results))
    return int(any(result.status is Status.ERROR for result in results))


def server_problems(loader: Loader) -> list[tuple[str, str]]:
    """The settings of [server:main] that are unknown or malformed, each with the reason."""
    try:
        raw = dict(loader.get_settings("server:main"))
    except InterpolationError:  # of variables that are given to jobtracker serve
        return []
    if raw.pop("use", None) != GRANIAN:
        return []
    _options, problems = options.parse(granian_server.server_factory, raw)
    return problems


def check(
    settings: Mapping[str, Any], problems: list[tuple[str, str]], ini_file: str
) -> Iterator[Result]:
    yield from check_settings(settings, problems)
    systems = [
        System("PostgreSQL", postgres.check_primary(ini_file), ("sqlalchemy.url",)),
        System("Cognito", cognito.check, ("cognito.region", cognito.POOL, cognito.CLIENT)),
        System("S3", s3.check, ("s3.bucket", "s3.region")),
        System("Turnstile", turnstile.check, ("turnstile.url",)),
        System("Rate limits", rate_limits.check, ("rate_limits.storage",)),
    ]
    if settings["sqlalchemy.reading_url"] is not None:
        replica = (postgres.REPLICA_URL, "sqlalchemy.url")
        systems.insert(1, System("Replica", postgres.check_replica, replica))
    yield from checks.check_all(systems, settings)


def compare(
    settings: Mapping[str, Any], problems: list[tuple[str, str]], _ini_file: str
) -> Iterator[Result | str]:
    """The results of the comparison of documents with objects, and a line for each difference."""
    names = ("sqlalchemy.", "s3.")
    relevant = [each for each in problems if each[0].startswith(names)]
    yield from check_settings(settings, relevant)
    if not relevant:
        yield from objects.compare(settings)


def check_settings(
    settings: Mapping[str, Any], problems: list[tuple[str, str]]
) -> Iterator[Result]:
    for name, reason in problems:
        yield checks.error("Settings", name, reason)
    if not problems:
        yield checks.ok("Settings", "", f"{len(settings)} are valid")
    for name, reason in settings_.insecure_settings(settings):
        yield checks.warning("Settings", name, reason)


def table(results: list[Result]) -> str:
    """The results as a table, each one line."""
    rows = [("RESULT", "CHECKED", "SETTING", ""), *results]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for row in rows:
        *cells, detail = (" ".join(str(cell).split()) for cell in row)
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append("  ".join([*padded, detail]).rstrip())
    return "\n".join(lines)
