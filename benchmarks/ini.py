"""Ini files for benchmarks: production.ini with other addresses."""

import configparser
import re
from collections.abc import Mapping
from pathlib import Path

from jobtracker.local import CHECKOUT

PRODUCTION = CHECKOUT / "production.ini"


def derive(
    target: Path,
    *,
    app: Mapping[str, str],
    port: int,
    workers: int,
    server: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    access_log: bool = False,
) -> Path:
    """Write an ini file.

    :param app: settings that are changed or added in ``[app:main]``
    :param workers: the number of worker processes, if the server has such a setting
    :param server: replaces ``[server:main]``
    :param options: settings that are changed or added in ``[server:main]``
    """
    ini = configparser.RawConfigParser()
    ini.optionxform = str  # type: ignore[assignment,method-assign]
    text = PRODUCTION.read_text().replace("%(here)s", str(CHECKOUT))
    ini.read_string(text)
    for name, value in app.items():
        ini.set("app:main", name, value)
    if server is not None:
        ini.remove_section("server:main")
        ini.add_section("server:main")
        for name, value in server.items():
            ini.set("server:main", name, value)
    for name, value in (options or {}).items():
        ini.set("server:main", name, value)
    if access_log:
        ini.set("logger_access", "level", "INFO")
    _set_address(ini, port)
    if server is not None or re.search(r"^#? ?workers *=", text, flags=re.MULTILINE):
        ini.set("server:main", "workers", str(workers))
    with target.open("w") as file:
        ini.write(file)
    return target


def _set_address(ini: configparser.RawConfigParser, port: int) -> None:
    """Listen on a loopback port, by the setting that the section has for it."""
    section = "server:main"
    for name in ("listen", "bind"):
        if ini.has_option(section, name):
            ini.set(section, name, f"127.0.0.1:{port}")
            return
    ini.set(section, "host", "127.0.0.1")
    ini.set(section, "port", str(port))


def variables() -> set[str]:
    """The names of the environment variables in production.ini."""
    return set(re.findall(r"^[^#\n]*\$\{(\w+)\}", PRODUCTION.read_text(), flags=re.MULTILINE))
