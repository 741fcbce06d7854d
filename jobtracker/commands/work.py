"""Run tasks as they come, and clean up every minute (sweeper.interval).

SIGTERM or SIGINT end it after a batch, which is one transaction; what is left of a task, another
worker does.
"""

import argparse
import os
import signal

from jobtracker.commands import ini
from jobtracker.worker import Worker

PARSER = ini.parser()

# Added to the nice value: servers on the same machine go first (nice(2)).
NICENESS = 10


def run(arguments: argparse.Namespace) -> None:
    os.nice(NICENESS)
    with ini.application(arguments.ini, "work") as registry:
        worker = Worker(registry)

        def stop(signal_number: int, _frame: object) -> None:
            signal.signal(signal_number, signal.SIG_DFL)  # a second one does not wait
            worker.stop()

        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, stop)
        worker.run()
