"""Cells: parts of a segment that several tiles share, and what is computed of each but once.

Tiles overlap, and what a network's first layers say of the overlap is the same for all of them. Cells do not overlap;
a tile is put together from those that it touches. They lie the same in every run over a segment, so that what they
hold, and with it a prediction, does not depend on the order of the tiles.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ink.predict.region import Region

if TYPE_CHECKING:
    import torch

CellIndex = tuple[int, int]
_KEPT_BYTES = 384 * 2**20
Planes = tuple["torch.Tensor", ...]


@dataclass(frozen=True, slots=True)
class CellGrid:
    """Where cells lie on the canvas of all tiles.

    Attributes
    ----------
    canvas
        Height and width of what all tiles cover.
    side
        Rows and columns from one cell to the next.
    halo
        Rows and columns around a cell that tell on it.
    """

    canvas: tuple[int, int]
    side: int
    halo: int = 0

    def edges(self, axis: int) -> list[int]:
        """Return where cells begin along an axis, and where the last ends.

        They are moved up by the halo: to fill one, rows are read down to a multiple of the side, which is where files
        are cut, and further up only rows that the cell before has read as well.
        """
        length = self.canvas[axis]
        inner = range(self.side - self.halo, length - self.side // 4, self.side)
        return [0, *inner, length]

    def touching(self, tile: Region) -> list[CellIndex]:
        """Return the cells that a tile touches."""
        rows, columns = (
            range(bisect_right(edges, first) - 1, bisect_left(edges, last))
            for edges, first, last in (
                (self.edges(0), tile.y0, tile.y1), (self.edges(1), tile.x0, tile.x1)
            )
        )  # fmt: skip
        return [(row, column) for row in rows for column in columns]

    def area(self, cell: CellIndex) -> Region:
        """Return the pixels of a cell."""
        (y0, y1), (x0, x1) = (self.edges(axis)[n : n + 2] for axis, n in enumerate(cell))
        return Region(y0, y1, x0, x1)

    def read_area(self, cell: CellIndex) -> Region:
        """Return what is to be read for a cell: its pixels and its halo, where the canvas has one."""
        area = self.area(cell)
        return Region(
            max(area.y0 - self.halo, 0), min(area.y1 + self.halo, self.canvas[0]),
            max(area.x0 - self.halo, 0), min(area.x1 + self.halo, self.canvas[1]),
        )  # fmt: skip


class CellStore:
    """What was computed of cells, kept as long as tiles to come need it and memory has room.

    Parameters
    ----------
    grid
        Where the cells lie.
    tiles
        All tiles to come, with what they reach over the border; None where nobody knows, so that memory alone decides.
    most_bytes
        Most memory that it takes, but for the cells of one batch.
    """

    def __init__(self, grid: CellGrid, tiles: Iterable[Region] | None, most_bytes: int = _KEPT_BYTES) -> None:
        self._grid = grid
        self._waiting = None if tiles is None else Counter(cell for tile in tiles for cell in grid.touching(tile))
        self._kept: OrderedDict[CellIndex, Planes] = OrderedDict()
        self._most_bytes = most_bytes
        self.nbytes = 0

    def __contains__(self, cell: CellIndex) -> bool:
        return cell in self._kept

    def __getitem__(self, cell: CellIndex) -> Planes:
        self._kept.move_to_end(cell)
        return self._kept[cell]

    def put(self, cell: CellIndex, planes: Planes) -> None:
        """Keep a cell."""
        self._kept[cell] = planes
        self.nbytes += _nbytes(planes)

    def tidy(self, done: Iterable[Region]) -> None:
        """Let go of what no tile needs once `done` are through, and of what waited longest where it is too much."""
        if self._waiting is not None:
            self._drop_unneeded(self._waiting, done)
        while self.nbytes > self._most_bytes and self._kept:
            self._drop(next(iter(self._kept)))

    def _drop_unneeded(self, waiting: Counter[CellIndex], done: Iterable[Region]) -> None:
        for tile in done:
            for cell in self._grid.touching(tile):
                waiting[cell] -= 1
                if waiting[cell] <= 0:
                    self._drop(cell)

    def _drop(self, cell: CellIndex) -> None:
        self.nbytes -= _nbytes(self._kept.pop(cell, ()))


def _nbytes(planes: Planes) -> int:
    return sum(plane.nbytes for plane in planes)
