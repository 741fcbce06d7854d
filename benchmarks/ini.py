"""production.ini, as it is but for where things are."""

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
) -> Path:
    """Write the file that a benchmark serves by.

    :param app: settings of ``[app:main]`` that are other than in production
    :param workers: where the server knows of workers; production's says so in its section
    :param server: ``[server:main]`` as a whole, where it is not to be that of production
    :param options: settings of ``[server:main]`` that are other than in production
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
    _listen(ini, port)
    if server is not None or re.search(r"^#? ?workers *=", text, flags=re.MULTILINE):
        ini.set("server:main", "workers", str(workers))
    with target.open("w") as file:
        ini.write(file)
    return target


def _listen(ini: configparser.RawConfigParser, port: int) -> None:
    """On a port of this machine, however the section says where."""
    section = "server:main"
    for name in ("listen", "bind"):
        if ini.has_option(section, name):
            ini.set(section, name, f"127.0.0.1:{port}")
            return
    ini.set(section, "host", "127.0.0.1")
    ini.set(section, "port", str(port))


def variables() -> set[str]:
    """The names of the environment variables that production.ini asks for."""
    return set(re.findall(r"^[^#\n]*\$\{(\w+)\}", PRODUCTION.read_text(), flags=re.MULTILINE))
