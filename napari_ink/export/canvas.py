"""A plane on which outlines and runs from files are painted, with limits on size and work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_ink.decoding import check_memory
from napari_ink.errors import LabelError
from napari_ink.export.outlines import FillRule, Points, box_of, filled
from napari_ink.export.planes import EDGE_LABELS, INK_LABELS, WHITE, LabelPlane, plane_of

# 65,536 × 65,536: several times the size of the largest known segments.
MOST_PX = 2**32
_COORDINATE_LIMIT = 1e9
# Enough for a dozen outlines that each cover the whole plane; more would take minutes.
_LEAST_WORK, _WORK_PER_PX = 2**30, 16


class Canvas:
    """A plane of zeros on which shapes are painted; later shapes cover earlier ones.

    Parameters
    ----------
    height, width
        Its size in pixels, as the file claims it, of any type.
    path
        The file, for messages.
    order
        Memory layout, as in NumPy: ``F`` if runs go along the columns.

    Raises
    ------
    LabelError
        If the size is not a pair of positive whole numbers, or needs more memory than there is.
    """

    def __init__(self, height: Any, width: Any, path: Path, order: Literal["C", "F"] = "C") -> None:
        self._path = path
        self.shape = checked_size(height, width, path)
        self._values = np.zeros(self.shape, np.uint8, order=order)
        self._work_left = _LEAST_WORK + _WORK_PER_PX * self._values.size

    def paint(self, rings: Sequence[Points], value: int, rule: FillRule = "evenodd") -> bool:
        """Paint the pixels whose centres lie inside the rings, and return whether the rings' box overlaps the plane.

        Parameters
        ----------
        rings
            Arrays ``(points, 2)`` of float64, ``(y, x)`` in pixels.
        value
            The value to paint.
        rule
            The fill rule for rings that overlap.

        Raises
        ------
        LabelError
            If a coordinate is beyond ±1e9 or not finite, or painting would exceed the limit on work.
        """
        for ring in rings:
            if not (np.abs(ring) <= _COORDINATE_LIMIT).all():  # so NaN is refused as well
                raise LabelError(
                    f"{self._path} has an outline with a corner beyond ±{_COORDINATE_LIMIT:.0e} pixels; write it again."
                )
        top, bottom, left, right = box_of(rings, self.shape)
        self._spend((bottom - top) * (right - left) + sum(self._work_along(ring) for ring in rings))
        for rows, columns, inside in filled(rings, self.shape, rule):
            self._values[rows, columns][inside] = value
        return bottom > top

    def paint_runs(self, begin: npt.NDArray[np.int64], length: npt.NDArray[np.int64], value: int) -> None:
        """Paint runs of pixels.

        Parameters
        ----------
        begin, length
            First pixels, counted from 0 in the plane's memory layout, and lengths of the runs.
        value
            The value to paint.

        Raises
        ------
        LabelError
            If painting would exceed the limit on work.
        """
        self._spend(int(length.sum()))
        flat = self._values.ravel(order="K")  # a view
        for first, last in zip(begin.tolist(), (begin + length).tolist(), strict=True):
            flat[first:last] = value

    def plane(self, names: Mapping[int, str], notes: Sequence[str] = ()) -> LabelPlane:
        """Return the painted plane, with its names of values and `notes` for the user, one sentence each."""
        plane = plane_of(self._values, names)
        return LabelPlane(plane.shape, plane.read, names, notes=tuple(notes))

    def _work_along(self, ring: Points) -> int:
        """Estimate the work along a ring: its corners, and each crossing of a row at the cost of eight pixels."""
        rows = np.clip(ring[:, 0], 0, self.shape[0])
        return len(ring) + 8 * int(np.abs(np.diff(rows, append=rows[:1])).sum())

    def _spend(self, work: int) -> None:
        self._work_left -= work
        if self._work_left < 0:
            raise LabelError(
                f"{self._path} has shapes that cover one another many times, and painting them would take very long; "
                "merge the shapes."
            )


def checked_size(height: Any, width: Any, path: Path) -> tuple[int, int]:
    """Return the height and width that a file claims, checked before memory of that size is allocated.

    Raises
    ------
    LabelError
        If they are not whole numbers above 0, or their product exceeds the largest plane or the memory.
    """
    # JSON of other programs may contain 100.0 for 100; True, which is an int in Python, is refused.
    sides = [int(side) if isinstance(side, float) and side.is_integer() else side for side in (height, width)]
    if not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        shown = " × ".join(repr(side)[:20] for side in (height, width))
        raise LabelError(f"{path} gives its size as {shown}; write a height and width in whole pixels.")
    if sides[0] * sides[1] > MOST_PX:
        shown = " × ".join(str(side) if side < 1e15 else "more" for side in sides)
        raise LabelError(f"{path} claims {shown} pixels, which is more than any segment; correct its size.")
    # Twice: for the plane itself and a mask of it.
    check_memory(2 * sides[0] * sides[1], LabelError, f"{path} ({sides[0]} × {sides[1]} pixels)", "crop it")
    return sides[0], sides[1]


def checked_names(names: Mapping[int, str], path: Path) -> Mapping[int, str]:
    """Return the names of label values, completed to those of this program.

    Files of other programs may leave out the name of a value that no shape has.

    Raises
    ------
    LabelError
        If the values are neither the labels 1 and 2 nor the 255 of a mask.
    """
    if set(names) == {WHITE}:
        return names
    if not set(names) <= {1, 2}:
        shown = ", ".join(map(str, sorted(names)))[:60] or "none"
        raise LabelError(f"{path} has the values {shown}; use 1 and 2 for labels, or only {WHITE} for a mask.")
    meant = {(value, name.strip().casefold()) for value, name in names.items()}
    return EDGE_LABELS if meant <= set(EDGE_LABELS.items()) else INK_LABELS
