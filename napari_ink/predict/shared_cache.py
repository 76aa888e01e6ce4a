"""A cache shared by threads: each value is made once, by the first thread that asks, and kept while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SharedCache(Generic[K, V]):
    """A bounded least-recently-used cache, safe to use from any number of threads.

    Parameters
    ----------
    size_of
        Returns the size of a value in bytes.
    most_bytes
        Largest total size, in bytes; the least recently used value is dropped first. The newest value always stays.

    Attributes
    ----------
    nbytes : int
        Total size of the values now, in bytes.
    """

    def __init__(self, size_of: Callable[[V], int], most_bytes: int) -> None:
        self._size_of, self.most_bytes = size_of, most_bytes
        # Futures, not values: a key is taken as soon as one thread starts, and the others wait on its future.
        self._values: OrderedDict[K, Future[V]] = OrderedDict()
        self._lock = threading.Lock()
        self.nbytes = 0

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return a value, from the cache or made now; a thread waits if another one is making it.

        Raises
        ------
        Exception
            Whatever `make` raises, in all threads that wait for the value; the next request tries again.
        """
        with self._lock:
            future = self._values.get(key)
            is_mine = future is None
            if future is None:
                future = self._values[key] = Future()
            self._values.move_to_end(key)
        # Outside the lock, so that other keys can be made and read meanwhile.
        if is_mine:
            self._make(key, make, future)
        return future.result()

    def drop(self, key: K) -> None:
        """Remove a value if it is in the cache."""
        with self._lock:
            self._drop(key)

    def _make(self, key: K, make: Callable[[], V], future: Future[V]) -> None:
        try:
            value = make()
        except BaseException as error:  # KeyboardInterrupt too: threads that wait would wait for ever
            with self._lock:
                self._values.pop(key, None)
            future.set_exception(error)
            raise
        with self._lock:
            future.set_result(value)
            if self._values.get(key) is future:  # else it was dropped meanwhile
                self.nbytes += self._size_of(value)
                self._evict(key)

    def _evict(self, newest: K) -> None:
        for key in [key for key, one in self._values.items() if one.done() and key != newest]:
            if self.nbytes <= self.most_bytes:
                return
            self._drop(key)

    def _drop(self, key: K) -> None:
        future = self._values.pop(key, None)
        # A value still being made was not counted yet; `_make` sees that its future is gone and leaves it so.
        if future is not None and future.done():
            self.nbytes -= self._size_of(future.result())
