"""Pair edge pixels one to one: as many as possible, for every threshold at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

_NOBODY = -1


def match_one_to_one(found: npt.NDArray[Any], true: npt.NDArray[Any], reach: float) -> npt.NDArray[np.int64]:
    """Pair as many pixels as possible, each with one at most `reach` away.

    Found pixels enter one after the other, and one that is paired stays so, if with another partner. So of the first n
    of them, for every n, as many are paired as there can be among these n alone: with the strongest first, one call
    answers for all thresholds. (Berge's augmenting paths; where one searched in vain, none searches again, for nothing
    that enters later can free it.) BSDS pairs by least total distance; the number of pairs, which alone counts, is the
    same or higher here.

    Parameters
    ----------
    found, true
        Places ``(n, 2)``.
    reach
        In pixels.

    Returns
    -------
    ndarray
        For each found pixel the number of its partner in `true`, or -1.
    """
    if len(found) == 0 or len(true) == 0:
        return np.full(len(found), _NOBODY, dtype=np.int64)
    near: Sequence[list[int]] = cKDTree(true).query_ball_point(found, reach)
    return np.array(_Pairing(near, len(true)).pair(), dtype=np.int64)


class _Pairing:
    """The pairs made so far, as plain lists: they are walked one by one, where NumPy is slow."""

    def __init__(self, near: Sequence[list[int]], size: int) -> None:
        self._near = near
        self._partner_of_found = [_NOBODY] * len(near)
        self._partner_of_true = [_NOBODY] * size
        self._reached_from = [_NOBODY] * size
        self._reached_for = [_NOBODY] * size  # which found pixel's search came here last
        self._closed = [False] * size

    def pair(self) -> list[int]:
        for newcomer in range(len(self._near)):
            free = self._search(newcomer)
            if free != _NOBODY:
                self._shift(newcomer, free)
        return self._partner_of_found

    def _search(self, newcomer: int) -> int:
        """Return a true pixel that is free, or will be once others have changed their partners; else -1."""
        asked, reached = [newcomer], []
        for found in asked:  # grows while it is walked: breadth first
            for true in self._near[found]:
                if self._closed[true] or self._reached_for[true] == newcomer:
                    continue
                self._reached_for[true], self._reached_from[true] = newcomer, found
                if self._partner_of_true[true] == _NOBODY:
                    return true
                reached.append(true)
                asked.append(self._partner_of_true[true])
        for true in reached:
            self._closed[true] = True
        return _NOBODY

    def _shift(self, newcomer: int, free: int) -> None:
        """Hand `free` to who reached it, what that one had to who reached that, and so on to the newcomer."""
        found = _NOBODY
        while found != newcomer:
            found = self._reached_from[free]
            before = self._partner_of_found[found]
            self._partner_of_found[found], self._partner_of_true[free] = free, found
            free = before
