"""The HTTP client for what is not AWS's API: Turnstile, and the JWKS of the user pool."""

import json
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from jobtracker.aws import Timeouts
from jobtracker.outbound_proxies import proxies_for

POOL_SIZE = 16  # connections that are kept open to a host: about one for each thread
MAX_RESPONSE_BYTES = 256 * 1024


class JsonClient:
    """Fetches JSON documents; it can be shared by all threads.

    It uses the proxies of the environment, but no .netrc or CA bundle of it, follows no redirect,
    retries nothing and stores no cookies.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=POOL_SIZE))

    def request(self, method: str, url: str, data: Any = None) -> tuple[int, Any]:
        """Send a request, with ``data`` as a form, and return the status and the JSON document;
        requests.RequestException when there is no complete response in time, ValueError when it is
        not JSON, or has more than :data:`MAX_RESPONSE_BYTES`, or the proxy is no HTTP proxy."""
        body = bytearray()
        options: Any = {"timeout": self.timeouts, "allow_redirects": False, "stream": True}
        options["proxies"] = proxies_for(url)
        with self.session.request(method, url, data=data, **options) as response:
            for chunk in response.iter_content(8192):
                body += chunk
                if len(body) > MAX_RESPONSE_BYTES:
                    raise ValueError("The response is too large.")
        try:
            return response.status_code, json.loads(body)
        except RecursionError:
            raise ValueError("The response is nested too deeply.") from None
