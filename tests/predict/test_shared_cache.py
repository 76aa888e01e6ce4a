"""The cache that threads share: each value is computed once, others wait, and it is dropped if memory is short."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.predict.shared_cache import SharedCache


def bytes_of(value: bytes) -> int:
    return len(value)


@settings(deadline=None)
@given(asked=st.lists(st.integers(0, 6), max_size=60), most=st.integers(0, 40), dropped=st.lists(st.integers(0, 6)))
def test_the_cache_returns_the_right_values_within_its_memory(asked: list[int], most: int, dropped: list[int]) -> None:
    cache: SharedCache[int, bytes] = SharedCache(bytes_of, most)
    for n, key in enumerate(asked):
        assert cache.get(key, lambda key=key: bytes(3 * key)) == bytes(3 * key)  # type: ignore[misc]
        assert key in cache, "the newest value stays"
        assert cache.nbytes <= max(most, 3 * key)
        if n < len(dropped):
            cache.drop(dropped[n])
            assert dropped[n] not in cache
    assert cache.nbytes == sum(3 * key for key in range(7) if key in cache)


def test_threads_that_need_the_same_value_wait_for_one() -> None:
    made: Counter[int] = Counter()
    cache: SharedCache[int, bytes] = SharedCache(bytes_of, 1000)
    everybody = threading.Barrier(8)

    def ask(_: int) -> list[bytes]:
        everybody.wait()
        return [cache.get(key, lambda key=key: make(key)) for key in range(20)]  # type: ignore[misc]

    def make(key: int) -> bytes:
        made[key] += 1
        threading.Event().wait(0.002)
        return bytes(key)

    with ThreadPoolExecutor(8) as threads:
        for values in threads.map(ask, range(8)):
            assert values == [bytes(key) for key in range(20)]
    assert set(made.values()) == {1}


def test_recently_used_entries_stay_longest() -> None:
    cache: SharedCache[str, bytes] = SharedCache(bytes_of, 20)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda: bytes(10))
    assert "a" in cache and "b" not in cache and "c" in cache


def test_a_failed_computation_is_retried() -> None:
    cache: SharedCache[int, bytes] = SharedCache(bytes_of, 100)
    with pytest.raises(ZeroDivisionError):
        cache.get(0, lambda: bytes(1 // 0))
    assert 0 not in cache and cache.get(0, lambda: b"now") == b"now"


def test_an_entry_dropped_during_computation_is_not_counted() -> None:
    cache: SharedCache[int, bytes] = SharedCache(bytes_of, 100)

    def make() -> bytes:
        cache.drop(0)
        return bytes(10)

    assert cache.get(0, make) == bytes(10)
    assert 0 not in cache and cache.nbytes == 0
