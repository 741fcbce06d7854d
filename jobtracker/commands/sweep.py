"""Clean up and run the tasks that are due, once: for cron, where jobtracker work does not run."""

import argparse

from jobtracker.commands import ini
from jobtracker.sweep import make_sessions, sweep

PARSER = ini.parser()


def run(arguments: argparse.Namespace) -> str | None:
    with ini.application(arguments.ini, "sweep") as registry:
        registry["db_sessions"] = make_sessions(registry.settings)
        return sweep(registry)
