"""Memory that is used over and over: what torch frees between two layers stays with the process."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Names and numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_MOST, _KEPT_AFTER, _MMAPPED_FROM = 1 << 30, 1 << 27, 32 << 20


@contextmanager
def memory_kept() -> Iterator[None]:
    """Let the C library keep up to 1 GB of freed memory inside the block, and give it back to the system afterwards.

    A network frees its planes and asks for the same again at once. By default glibc returns them to the system, which
    then clears each page anew: that took a third of a forward pass (docs/decisions/0009-speed.md). Elsewhere than with
    glibc, nothing is done.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "malloc_trim"):  # musl has none
        yield
        return
    libc.mallopt(_MMAP_THRESHOLD, _MMAPPED_FROM)  # as high as it rises by itself; setting the other stops that
    libc.mallopt(_TRIM_THRESHOLD, _KEPT_MOST)
    try:
        yield
    finally:
        libc.mallopt(_TRIM_THRESHOLD, _KEPT_AFTER)
        libc.malloc_trim(0)
