"""Units: labelled pixels that are held out together, and their folds.

A score is honest only on strokes that taught nothing, and neighbouring pixels are nearly the same. So strokes are held
out whole, together with all strokes near them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.annotation import LabelValue
from napari_ink.region import Region
from napari_ink.training.crops import counts_by_block
from napari_ink.typing import UInt8Array

# Distances between strokes need no single pixels, and cells are 64 times fewer.
CELL_PX = 8
APART_PX = 24
"""Least distance between two units, in pixels."""
# A reviewed area as one unit would leave nothing else to hold out, or nothing to learn from.
_LARGEST_UNIT_PX = 256


@dataclass(frozen=True, slots=True)
class Unit:
    """Labelled pixels that are held out together: a stroke with its neighbours, or a square of a reviewed area.

    Attributes
    ----------
    number
        Index of the unit.
    region
        Smallest region of cells that holds it.
    ink_px, papyrus_px
        Number of its pixels labelled as ink and as papyrus.
    """

    number: int
    region: Region
    ink_px: int
    papyrus_px: int


@dataclass(frozen=True, eq=False)
class Units:
    """The units of a plane of labels.

    Parameters
    ----------
    labels
        Label values ``(y, x)``; 0 is unreviewed, and values above 2 do not count.
    """

    labels: UInt8Array = field(repr=False)

    @cached_property
    def plane(self) -> npt.NDArray[np.int32]:
        """Number of the unit of each cell of `CELL_PX` pixels ``(y/8, x/8)``; −1 where nothing is labelled."""
        labelled = (self._ink + self._papyrus) > 0
        # Two cells that are both grown by this touch if there are fewer than APART_PX / CELL_PX cells between them.
        reach = APART_PX // (2 * CELL_PX)
        near = ndimage.binary_dilation(labelled, np.ones((2 * reach + 1,) * 2, bool)) if labelled.any() else labelled
        components = ndimage.label(near, np.ones((3, 3)))[0].astype(np.int64)
        for number, box in enumerate(ndimage.find_objects(components), 1):
            # Somewhat larger ones stay whole: a cut runs through strokes, whose two sides are nearly the same.
            if box is not None and max(side.stop - side.start for side in box) * CELL_PX > 2 * _LARGEST_UNIT_PX:
                _split(components[box], number, int(components.max()) + 1)
        plane = np.full(labelled.shape, -1, np.int32)
        plane[labelled] = np.unique(components[labelled], return_inverse=True)[1]
        return plane

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """The units, in the order of their numbers."""
        boxes = ndimage.find_objects(self.plane + 1)
        return tuple(self._unit(number, box) for number, box in enumerate(boxes))

    def mask(self, numbers: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Return where the labelled cells of these units lie, in pixels ``(y, x)``."""
        cells = np.isin(self.plane, list(numbers))
        height, width = self.labels.shape
        return cells.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)[:height, :width]

    def _unit(self, number: int, box: tuple[slice, slice]) -> Unit:
        own = self.plane[box] == number
        y, x = box
        region = Region(y.start * CELL_PX, y.stop * CELL_PX, x.start * CELL_PX, x.stop * CELL_PX)
        return Unit(
            number,
            region.clip((self.labels.shape[0], self.labels.shape[1])),
            int(self._ink[box][own].sum()),
            int(self._papyrus[box][own].sum()),
        )

    @cached_property
    def _ink(self) -> npt.NDArray[np.int64]:
        return counts_by_block(self.labels == LabelValue.INK, CELL_PX)

    @cached_property
    def _papyrus(self) -> npt.NDArray[np.int64]:
        return counts_by_block(self.labels == LabelValue.PAPYRUS, CELL_PX)


def folds(units: Sequence[Unit], count: int, seed: int = 0) -> list[list[int]]:
    """Share units out over folds with about the same ink and the same papyrus.

    Parameters
    ----------
    units
        The units.
    count
        Number of folds; fewer come out if there are fewer units of ink or of papyrus.
    seed
        Seed of the order among units of the same size.

    Returns
    -------
    list of list of int
        Numbers of the units of each fold; a single fold if no two can be judged apart.
    """
    with_ink = [unit for unit in units if unit.ink_px]
    with_papyrus = [unit for unit in units if unit.papyrus_px]
    count = max(1, min(count, len(with_ink), len(with_papyrus)))
    rng = np.random.default_rng(seed)
    order = sorted(rng.permutation(len(units)).tolist(), key=lambda i: (-units[i].ink_px, -units[i].papyrus_px))
    filled = [[0, 0] for _ in range(count)]
    found: list[list[int]] = [[] for _ in range(count)]
    for i in order:
        unit = units[i]
        # The rarer kind decides: a fold without ink, or without papyrus, could not be scored.
        kind = 0 if unit.ink_px else 1
        fold = min(range(count), key=lambda n: (filled[n][kind], filled[n][1 - kind]))
        found[fold].append(unit.number)
        filled[fold][0] += unit.ink_px
        filled[fold][1] += unit.papyrus_px
    return found


def has_both(units: Iterable[Unit]) -> bool:
    """Whether units hold both ink and papyrus, so that a score on them means something."""
    listed = list(units)
    return any(unit.ink_px for unit in listed) and any(unit.papyrus_px for unit in listed)


def _split(component: npt.NDArray[np.int64], number: int, first: int) -> None:
    """Cut a large component into squares, in place, which become components numbered from `first`."""
    side = _LARGEST_UNIT_PX // CELL_PX
    rows, columns = (np.arange(length) // side for length in component.shape)
    squares = rows[:, None] * (columns[-1] + 1) + columns[None, :]
    own = component == number
    component[own] = first + squares[own]
