"""Clients of AWS services, with bounded time-outs."""

import functools
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import boto3.session
from botocore.config import Config
from botocore.exceptions import ClientError

from jobtracker.outbound_proxies import metadata_without_proxy, proxies_for


class Timeouts(NamedTuple):
    """Time-outs of a call, in seconds: short, since a request can make several calls in turn."""

    connect: float = 1
    read: float = 2

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        return cls(settings["gateways.connect_timeout"], settings["gateways.read_timeout"])


DEFAULT_TIMEOUTS = Timeouts()
# Shared by all clients, because it caches the service models that it has loaded.
_session = functools.cache(boto3.session.Session)
# A session is not thread-safe, unlike its clients, and neither is the environment.
_making_client = threading.Lock()


def endpoint_of(service: str, region: str) -> str:
    """The public endpoint of a service of AWS."""
    return f"https://{service}.{region}.amazonaws.com"


def make_client(
    service: str,
    *,
    region: str,
    endpoint_url: str | None,
    config: Config | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    **credentials: Any,
) -> Any:
    """Create a client of an AWS service; it can be shared by all threads.

    :param endpoint_url: the endpoint of an emulator; None for that of AWS
    :raises SystemExit: when the environment's proxy for it is no HTTP proxy
    """
    try:
        proxies = proxies_for(endpoint_url or endpoint_of(service, region))
    except ValueError as error:
        raise SystemExit(str(error)) from None
    defaults = Config(
        connect_timeout=timeouts.connect,
        read_timeout=timeouts.read,
        # By default botocore retries after time-outs too, with a back-off.
        retries={"total_max_attempts": 1},
        proxies=proxies,
        # Endpoints from the environment and ~/.aws are not among our settings, and may be http.
        ignore_configured_endpoint_urls=True,
    )
    with _making_client, metadata_without_proxy():
        return _session().client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            config=defaults.merge(config) if config else defaults,
            **credentials,
        )


def error_code(error: BaseException | None) -> str:
    """Return the code of an error response of AWS, or the class name of any other exception."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return type(error).__name__


def error_message(error: BaseException | None) -> str:
    """Return the message of an error response of AWS, empty for any other exception."""
    return error.response["Error"].get("Message", "") if isinstance(error, ClientError) else ""


def with_hint(code: str, hints: Mapping[str, str]) -> str:
    """An error code and, for the log, what an operator has to correct if it persists."""
    return f"{code}: {hints[code]}" if code in hints else code
