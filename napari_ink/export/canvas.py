"""A plane on which other programs' outlines and runs are painted, limited in size and work."""

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

# 65,536 × 65,536: several times the largest segments there are.
MOST_PX = 2**32
_COORDINATE_LIMIT = 1e9
# Some dozen outlines that each cover all of a plane stay below this; what lies above would take minutes.
_LEAST_WORK, _WORK_PER_PX = 2**30, 16


class Canvas:
    """A plane of zeros on which shapes are painted; later shapes cover earlier ones.

    Parameters
    ----------
    height, width
        Its size in pixels, as a file says it.
    path
        The file; messages begin with it.
    order
        How it lies in memory: ``F`` if runs go along the columns.

    Raises
    ------
    LabelError
        If the size is none, or takes more memory than there is.
    """

    def __init__(self, height: Any, width: Any, path: Path, order: Literal["C", "F"] = "C") -> None:
        self._path = path
        self.shape = checked_size(height, width, path)
        self._values = np.zeros(self.shape, np.uint8, order=order)
        self._work_left = _LEAST_WORK + _WORK_PER_PX * self._values.size

    def paint(self, rings: Sequence[Points], value: int, rule: FillRule = "evenodd") -> bool:
        """Paint the pixels whose centres lie inside rings of points ``(y, x)``; return whether any may be in it.

        Raises
        ------
        LabelError
            If a point lies absurdly far away, or the shapes cover one another so often that it would take for ever.
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
        """Paint runs of pixels, counted from 0 in the order that the plane lies in memory.

        Raises
        ------
        LabelError
            If they cover one another so often that it would take for ever.
        """
        self._spend(int(length.sum()))
        flat = self._values.ravel(order="K")  # a view
        for first, last in zip(begin.tolist(), (begin + length).tolist(), strict=True):
            flat[first:last] = value

    def plane(self, names: Mapping[int, str], notes: Sequence[str] = ()) -> LabelPlane:
        """Return the painted plane, with `notes` for the user, one sentence each."""
        plane = plane_of(self._values, names)
        return LabelPlane(plane.shape, plane.read, names, notes=tuple(notes))

    def _work_along(self, ring: Points) -> int:
        """Return about how often the sides of a ring cross a row, several times what a pixel costs."""
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
        If they are no whole numbers above 0, or stand for more pixels than a plane may have or memory holds.
    """
    sides = [int(side) if isinstance(side, float) and side.is_integer() else side for side in (height, width)]
    if not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        said = " × ".join(repr(side)[:20] for side in (height, width))
        raise LabelError(f"{path} says that its size is {said}; write a height and width in whole pixels.")
    if sides[0] * sides[1] > MOST_PX:
        said = " × ".join(str(side) if side < 1e15 else "more" for side in sides)
        raise LabelError(f"{path} says that it has {said} pixels, more than any segment; correct its size.")
    # The plane itself, and the mask that is made of it.
    check_memory(2 * sides[0] * sides[1], LabelError, f"{path} ({sides[0]} × {sides[1]} pixels)", "crop it")
    return sides[0], sides[1]


def checked_names(names: Mapping[int, str], path: Path) -> Mapping[int, str]:
    """Return what values mean, ours in full: a file may lack a value that nothing has.

    Raises
    ------
    LabelError
        If they are neither label values, 1 and 2, nor the 255 of a mask.
    """
    if set(names) == {WHITE}:
        return names
    if not set(names) <= {1, 2}:
        said = ", ".join(map(str, sorted(names)))[:60] or "none"
        raise LabelError(f"{path} has the values {said}; labels have 1 and 2, and a mask has {WHITE} alone.")
    meant = {(value, name.strip().casefold()) for value, name in names.items()}
    return EDGE_LABELS if meant <= set(EDGE_LABELS.items()) else INK_LABELS
