"""What the servers check of their environment when they start."""

import resource

import pytest

from jobtracker.servers import check_environment

UNTRUSTED = {"proxies.trusted": ()}


@pytest.mark.parametrize(
    ("hosts", "trusted", "is_named"),
    [
        (["192.0.2.1"], (), True),
        (["127.0.0.1", "::"], (), True),
        (["api.example"], (), True),
        (["192.0.2.1"], ("10.0.0.0/8",), False),
        (["127.0.0.1", "::1", "localhost"], (), False),
    ],
)
def test_missing_proxies_are_named_where_others_can_connect(
    caplog: pytest.LogCaptureFixture, hosts: list[str], trusted: tuple[str, ...], is_named: bool
):
    check_environment({"proxies.trusted": trusted}, hosts, 1)
    assert ("Setting proxies.trusted" in caplog.text) == is_named


@pytest.mark.parametrize(
    ("soft", "hard", "expected", "is_named"),
    [(256, 4096, 1200, False), (256, 512, 512, True), (2000, 4096, 2000, False)],
)
def test_limit_of_open_files_is_raised_for_the_connections(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    soft: int,
    hard: int,
    expected: int,
    is_named: bool,
):
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _which, both: limits.append(both))
    check_environment(UNTRUSTED, ["127.0.0.1"], 1000)
    assert limits[-1] == (expected, hard)
    assert ("Setting connection_limit" in caplog.text) == is_named
