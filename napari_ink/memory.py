"""Memory reuse: memory that torch frees between two layers stays with the process."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Option numbers from glibc's malloc.h (M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX), which ctypes cannot
# read by name, and glibc's defaults for two of them.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_TOP_PAD_DEFAULT, _MMAP_MAX_DEFAULT = 1 << 17, 1 << 16
_KEPT_MOST, _KEPT_AFTER, _MMAPPED_FROM = 1 << 30, 1 << 27, 32 << 20


@contextmanager
def memory_kept(training: bool = False) -> Iterator[None]:
    """Let the C library keep up to 1 GB of freed memory inside the block, and return it to the system afterwards.

    A network frees its activations and soon allocates the same amount. By default glibc returns them to the system,
    which then clears each page again: that took a third of a forward pass (docs/decisions/0009-speed.md), and half of a
    training step. Does nothing on systems without glibc.

    Parameters
    ----------
    training
        Keep up to 2 GB, including arrays over 32 MB, which glibc otherwise maps again each time. Only the block's peak
        is held, which training reaches in each step.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "malloc_trim"):  # musl does not have it
        yield
        return
    # Setting the trim threshold stops glibc from raising the mmap threshold itself, so that gets its highest value.
    libc.mallopt(_MMAP_THRESHOLD, _MMAPPED_FROM)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1 if training else _KEPT_MOST)
    if training:
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TOP_PAD, 64 << 20)
    try:
        yield
    finally:
        libc.mallopt(_TRIM_THRESHOLD, _KEPT_AFTER)
        if training:
            libc.mallopt(_MMAP_MAX, _MMAP_MAX_DEFAULT)
            libc.mallopt(_TOP_PAD, _TOP_PAD_DEFAULT)
        libc.malloc_trim(0)
