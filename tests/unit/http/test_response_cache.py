"""The response cache: its size, and what it evicts."""

import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from jobtracker.http.conditional import CachedResponse, ResponseCache


class TestResponseCache:
    HEADERS = (("Content-Type", "application/json"), ("ETag", '"x"'))

    def kept(self, size: int) -> CachedResponse:
        return CachedResponse(b"x" * (size - CachedResponse(b"", self.HEADERS).size), self.HEADERS)

    def sizes(self, cache: ResponseCache, tags: range) -> list[int]:
        return [kept.size for tag in tags if (kept := cache.get(str(tag))) is not None]

    def test_cache_stays_within_its_bytes(self):
        cache = ResponseCache(80_000)
        rng = random.Random(1)  # noqa: S311
        for tag in range(2000):
            cache.put(str(tag), self.kept(rng.randrange(1000, 12_000)))
            if not tag % 100:
                assert sum(self.sizes(cache, range(tag + 1))) <= 80_000
        sizes = self.sizes(cache, range(2000))
        assert 40_000 < sum(sizes) <= 80_000
        assert max(sizes) <= 10_000

    def test_least_recently_used_response_is_evicted(self):
        cache = ResponseCache(80_000)
        cache.put("old", self.kept(5000))
        for tag in range(100):
            cache.put(str(tag), self.kept(5000))
            assert cache.get("old") is not None
        assert cache.get("0") is None
        assert cache.get("99") is not None

    def test_too_large_response_evicts_nothing(self):
        cache = ResponseCache(80_000)
        cache.put("small", self.kept(10_000))
        cache.put("large", self.kept(10_001))
        assert cache.get("small") is not None
        assert cache.get("large") is None

    def test_response_put_twice_counts_once(self):
        cache = ResponseCache(80_000)
        for _ in range(100):
            cache.put("same", self.kept(10_000))
        cache.put("other", self.kept(10_000))
        assert cache.get("same") is not None

    def test_size_of_small_responses_includes_their_overhead(self):
        """Headers and bookkeeping need more memory than a short body."""
        cache = ResponseCache(200_000)
        tracemalloc.start()
        try:
            for tag in range(5_000):
                headers = (("ETag", f'"{tag}"'), ("Link", f"<{tag}>"))
                cache.put(str(tag), CachedResponse(f"[{tag}]".encode(), headers))
            used, _peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert used < 2 * 200_000

    def test_cache_is_thread_safe(self):
        cache = ResponseCache(80_000)
        barrier = Barrier(8)

        def use(seed: int) -> None:
            rng = random.Random(seed)  # noqa: S311
            barrier.wait()
            for _ in range(1000):
                tag = rng.randrange(50)
                cache.put(str(tag), CachedResponse(b"%02d" % tag * 2000, ()))
                kept = cache.get(str(rng.randrange(50)))
                assert kept is None or len(set(kept.body[::2] + b"\0")) <= 2

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(use, range(8)))
        assert sum(self.sizes(cache, range(50))) <= 80_000
