"""Time-outs that a machine that pauses for seconds does not reach."""

import urllib3

from jobtracker.aws import Timeouts

#: Settings of the application.
LONG_TIMEOUTS = {
    "gateways.connect_timeout": "20",
    "gateways.read_timeout": "20",
    "sqlalchemy.connect_timeout": "20",
    "sqlalchemy.pool_timeout": "20",
    "sqlalchemy.lock_timeout": "20",
    "sqlalchemy.statement_timeout": "30",
}

#: Of clients of AWS.
LONG_AWS_TIMEOUTS = Timeouts(20, 20)

#: As ``urllib3.request()``, whose time-out is 3 seconds.
http_request = urllib3.PoolManager(timeout=20).request


def with_default_timeouts(settings: dict[str, str]) -> dict[str, str]:
    """The settings of an application whose time-outs are tested."""
    return {name: value for name, value in settings.items() if name not in LONG_TIMEOUTS}
