"""Transfers: large bodies give way to others when they are slow, first those of the same owner."""

import contextlib
from collections.abc import Hashable
from types import SimpleNamespace

import pytest

from jobtracker.errors import Unavailable
from jobtracker.servers import transfers
from jobtracker.servers.transfers import OWNERS, SLOW_RATE, STALLED_AFTER, Transfer, Transfers

MAX_BYTES = 32 * 2**20
PART = MAX_BYTES // OWNERS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(transfers, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


class Store:
    """Transfers that have begun, and those of them that were given up."""

    def __init__(self) -> None:
        self.transfers = Transfers(MAX_BYTES)
        self._blocks = contextlib.ExitStack()
        self.given_up: list[Transfer] = []

    def begin(self, owner: Hashable, size: int = PART) -> Transfer:
        transfer = self._blocks.enter_context(self.transfers.begin(size, owner))
        transfer.give_up = lambda: self.given_up.append(transfer)  # type: ignore[method-assign]
        return transfer

    def end(self) -> None:
        self._blocks.close()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    # Without an event loop.
    monkeypatch.setattr(transfers, "asyncio", SimpleNamespace(timeout=lambda _seconds: None))
    return Store()


def test_owner_has_a_part_and_others_have_the_rest(store: Store, clock: list[float]):
    store.begin("ada")
    with pytest.raises(Unavailable):
        store.begin("ada")
    for owner in range(OWNERS - 1):
        store.begin(owner)
    with pytest.raises(Unavailable):
        store.begin("bob")
    store.end()
    assert store.transfers.bytes == 0


@pytest.mark.parametrize("seconds", [STALLED_AFTER / 5, STALLED_AFTER - 0.5])
def test_transfer_that_drips_gives_way(store: Store, clock: list[float], seconds: float):
    dripping = store.begin("ada")
    dripping.add_progress(2_000_000)
    for _ in range(30):
        clock[0] += seconds
        dripping.add_progress(int(SLOW_RATE * seconds / 2))
    store.begin("ada")
    assert store.given_up == [dripping]


def test_transfer_without_progress_gives_way_to_any_owner(store: Store, clock: list[float]):
    stalled = [store.begin(owner) for owner in range(OWNERS)]
    clock[0] = STALLED_AFTER + 0.1
    store.begin("ada")
    assert len(store.given_up) == 1
    assert store.given_up[0] in stalled


def test_fast_and_complete_transfers_do_not_give_way(store: Store, clock: list[float]):
    fast = store.begin("ada")
    complete = store.begin("bob")
    complete.mark_complete()
    for _ in range(30):
        clock[0] += 1
        fast.add_progress(2 * SLOW_RATE)
    for owner in ("ada", "bob"):
        with pytest.raises(Unavailable):
            store.begin(owner)
