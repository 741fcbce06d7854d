"""The command ``jobtracker``: one module for each subcommand.

Each has ``PARSER``, of its arguments, and ``run(arguments)``, which returns the exit status, or the
line of an error. Errors of operators are one line and the exit status 1, those of usage 2.
"""

import argparse
import importlib
import os
import signal
import sys
from typing import Any, NoReturn

COMMANDS = {
    "init": "write an ini file with all settings",
    "check": "check the settings, and all systems that they name",
    "settings": "print the settings, without secrets",
    "migrate": "migrate the database to the newest schema",
    "serve": "serve, as pserve does",
    "sweep": "clean up and run tasks, once",
    "work": "run tasks, and clean up every minute, until SIGTERM",
    "export": "write all that a user stores to a file",
    "import": "import what an export has written, for a user",
    "undelete": "undo the deletion of an account",
    "after-restore": "invalidate what is known of lost data",
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help)\n")


def main() -> None:
    execute(sys.argv[1:])


def sweep() -> None:
    """The console command ``jobtracker-sweep``: ``jobtracker sweep``."""
    execute(["sweep", *sys.argv[1:]])


def after_restore() -> None:
    """The console command ``jobtracker-after-restore``: ``jobtracker after-restore``."""
    execute(["after-restore", *sys.argv[1:]])


def execute(arguments: list[str]) -> NoReturn:
    """Run a subcommand, and exit with its status."""
    # While modules are imported, Ctrl-C ends this process at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = Parser(prog="jobtracker", description="A REST backend for people who look for work.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version, and exit")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    module = None
    for name, summary in COMMANDS.items():
        options: dict[str, Any] = {}
        if name in arguments[:1]:
            module = importlib.import_module(f"jobtracker.commands.{name.replace('-', '_')}")
            options = {"parents": [module.PARSER], "add_help": False}
            options["description"] = module.__doc__
            options["formatter_class"] = argparse.RawDescriptionHelpFormatter
        subparsers.add_parser(name, help=summary, **options)
    try:
        parsed = parser.parse_args(arguments)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        status = None if module is None else module.run(parsed)
    except SystemExit as error:
        status = error.code
    except KeyboardInterrupt:
        _end_by(signal.SIGINT)
    except BrokenPipeError:
        _end_by(signal.SIGPIPE)
    except OSError as error:  # a full disk, for example
        status = f"jobtracker: {error}"
    _exit(status)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_arguments: object) -> NoReturn:
        from jobtracker import __version__

        print(__version__)
        parser.exit()


def _exit(status: object) -> NoReturn:
    """Exit, after what was printed has been written: whatever reads it may have ended."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _end_by(signal.SIGPIPE)
    except OSError as error:
        status = f"jobtracker: {error}"
        # What cannot be written is not written again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(status, str):
        sys.exit(status)  # type: ignore[arg-type]
    from jobtracker.logs.uncaught import logged_exit

    with logged_exit():
        sys.exit(status)


def _end_by(signal_number: signal.Signals) -> NoReturn:
    """End this process by a signal, as if it did not handle it."""
    signal.signal(signal_number, signal.SIG_DFL)
    os.kill(os.getpid(), signal_number)
    raise AssertionError
