"""The proxies of the environment: for remote hosts, and never for this machine."""

import os
from typing import Any

import pytest

from jobtracker.auth.http_client import JsonClient
from jobtracker.aws import DEFAULT_TIMEOUTS, make_client
from jobtracker.outbound_proxies import METADATA_ADDRESSES, metadata_without_proxy, proxies_for

DEAD = "http://127.0.0.1:1"
LOCAL_URLS = [
    *("http://127.0.0.1:6544", "http://127.8.9.10", "http://localhost:1/x", "http://LOCALHOST"),
    *("http://[::1]:6544", "http://[::ffff:127.0.0.1]", "https://localhost"),
]
REMOTE_URLS = [
    "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_A/.well-known/jwks.json",
    "https://challenges.cloudflare.com/turnstile/v0/siteverify",
    "https://127.0.0.1.example",
]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def proxies_of(client: Any) -> dict[str, str]:
    return client._endpoint.http_session._proxy_config._proxies


def client_of(service: str, endpoint_url: str | None) -> Any:
    keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return make_client(service, region="eu-central-1", endpoint_url=endpoint_url, **keys)


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_proxy_is_used_for_remote_hosts_alone(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, "http://user:pw@proxy.example:3128")
    for url in REMOTE_URLS:
        assert proxies_for(url) == {"https": "http://user:pw@proxy.example:3128"}
    for url in LOCAL_URLS:
        assert proxies_for(url) == {}


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize("value", ["*", ".amazonaws.com", "amazonaws.com, x.example"])
def test_no_proxy_excludes_hosts(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("all_proxy", "proxy.example:3128")
    assert proxies_for(REMOTE_URLS[0]) == {"https": "http://proxy.example:3128"}
    monkeypatch.setenv(name, value)
    assert proxies_for(REMOTE_URLS[0]) == {}
    assert proxies_for(REMOTE_URLS[1]) == ({} if value == "*" else proxies_for(REMOTE_URLS[2]))


def test_http_proxy_is_not_used_for_https(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", DEAD)
    assert [proxies_for(url) for url in REMOTE_URLS] == [{}, {}, {}]


@pytest.mark.parametrize("service", ["cognito-idp", "s3"])
def test_clients_of_aws_have_the_same_rule(service: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALL_PROXY", DEAD)
    monkeypatch.setenv("http_proxy", DEAD)
    assert proxies_of(client_of(service, None)) == {"https": DEAD}
    assert proxies_of(client_of(service, "https://vpce.example")) == {"https": DEAD}
    assert proxies_of(client_of(service, "http://127.0.0.1:6544")) == {}
    monkeypatch.setenv("no_proxy", f"{service}.eu-central-1.amazonaws.com")
    assert proxies_of(client_of(service, None)) == {}


def test_json_client_uses_the_proxy(monkeypatch: pytest.MonkeyPatch):
    used: list[Any] = []

    def request(*_args: Any, **options: Any) -> Any:
        used.append(options["proxies"])
        raise ValueError("not sent")

    monkeypatch.setenv("HTTPS_PROXY", DEAD)
    client = JsonClient(DEFAULT_TIMEOUTS)
    monkeypatch.setattr(client.session, "request", request)
    for url in (REMOTE_URLS[1], "http://127.0.0.1:1"):
        with pytest.raises(ValueError, match="not sent"):
            client.request("POST", url)
    assert used == [{"https": DEAD}, {}]


@pytest.mark.parametrize("value", ["socks5://proxy.example:1080", "ftp://proxy.example"])
def test_other_kind_of_proxy_stops_the_start_with_one_line(
    value: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("all_proxy", value)
    with pytest.raises(SystemExit, match="not an HTTP proxy") as stopped:
        client_of("cognito-idp", None)
    assert "\n" not in str(stopped.value)
    assert "proxy.example" not in str(stopped.value)  # nor its password
    client_of("cognito-idp", "http://127.0.0.1:6544")


@pytest.mark.parametrize("before", [{}, {"no_proxy": "a.example"}, {"NO_PROXY": "a.example"}])
def test_instance_metadata_is_reached_without_a_proxy(
    before: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    unchanged = dict(os.environ)
    with metadata_without_proxy():
        assert os.environ["no_proxy"].endswith(METADATA_ADDRESSES)
        assert os.environ["no_proxy"].startswith("".join(before.values()))
    assert dict(os.environ) == unchanged
