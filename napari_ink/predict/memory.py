"""Memory reuse: memory that torch frees between two layers stays with the process."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Option numbers from glibc's malloc.h (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD), which ctypes cannot read by name.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_MOST, _KEPT_AFTER, _MMAPPED_FROM = 1 << 30, 1 << 27, 32 << 20


@contextmanager
def memory_kept() -> Iterator[None]:
    """Let the C library keep up to 1 GB of freed memory inside the block, and return it to the system afterwards.

    A network frees its activations and soon allocates the same amount. By default glibc returns them to the system,
    which then clears each page again: that took a third of a forward pass (docs/decisions/0009-speed.md). Does nothing
    on systems without glibc.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "malloc_trim"):  # musl does not have it
        yield
        return
    # Setting the trim threshold stops glibc from raising the mmap threshold itself, so that gets its highest value.
    libc.mallopt(_MMAP_THRESHOLD, _MMAPPED_FROM)
    libc.mallopt(_TRIM_THRESHOLD, _KEPT_MOST)
    try:
        yield
    finally:
        libc.mallopt(_TRIM_THRESHOLD, _KEPT_AFTER)
        libc.malloc_trim(0)
