"""Cognito's clock, with which the times in its tokens have to be compared."""

import logging
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

log = logging.getLogger(__name__)

# Seconds that are no difference: a Date is in whole seconds, and its response can be late.
TOLERANCE = 5


class CognitoClock:
    """The time by Cognito's clock, which is this machine's until a response tells otherwise."""

    def __init__(self) -> None:
        self._offset = 0.0  # seconds by which Cognito's clock is ahead
        self._warned = False

    def now(self) -> float:
        """The Unix time."""
        return time.time() + self._offset

    def read(self, response: Mapping[str, Any]) -> None:
        """Compare with the ``Date`` of a response of Cognito that has just been received."""
        try:
            date = response["ResponseMetadata"]["HTTPHeaders"]["date"]
            offset = parsedate_to_datetime(date).timestamp() - time.time()
        except (KeyError, TypeError, ValueError):
            return
        self._offset = offset if abs(offset) > TOLERANCE else 0.0
        self.warn(offset)

    def warn(self, offset: float) -> None:
        """Log, once, that Cognito's clock is ahead by more seconds than the tolerance, or behind if
        they are negative."""
        if abs(offset) > TOLERANCE and not self._warned:
            self._warned = True
            direction = "behind" if offset > 0 else "ahead of"
            log.warning(
                "The clock of this machine is %d seconds %s Cognito's; synchronize it (NTP)",
                round(abs(offset)),
                direction,
            )
