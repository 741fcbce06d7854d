"""Servers of the toy application."""

from collections.abc import Callable, Iterator

import pytest

from tests.common.toy_server import ToyServer


@pytest.fixture(scope="package")
def granian() -> Iterator[ToyServer]:
    server = ToyServer("granian")
    yield server
    server.close()


@pytest.fixture(scope="package")
def waitress() -> Iterator[ToyServer]:
    server = ToyServer("waitress")
    yield server
    server.close()


@pytest.fixture(scope="package", params=["granian", "waitress"])
def server(request: pytest.FixtureRequest) -> ToyServer:
    """Each of the two, for tests that leave it running."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def logged(granian: ToyServer, waitress: ToyServer) -> Callable[[], str]:
    """What the two have logged since the module's first test."""
    servers = [(server, len(server.log())) for server in (granian, waitress)]
    return lambda: "".join(server.log()[start:] for server, start in servers)


@pytest.fixture(params=["granian", "waitress"])
def stoppable(request: pytest.FixtureRequest) -> Iterator[ToyServer]:
    """Each of the two, for one test that stops it."""
    server = ToyServer(request.param)
    yield server
    server.close()


@pytest.fixture
def draining(request: pytest.FixtureRequest, kind: str) -> Iterator[ToyServer]:
    """One that drains for a second, or as long as the test says."""
    seconds = getattr(request, "param", 1)
    options = ["workers=2"] if kind == "granian" else []
    server = ToyServer(kind, f"drain_seconds={seconds}", *options)
    yield server
    server.close()


@pytest.fixture(params=["granian", "waitress"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)
