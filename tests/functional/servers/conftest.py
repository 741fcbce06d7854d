"""Servers of the toy application."""

from collections.abc import Iterator

import pytest

from tests.common.toy_server import ToyServer


@pytest.fixture(scope="module")
def granian() -> Iterator[ToyServer]:
    server = ToyServer("granian")
    yield server
    server.close()


@pytest.fixture(scope="module")
def waitress() -> Iterator[ToyServer]:
    server = ToyServer("waitress")
    yield server
    server.close()


@pytest.fixture(scope="module", params=["granian", "waitress"])
def server(request: pytest.FixtureRequest) -> ToyServer:
    """Each of the two, for tests that leave it running."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["granian", "waitress"])
def stoppable(request: pytest.FixtureRequest) -> Iterator[ToyServer]:
    """Each of the two, for one test that stops it."""
    server = ToyServer(request.param)
    yield server
    server.close()
