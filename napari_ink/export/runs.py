"""Runs of pixels, as Kaggle's CSV and COCO write masks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from napari_ink.typing import UInt8Array

Integers = npt.NDArray[np.int64]


def runs_of(bands: Iterable[UInt8Array]) -> tuple[Integers, Integers]:
    """Return the starts (counted from 0 along the rows of all bands) and the lengths of runs of nonzero pixels."""
    begins, ends, offset = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for band in bands:
        change = np.diff(np.pad(band.ravel() != 0, 1).view(np.int8))
        begins.append(np.flatnonzero(change == 1) + offset)
        ends.append(np.flatnonzero(change == -1) + offset)
        offset += band.size
    begin, end = np.concatenate(begins), np.concatenate(ends)
    # A run that continues in the next band was split there, and is joined again.
    apart = begin[1:] != end[:-1]
    begin, end = begin[np.append(True, apart)[: len(begin)]], end[np.append(apart, True)[: len(end)]]
    return begin, end - begin
