"""The response cache: its size, and what it evicts."""

import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from jobtracker.http.conditional import CachedResponse, ResponseCache


class TestBodies:
    HEADERS = (("Content-Type", "application/json"), ("ETag", '"x"'))

    def kept(self, size: int) -> CachedResponse:
        return CachedResponse(b"x" * (size - CachedResponse(b"", self.HEADERS).size), self.HEADERS)

    def sizes(self, bodies: ResponseCache, tags: range) -> list[int]:
        return [kept.size for tag in tags if (kept := bodies.get(str(tag))) is not None]

    def test_stay_within_their_bytes(self):
        bodies = ResponseCache(80_000)
        chance = random.Random(1)  # noqa: S311
        for tag in range(2000):
            bodies.put(str(tag), self.kept(chance.randrange(1000, 12_000)))
            if not tag % 100:
                assert sum(self.sizes(bodies, range(tag + 1))) <= 80_000
        sizes = self.sizes(bodies, range(2000))
        assert 40_000 < sum(sizes) <= 80_000
        assert max(sizes) <= 10_000

    def test_those_that_were_asked_for_last_stay(self):
        bodies = ResponseCache(80_000)
        bodies.put("old", self.kept(5000))
        for tag in range(100):
            bodies.put(str(tag), self.kept(5000))
            assert bodies.get("old") is not None
        assert bodies.get("0") is None
        assert bodies.get("99") is not None

    def test_what_is_too_large_drives_nothing_out(self):
        bodies = ResponseCache(80_000)
        bodies.put("small", self.kept(10_000))
        bodies.put("large", self.kept(10_001))
        assert bodies.get("small") is not None
        assert bodies.get("large") is None

    def test_what_is_put_twice_counts_once(self):
        bodies = ResponseCache(80_000)
        for _ in range(100):
            bodies.put("same", self.kept(10_000))
        bodies.put("other", self.kept(10_000))
        assert bodies.get("same") is not None

    def test_many_small_ones_are_not_for_nothing(self):
        """An empty list takes more room than its two bytes."""
        bodies = ResponseCache(200_000)
        tracemalloc.start()
        try:
            for tag in range(20_000):
                headers = (("ETag", f'"{tag}"'), ("Link", f"<{tag}>"))
                bodies.put(str(tag), CachedResponse(f"[{tag}]".encode(), headers))
            used, _peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert used < 2 * 200_000

    def test_can_be_shared(self):
        bodies = ResponseCache(80_000)
        barrier = Barrier(8)

        def use(seed: int) -> None:
            chance = random.Random(seed)  # noqa: S311
            barrier.wait()
            for _ in range(1000):
                tag = chance.randrange(50)
                bodies.put(str(tag), CachedResponse(b"%02d" % tag * 2000, ()))
                kept = bodies.get(str(chance.randrange(50)))
                assert kept is None or len(set(kept.body[::2] + b"\0")) <= 2

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(use, range(8)))
        assert sum(self.sizes(bodies, range(50))) <= 80_000
