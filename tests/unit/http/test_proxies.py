"""What trusted proxies say of the client, and what others cannot."""

from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest

from jobtracker.http.proxies import client_address, removed_prefix

TRUSTED = ("10.0.0.0/8", "2001:db8::/32", "127.0.0.1")


def request_from(remote: str, **headers: str) -> Any:
    settings = {"proxies.trusted": tuple(map(ip_network, TRUSTED))}
    registry = SimpleNamespace(settings=settings)
    return SimpleNamespace(registry=registry, environ={"REMOTE_ADDR": remote, **headers})


@pytest.mark.parametrize(
    ("remote", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # not a proxy of ours
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.5, 198.51.100.7", "198.51.100.7"),  # the first: anybody's word
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),  # two proxies
        # Azure, IIS, Squid: with a port; RFC 7239 has brackets and quotes.
        ("10.0.0.1", "198.51.100.7:5678", "198.51.100.7"),
        ("10.0.0.1", "[2001:470::1]:443", "2001:470::1"),
        ("10.0.0.1", "[2001:470::1]", "2001:470::1"),
        ("10.0.0.1", '"[2001:470::1]:443"', "2001:470::1"),
        ("10.0.0.1", '"[2001:470::1]"', "2001:470::1"),
        ("10.0.0.1", '"198.51.100.7:5678"', "198.51.100.7"),
        ("10.0.0.1", "2001:470::1", "2001:470::1"),
        ("10.0.0.1", "[::ffff:198.51.100.7]:80", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7:", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7:_http", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7:5678, [2001:db8::9]:443, 10.0.0.2:80", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.5,198.51.100.7:1", "198.51.100.7"),  # several headers
        ("10.0.0.1", "198.51.100.7 , , 10.0.0.2,", "198.51.100.7"),
        ("10.0.0.1", ", ,", "10.0.0.1"),
        # What is no address ends the search at the proxy that said so.
        ("10.0.0.1", "garbage, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, _hidden:443, 10.0.0.2:1", "10.0.0.2"),
        ("10.0.0.1", "[2001:470::1", "10.0.0.1"),
        ("10.0.0.1", "2001:470::1]:443", "10.0.0.1"),
        ("10.0.0.1", "[198.51.100.7", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7:80:80", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.256:80", "10.0.0.1"),
        ("10.0.0.1", "http://198.51.100.7", "10.0.0.1"),
        ("10.0.0.1", "[" * 5000, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8::1", "198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", "198.51.100.7"),  # a Unix socket: this machine
    ],
)
def test_client_address_is_the_last_untrusted_one(remote: str, forwarded: str | None, client: str):
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    request = request_from(remote, **headers)
    assert str(client_address(request.environ, request.registry)) == client


@pytest.mark.parametrize(
    ("remote", "forwarded", "prefix"),
    [
        ("10.0.0.1", "/api", "/api"),
        ("10.0.0.1", " /api/ ", "/api"),
        ("10.0.0.1", "/a/b-c.d~e_f/1", "/a/b-c.d~e_f/1"),
        ("10.0.0.1", "/outer, /inner/", "/outer/inner"),  # two of Traefik
        ("10.0.0.1", "/", ""),
        ("10.0.0.1", "", ""),
        ("192.0.2.1", "/api", ""),  # not a proxy of ours
        *(
            ("10.0.0.1", forged, "")
            for forged in (
                "api",
                "//evil.example",
                "/a//b",
                "https://evil.example",
                "/a/../b",
                "/.",
            )
        ),
        *(("10.0.0.1", f"/a{character}b", "") for character in " ?#\"'<>\\%\r\n\0\u00fc"),
    ],
)
def test_removed_prefix_is_a_path_that_a_trusted_proxy_names(
    remote: str, forwarded: str, prefix: str
):
    request = request_from(remote, HTTP_X_FORWARDED_PREFIX=forwarded)
    assert removed_prefix(request) == prefix
    assert removed_prefix(request_from(remote)) == ""
