"""One-to-one matching of edge pixels with as many pairs as possible, updated as pixels are added and removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_NOBODY = -1


def match_one_to_one(found: npt.NDArray[Any], true: npt.NDArray[Any], reach: float) -> npt.NDArray[np.int64]:
    """Match as many pixels as possible one to one, each with a pixel at a distance of at most `reach`.

    Parameters
    ----------
    found, true
        Positions ``(n, 2)`` of pixels: whole numbers of at least 0, without duplicates.
    reach
        Largest distance between partners, in pixels.

    Returns
    -------
    numpy.ndarray
        For each found pixel, the index of its partner in `true`, or -1; int64.
    """
    pairing = Pairing(found, true, reach)
    pairing.enter(range(len(found)))
    return np.array(pairing.partners, dtype=np.int64)


class Pairing:
    """A maximum matching between found and true pixels, updated as found pixels are added and removed.

    Scores at many thresholds need one matching for each. Adding only the pixels that a lower threshold brings makes a
    threshold cost what it changes. New partners are found along Berge's augmenting paths; true pixels from which a
    search failed are not searched again until a true pixel becomes free, since nothing else can help.

    BSDS minimises the total distance, which decides which pixels are matched where there are too many. Here, a pixel
    without a partner takes that of a pixel that is farther away from it, which comes close to the same result.

    Parameters
    ----------
    found, true
        Positions ``(n, 2)`` of pixels: whole numbers of at least 0, without duplicates. At first, no found pixel is
        added.
    reach
        Largest distance between partners, in pixels.
    """

    def __init__(self, found: npt.NDArray[Any], true: npt.NDArray[Any], reach: float) -> None:
        # Plain lists, since elements are read one by one, for which NumPy is slow.
        self._found, self._true = found.tolist(), true.tolist()
        self._near = _neighbours(found, true, reach)
        self._near_true = _turned_round(self._near, len(true))
        self._present = bytearray(len(found))
        self._partner_of_true = [_NOBODY] * len(true)
        self._reached_from = [_NOBODY] * len(true)
        self._reached_for = [_NOBODY] * len(true)  # the last search that reached this pixel
        self._searches = 0
        self._closed = bytearray(len(true))
        self._is_paired = bytearray(len(found))
        self.partners = [_NOBODY] * len(found)
        """For each found pixel, the index of its partner in `true`, or -1."""

    @property
    def paired(self) -> npt.NDArray[np.bool_]:
        """Mask of the found pixels that have a partner; a view that later calls change."""
        return np.frombuffer(self._is_paired, np.bool_)

    def enter(self, newcomers: Iterable[int]) -> None:
        """Add found pixels, given by their indices, and match them."""
        for newcomer in newcomers:
            self._present[newcomer] = True
            free = self._search(newcomer)
            if free == _NOBODY:
                self._take_from_the_farther(newcomer)
            else:
                self._is_paired[newcomer] = True
                self._shift(newcomer, free)

    def leave(self, leavers: Iterable[int]) -> None:
        """Remove found pixels, given by their indices, and match others with their partners."""
        for leaver in leavers:
            self._present[leaver] = False
            free = self.partners[leaver]
            if free != _NOBODY:
                self.partners[leaver] = self._partner_of_true[free] = _NOBODY
                self._is_paired[leaver] = False
                self._offer(free)

    def _search(self, newcomer: int) -> int:
        """Return the free true pixel at the end of an augmenting path from a found pixel; -1 if there is none."""
        self._searches += 1
        asked, reached = [newcomer], []
        for found in asked:  # the list grows during the loop: breadth-first search
            for true in self._near[found]:
                if self._closed[true] or self._reached_for[true] == self._searches:
                    continue
                self._reached_for[true], self._reached_from[true] = self._searches, found
                if self._partner_of_true[true] == _NOBODY:
                    return true
                reached.append(true)
                asked.append(self._partner_of_true[true])
        for true in reached:
            self._closed[true] = True
        return _NOBODY

    def _shift(self, newcomer: int, free: int) -> None:
        """Swap partners along the augmenting path that ends at the true pixel `free`, back to the newcomer."""
        found = _NOBODY
        while found != newcomer:
            found = self._reached_from[free]
            before = self.partners[found]
            self.partners[found], self._partner_of_true[free] = free, found
            free = before

    def _take_from_the_farther(self, waiting: int) -> None:
        """Take the partner of a pixel that is farther away from it; repeat for the pixel that lost its partner."""
        while waiting != _NOBODY:
            left = _NOBODY
            for true in self._near[waiting]:  # the nearest first
                theirs = self._partner_of_true[true]
                if self._squared(waiting, true) < self._squared(theirs, true):
                    self.partners[waiting], self._partner_of_true[true], self.partners[theirs] = true, waiting, _NOBODY
                    self._is_paired[waiting], self._is_paired[theirs] = True, False
                    left = theirs
                    break
            waiting = left

    def _squared(self, found: int, true: int) -> int:
        (y, x), (v, u) = self._found[found], self._true[true]
        return int((y - v) ** 2 + (x - u) ** 2)

    def _offer(self, free: int) -> None:
        """Match a true pixel that became free along an augmenting path to a found pixel without a partner."""
        came_from = {free: _NOBODY}
        for true in (asked := [free]):  # the list grows during the loop: breadth-first search
            for found in self._near_true[true]:
                if not self._present[found]:
                    continue
                theirs = self.partners[found]
                if theirs == _NOBODY:
                    self._is_paired[found] = True
                    self._hand_down(found, true, came_from)
                    return
                if theirs not in came_from:
                    came_from[theirs] = true
                    asked.append(theirs)
        if self._closed[free]:  # searches that failed before may now succeed
            self._closed = bytearray(len(self._closed))

    def _hand_down(self, found: int, true: int, came_from: dict[int, int]) -> None:
        """Swap partners along the path that ends at `found`, from the true pixel `true` back to the free one."""
        while true != _NOBODY:
            before = self._partner_of_true[true]
            self.partners[found], self._partner_of_true[true] = true, found
            found, true = before, came_from[true]


def _neighbours(found: npt.NDArray[Any], true: npt.NDArray[Any], reach: float) -> list[list[int]]:
    """Return, for each found pixel, the indices of the true pixels within reach, nearest first."""
    if len(found) == 0 or len(true) == 0:
        return [[] for _ in found]
    side = int(reach)
    number = np.full(np.maximum(found.max(axis=0), true.max(axis=0)) + 2 * side + 1, _NOBODY)
    number[true[:, 0] + side, true[:, 1] + side] = np.arange(len(true))
    steps = np.argwhere(np.ones((2 * side + 1, 2 * side + 1), bool)) - side
    lengths = np.hypot(*steps.T)
    # Rounding errors must not exclude the outermost pixels if the reach is an integer.
    steps = steps[np.argsort(lengths, kind="stable")][: int((lengths <= reach + 1e-9).sum())] + side
    near = number[found[:, 0, None] + steps[:, 0], found[:, 1, None] + steps[:, 1]]
    of, place = np.nonzero(near >= 0)
    ends = np.searchsorted(of, np.arange(1, len(found) + 1)).tolist()
    flat = near[of, place].tolist()
    return [flat[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _turned_round(near: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    turned: list[list[int]] = [[] for _ in range(size)]
    for found, trues in enumerate(near):
        for true in trues:
            turned[true].append(found)
    return turned
