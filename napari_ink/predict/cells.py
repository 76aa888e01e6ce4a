"""Cells: parts of a segment that several tiles share, so that each is computed only once.

Tiles overlap, and the output of a network's first layers in the overlap is the same for all of them. Cells do not
overlap; a tile is assembled from the cells that it touches. The grid of cells is the same in every run over a segment,
so the prediction does not depend on the order of the tiles.
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
# Beyond it the least recently used cells are dropped, and computed again if a tile needs them.
_CACHE_BYTES = 384 * 2**20
Planes = tuple["torch.Tensor", ...]


@dataclass(frozen=True, slots=True)
class CellGrid:
    """A grid of cells over the canvas of all tiles.

    Attributes
    ----------
    canvas
        Height and width of the area that all tiles cover, in pixels.
    side
        Rows and columns from one cell to the next, in pixels.
    halo
        Width of the border around a cell whose pixels affect the cell's values.
    """

    canvas: tuple[int, int]
    side: int
    halo: int = 0

    def edges(self, axis: int) -> list[int]:
        """Return the starts of the cells along an axis, followed by the end of the last.

        Cells are shifted by the halo towards the origin: the area to read for a cell then ends at a multiple of `side`,
        where the chunks of files end too, and begins in rows that the cell before has read as well.
        """
        length = self.canvas[axis]
        # A rest of less than a quarter of a side is added to the last cell: a thin cell is mostly halo.
        inner = range(self.side - self.halo, length - self.side // 4, self.side)
        return [0, *inner, length]

    def touching(self, tile: Region) -> list[CellIndex]:
        """Return the cells that a tile touches."""
        rows, columns = (
            range(bisect_right(edges, first) - 1, bisect_left(edges, last))
            for edges, first, last in ((self.edges(0), tile.y0, tile.y1), (self.edges(1), tile.x0, tile.x1))
        )
        return [(row, column) for row in rows for column in columns]

    def area(self, cell: CellIndex) -> Region:
        """Return the pixels of a cell."""
        (y0, y1), (x0, x1) = (self.edges(axis)[n : n + 2] for axis, n in enumerate(cell))
        return Region(y0, y1, x0, x1)

    def missing_halo(self, cell: CellIndex) -> tuple[int, int, int, int]:
        """Return how many rows and columns of a cell's halo lie beyond the canvas: top, bottom, left, right."""
        area, (height, width) = self.area(cell), self.canvas
        return (
            max(self.halo - area.y0, 0),
            max(area.y1 + self.halo - height, 0),
            max(self.halo - area.x0, 0),
            max(area.x1 + self.halo - width, 0),
        )

    def read_area(self, cell: CellIndex) -> Region:
        """Return the area to read for a cell: its pixels and its halo, clipped to the canvas."""
        area = self.area(cell)
        return Region(
            max(area.y0 - self.halo, 0),
            min(area.y1 + self.halo, self.canvas[0]),
            max(area.x0 - self.halo, 0),
            min(area.x1 + self.halo, self.canvas[1]),
        )


class CellStore:
    """A store of computed cells, kept while later tiles need them and memory allows; safe to use from any thread.

    Parameters
    ----------
    grid
        Grid of cells.
    tiles
        All tiles of the run in full size; None if they are unknown, then only memory limits how long cells are kept.
    most_bytes
        Largest amount of memory to use, in bytes.
    """

    def __init__(self, grid: CellGrid, tiles: Iterable[Region] | None, most_bytes: int = _CACHE_BYTES) -> None:
        self._grid = grid
        self._waiting = None if tiles is None else Counter(cell for tile in tiles for cell in grid.touching(tile))
        self._cache: SharedCache[CellIndex, Planes] = SharedCache(_nbytes, most_bytes)

    def __contains__(self, cell: CellIndex) -> bool:
        return cell in self._cache

    @property
    def awaited(self) -> Collection[CellIndex]:
        """The cells that the run's tiles need; empty if the tiles are unknown."""
        return () if self._waiting is None else self._waiting.keys()

    @property
    def nbytes(self) -> int:
        """Memory in use now, in bytes."""
        return self._cache.nbytes

    def planes(self, cell: CellIndex, compute: Callable[[], Planes]) -> Planes:
        """Return the planes of a cell, from the store or computed now."""
        return self._cache.get(cell, compute)

    def release(self, done: Iterable[Region]) -> None:
        """Drop cells that no tile needs after the tiles `done`; call it on one thread only."""
        if self._waiting is None:
            return
        for tile in done:
            for cell in self._grid.touching(tile):
                self._waiting[cell] -= 1
                if self._waiting[cell] <= 0:
                    self._cache.drop(cell)


def _nbytes(planes: Planes) -> int:
    return sum(plane.nbytes for plane in planes)
