"""Cells: parts of a segment that several tiles share, and what is computed of each but once.

Tiles overlap, and what a network's first layers say of the overlap is the same for all of them. Cells do not overlap;
a tile is put together from those that it touches. They lie the same in every run over a segment, so that what they
hold, and with it a prediction, does not depend on the order of the tiles.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ink.predict.shared_cache import SharedCache
from napari_ink.region import Region

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
    """What was computed of cells, kept as long as tiles to come need it and memory has room; any thread may ask for it.

    Parameters
    ----------
    grid
        Where the cells lie.
    tiles
        All tiles to come, with what they reach over the border; None where nobody knows, so that memory alone decides.
    most_bytes
        Most memory that it takes.
    """

    def __init__(self, grid: CellGrid, tiles: Iterable[Region] | None, most_bytes: int = _KEPT_BYTES) -> None:
        self._grid = grid
        self._waiting = None if tiles is None else Counter(cell for tile in tiles for cell in grid.touching(tile))
        self._kept: SharedCache[CellIndex, Planes] = SharedCache(_nbytes, most_bytes)

    def __contains__(self, cell: CellIndex) -> bool:
        return cell in self._kept

    @property
    def awaited(self) -> Collection[CellIndex]:
        """The cells that tiles to come need, as far as that is known."""
        return () if self._waiting is None else self._waiting.keys()

    @property
    def nbytes(self) -> int:
        """Memory that it takes now, in bytes."""
        return self._kept.nbytes

    def planes(self, cell: CellIndex, compute: Callable[[], Planes]) -> Planes:
        """Return what is computed of a cell, which is done now unless it is there."""
        return self._kept.get(cell, compute)

    def tidy(self, done: Iterable[Region]) -> None:
        """Let go of what no tile needs once `done` are through; to be called on one thread."""
        if self._waiting is None:
            return
        for tile in done:
            for cell in self._grid.touching(tile):
                self._waiting[cell] -= 1
                if self._waiting[cell] <= 0:
                    self._kept.drop(cell)


def _nbytes(planes: Planes) -> int:
    return sum(plane.nbytes for plane in planes)
