"""Cognito's clock, with which the times in its tokens have to be compared."""

import logging
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

log = logging.getLogger(__name__)

TOLERANCE = 5  # seconds by which clocks can differ without a warning


class CognitoClock:
    """The time by Cognito's clock, which is this machine's until a response tells otherwise.

    Where the clocks differ, it is known within bounds: a ``Date`` is in whole seconds, and of a
    moment between the request and the response.
    """

    def __init__(self) -> None:
        # Bounds of the seconds by which Cognito's clock is ahead.
        self._bounds = 0.0, 0.0
        self._warned = False

    def earliest(self) -> float:
        """The Unix time that it is at least."""
        return time.time() + self._bounds[0]

    def latest(self) -> float:
        """The Unix time that it is at most."""
        return time.time() + self._bounds[1]

    def read(self, response: Mapping[str, Any], sent_at: float) -> None:
        """Compare with the ``Date`` of a response of Cognito that has just been received.

        :param sent_at: when its request was sent, Unix time of this machine
        """
        try:
            date = response["ResponseMetadata"]["HTTPHeaders"]["date"]
            seconds = parsedate_to_datetime(date).timestamp()
        except (KeyError, TypeError, ValueError):
            return
        least, most = seconds - time.time(), seconds + 1 - sent_at
        # Otherwise the clocks agree, or this machine's was set in the meantime.
        differs = 0 < least <= most or least <= most < 0
        self._bounds = (least, most) if differs else (0.0, 0.0)
        self.warn(min(self._bounds, key=abs))

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
