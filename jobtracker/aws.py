"""How we speak to AWS: clients that answer or fail in bounded time."""

import functools
from typing import Any

import botocore.session
from botocore.config import Config

# Seconds. A call that needs more has failed, as far as whoever waits for it is concerned.
CONNECT_TIMEOUT = 1
READ_TIMEOUT = 3


# One for all clients: it keeps what it has read of AWS's service models.
_session = functools.cache(botocore.session.get_session)


def make_client(
    service: str, *, region: str, endpoint_url: str | None, config: Config, **credentials: Any
) -> Any:
    """A client of an AWS service; it can be shared by all threads.

    :param endpoint_url: where the service is, when it is not AWS itself
    """
    bounds = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        # An endpoint in the environment or in ~/.aws could be plain http, and is nobody's setting.
        ignore_configured_endpoint_urls=True,
    )
    return _session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        config=bounds.merge(config),
        **credentials,
    )
