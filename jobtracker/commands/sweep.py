"""Clean up once: jobtracker work does it every minute, or cron every ten."""

import argparse

from jobtracker.commands import ini
from jobtracker.sweep import make_sessions, sweep

PARSER = ini.parser()


def run(arguments: argparse.Namespace) -> str | None:
    with ini.application(arguments.ini, "sweep") as registry:
        registry["db_sessions"] = make_sessions(registry.settings)
        return sweep(registry)
