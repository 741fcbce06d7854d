"""The clock of this machine, compared with those of other systems."""

import time

from jobtracker.auth.clock import TOLERANCE, CognitoClock
from jobtracker.commands.checks import Result, error, ok


def compare(system: str, setting: str, ahead: float) -> Result:
    """:param ahead: seconds by which the clock of the system is ahead of this machine's"""
    subject = f"{system}: clock"
    if abs(ahead) <= TOLERANCE:
        return ok(subject, setting, "as this machine's")
    direction = "behind" if ahead > 0 else "ahead of it"
    return error(subject, setting, f"this machine's is {abs(ahead):.0f} s {direction}")


def ahead_of(clock: CognitoClock) -> float:
    """The seconds by which a clock is ahead that has read a response; 0 if it has read none."""
    now = time.time()
    return min(clock.earliest() - now, clock.latest() - now, key=abs)
