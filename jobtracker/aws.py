"""How we speak to AWS, and to others outside: clients that answer or fail in bounded time."""

import functools
from typing import Any, NamedTuple, Self

import botocore.session
from botocore.config import Config


class Timeouts(NamedTuple):
    """Seconds. A call that needs more has failed, as far as whoever waits for it is concerned.

    No answer of ours waits for more than two calls: with these, none takes longer than 5 seconds.
    """

    connect: float = 1
    read: float = 2

    @classmethod
    def of_settings(cls, settings: dict[str, Any]) -> Self:
        return cls(settings["gateways.connect_timeout"], settings["gateways.read_timeout"])


USUAL_TIMEOUTS = Timeouts()

# One for all clients: it keeps what it has read of AWS's service models.
_session = functools.cache(botocore.session.get_session)


def make_client(
    service: str,
    *,
    region: str,
    endpoint_url: str | None,
    config: Config | None = None,
    timeouts: Timeouts = USUAL_TIMEOUTS,
    **credentials: Any,
) -> Any:
    """A client of an AWS service; it can be shared by all threads.

    :param endpoint_url: where the service is, when it is not AWS itself
    """
    bounds = Config(
        connect_timeout=timeouts.connect,
        read_timeout=timeouts.read,
        # botocore would also try again after a time-out, and wait in between.
        retries={"total_max_attempts": 1},
        # An endpoint in the environment or in ~/.aws could be plain http, and is nobody's setting.
        ignore_configured_endpoint_urls=True,
    )
    return _session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        config=bounds.merge(config) if config else bounds,
        **credentials,
    )
