"""The proxies of the environment, by one rule for Cognito, its JWKS, S3 and Turnstile.

These are ``https_proxy``, ``http_proxy`` and ``all_proxy``, unless ``no_proxy`` has the host, each
in lower or upper case. This machine's own addresses are never reached by a proxy.
"""

import contextlib
import os
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies

from requests.utils import select_proxy, should_bypass_proxies

from jobtracker.settings import is_loopback

# The instance metadata service of EC2, from which botocore gets the credentials of the role.
METADATA_ADDRESSES = "169.254.169.254,[fd00:ec2::254]"


def proxies_for(url: str) -> dict[str, str]:
    """Return the proxy for a URL, by its scheme, as botocore and requests take it; none if empty.

    :raises ValueError: when it is not an HTTP proxy
    """
    parts = urlsplit(url)
    if is_loopback(parts.hostname or "") or should_bypass_proxies(url, None):
        return {}
    proxy = select_proxy(url, getproxies())
    if not proxy:
        return {}
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.lower().startswith(("http://", "https://")):  # socks5://, for example
        raise ValueError(
            f"The proxy of the environment for {parts.hostname} is not an HTTP proxy like "
            "http://host:port. Change https_proxy or all_proxy, or add the host to no_proxy."
        )
    return {parts.scheme: proxy}


@contextlib.contextmanager
def metadata_without_proxy() -> Iterator[None]:
    """Let clients of boto3 that are made meanwhile reach the instance metadata without a proxy,
    which would answer for itself."""
    before = os.environ.get("no_proxy")
    others = before or os.environ.get("NO_PROXY") or ""
    os.environ["no_proxy"] = f"{others},{METADATA_ADDRESSES}"
    try:
        yield
    finally:
        del os.environ["no_proxy"]
        if before is not None:
            os.environ["no_proxy"] = before
