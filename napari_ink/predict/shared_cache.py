"""Values that several threads need: each is made once, by whoever asks first, and kept while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SharedCache(Generic[K, V]):
    """A bounded store of values; any number of threads may ask it.

    Parameters
    ----------
    size_of
        Bytes that a value takes.
    most_bytes
        Most bytes that are kept; what was not asked for longest goes first. The value made last stays in any case.

    Attributes
    ----------
    nbytes : int
        Bytes that are kept now.
    """

    def __init__(self, size_of: Callable[[V], int], most_bytes: int) -> None:
        self._size_of, self.most_bytes = size_of, most_bytes
        self._values: OrderedDict[K, Future[V]] = OrderedDict()
        self._lock = threading.Lock()
        self.nbytes = 0

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return a value, made now unless it is there; whoever asks while another thread makes it waits for that.

        Raises
        ------
        Exception
            What `make` raises, in all threads that wait for it; the next one to ask tries again.
        """
        with self._lock:
            coming = self._values.get(key)
            is_mine = coming is None
            if coming is None:
                coming = self._values[key] = Future()
            self._values.move_to_end(key)
        if is_mine:
            self._make(key, make, coming)
        return coming.result()

    def drop(self, key: K) -> None:
        """Let go of a value, if it is there."""
        with self._lock:
            self._drop(key)

    def _make(self, key: K, make: Callable[[], V], coming: Future[V]) -> None:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                self._values.pop(key, None)
            coming.set_exception(error)
            raise
        with self._lock:
            coming.set_result(value)
            if self._values.get(key) is coming:  # else it was dropped meanwhile
                self.nbytes += self._size_of(value)
                self._tidy(key)

    def _tidy(self, newest: K) -> None:
        for key in [key for key, one in self._values.items() if one.done() and key != newest]:
            if self.nbytes <= self.most_bytes:
                return
            self._drop(key)

    def _drop(self, key: K) -> None:
        coming = self._values.pop(key, None)
        if coming is not None and coming.done():
            self.nbytes -= self._size_of(coming.result())
