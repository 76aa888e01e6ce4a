"""The geometry of tiles and blocks: arithmetic on half-open ranges of full-resolution segment pixels.

The grid of tiles starts at the segment's origin, whatever region is requested, so a region gets the same values as in a
run over the whole segment. Blocks are the chunks of the prediction store; a block is final once no later tile touches
it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction

from napari_ink.errors import BadInputError
from napari_ink.region import Region

BLOCK = 256
"""Height and width of a block, in pixels."""

DEFAULT_OVERLAP = 0.25
"""Without a context: it scores as well as 0.5 with half as many tiles (docs/decisions/0004-tiles.md)."""

MAX_OVERLAP = 0.75
BlockIndex = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Tiles over a whole segment.

    Attributes
    ----------
    shape
        The segment's height and width.
    tile
        Height and width of a tile, the network's input; larger than the segment only if the segment is smaller than a
        tile.
    stride
        Rows and columns from one tile to the next. The last tile is moved back to end at the segment's border.
    step
        Tiles start at multiples of this number of pixels; the last tile may exceed the border by less than that.
    context
        Pixels along each side of a tile that the network reads and whose values are dropped.
    """

    shape: tuple[int, int]
    tile: tuple[int, int]
    stride: tuple[int, int]
    step: int = 1
    context: int = 0

    @property
    def kept(self) -> tuple[int, int]:
        """Height and width of a tile without its context, whose values are dropped."""
        return self.tile[0] - 2 * self.context, self.tile[1] - 2 * self.context

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width of the area that all tiles give values for, which may exceed the segment."""
        height, width = (self.starts(axis)[-1] + self.kept[axis] for axis in (0, 1))
        return height, width

    @property
    def seen(self) -> TileGrid:
        """The same tiles in pixels that the network sees, which differ from the segment's in a resampled stack."""
        return self

    @property
    def factor(self) -> Fraction:
        """Number of the segment's pixels along the side of a pixel that the network sees."""
        return Fraction(1)

    def first_pixel(self, tile: Region) -> tuple[Fraction, Fraction]:
        """Return the middle of a tile's first pixel, in seen pixels from the tile's top left without its context."""
        return Fraction(1, 2), Fraction(1, 2)

    def read_area(self, tile: Region) -> Region:
        """Return the part of the seen canvas that the network reads for a tile, its context included."""
        (height, width), (tall, wide), context = self.canvas, self.kept, self.context
        return Region(
            max(tile.y0 - context, 0),
            min(tile.y0 + tall + context, height),
            max(tile.x0 - context, 0),
            min(tile.x0 + wide + context, width),
        )

    def place_in_tile(self, tile: Region) -> tuple[int, int]:
        """Return the row and column within a seen tile at which `read_area` begins.

        They are 0 except at the canvas's top and left, where the context reaches beyond the canvas.
        """
        return max(self.context - tile.y0, 0), max(self.context - tile.x0, 0)

    def rows(self, region: Region) -> Iterator[tuple[Region, ...]]:
        """Yield the rows of tiles that touch `region`, each tile clipped to the segment."""
        ys, xs = (self._ranges(axis) for axis in (0, 1))
        xs = [(x0, x1) for x0, x1 in xs if x0 < region.x1 and region.x0 < x1]
        for y0, y1 in ys:
            if y0 < region.y1 and region.y0 < y1:
                yield tuple(Region(y0, y1, x0, x1) for x0, x1 in xs)

    def starts(self, axis: int) -> tuple[int, ...]:
        """Return the first pixel of each tile along an axis."""
        return tile_starts(self.shape[axis], self.kept[axis], self.stride[axis], self.step)

    def _ranges(self, axis: int) -> list[tuple[int, int]]:
        length, kept = self.shape[axis], self.kept[axis]
        return [(start, min(start + kept, length)) for start in self.starts(axis)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Tiles of one row that go through the network together, and the pending blocks that they touch."""

    tiles: tuple[Region, ...]
    blocks: tuple[BlockIndex, ...]


@dataclass(frozen=True, slots=True)
class TilePlan:
    """All batches of a run in order, and the blocks that no tile touches."""

    batches: tuple[Batch, ...]
    untouched: tuple[BlockIndex, ...]

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return sum(len(batch.tiles) for batch in self.batches)


def tile_starts(length: int, tile: int, stride: int, step: int = 1) -> tuple[int, ...]:
    """Return the starts of the tiles that cover one axis, all multiples of `step`.

    Every tile ends less than `step` pixels beyond the axis. An axis shorter than a tile has a single tile, at 0.
    """
    if length <= tile:
        return (0,)
    # Rounded up to a multiple of `step`; rounded down, the last pixels would be in no tile.
    last = -(-(length - tile) // step) * step
    return (*range(0, last, stride), last)


def tile_grid(
    shape: tuple[int, int], tile_size: int, divisor: int, overlap: float, step: int = 1, context: int = 0
) -> TileGrid:
    """Return the grid of tiles over a segment.

    Parameters
    ----------
    shape
        The segment's height and width, in pixels.
    tile_size
        Height and width of a tile, in pixels; rounded down to a multiple of `divisor`, and reduced if the segment is
        smaller.
    divisor
        Number that the height and width of the network's input must be multiples of.
    overlap
        Overlap of neighbouring tiles, without their context, as a share of a tile's height and width, 0 to 0.75.
    step
        Number that tiles start at multiples of; it divides `divisor`.
    context
        Pixels along each side of a tile that the network reads and whose values are dropped.

    Raises
    ------
    BadInputError
        If `overlap` is out of range, or the context leaves nothing of a tile.
    """
    check_overlap(overlap)
    largest = max(tile_size // divisor, 1) * divisor
    if context:
        return _grid_with_context(shape, largest, divisor, overlap, step, context)
    height, width = (min(largest, -(-length // divisor) * divisor) for length in shape)
    stride_y, stride_x = (max((side - round(side * overlap)) // step, 1) * step for side in (height, width))
    return TileGrid(shape, (height, width), (stride_y, stride_x), step)


def _grid_with_context(
    shape: tuple[int, int], largest: int, divisor: int, overlap: float, step: int, context: int
) -> TileGrid:
    """Lay tiles whose context is dropped; they are equally large, and no larger than they need to be.

    Values do not depend on where tiles begin, as long as they begin at multiples of the network's coarsest step.
    """
    most = largest - 2 * context
    if most < 1:
        least = -(-(2 * context + 1) // divisor) * divisor
        raise BadInputError(
            f"Tiles of {largest} pixels leave nothing beside the {context} pixels of context that this model reads "
            f"along each side; give at least {least}, or leave the tile size out."
        )
    sides = [min(-(-length // -(-length // most)), most) for length in shape]
    height, width = (min(-(-(side + 2 * context) // divisor) * divisor, largest) for side in sides)
    stride_y, stride_x = (
        max((side - 2 * context - round((side - 2 * context) * overlap)) // step, 1) * step for side in (height, width)
    )
    return TileGrid(shape, (height, width), (stride_y, stride_x), step, context)


def check_overlap(overlap: float) -> None:
    """Refuse an overlap that is out of range.

    Raises
    ------
    BadInputError
        If it is less than 0 or more than `MAX_OVERLAP`.
    """
    if not 0 <= overlap <= MAX_OVERLAP:
        raise BadInputError(
            f"The overlap of tiles must lie between 0 and {MAX_OVERLAP}, not {overlap}; {DEFAULT_OVERLAP} is usual."
        )


def blocks_in(region: Region) -> list[BlockIndex]:
    """Return the indices ``(row, column)`` of the blocks that touch a region."""
    return region.grid_squares(BLOCK)


def block_area(block: BlockIndex, region: Region) -> Region:
    """Return the part of a block that lies in `region`, which the block must touch."""
    return Region.grid_square(block, BLOCK).within(region)


def plan_tiles(
    grid: TileGrid,
    region: Region,
    pending: Collection[BlockIndex],
    batch_size: int,
    is_wanted: Callable[[Region], bool],
) -> TilePlan:
    """Return the batches of tiles that a run needs.

    A batch holds tiles of one row, and its tiles do not depend on which blocks are pending: after an interruption each
    tile goes through the network in the same batch as before, so its values are the same to the bit.

    Parameters
    ----------
    grid
        The tiles of the segment.
    region
        Region to predict.
    pending
        Blocks of the region that are not final yet.
    batch_size
        Largest number of tiles in a batch.
    is_wanted
        Returns whether a tile's part of the region contains anything to predict.
    """
    wanted = frozenset(pending)
    batches = []
    # Tiles are put into batches first and batches are dropped after: dropping tiles first would shift the others.
    for row in grid.rows(region):
        for tiles in _in_batches([tile for tile in row if is_wanted(tile.within(region))], batch_size):
            touched = {block for tile in tiles for block in blocks_in(tile.within(region))} & wanted
            if touched:
                batches.append(Batch(tiles, tuple(sorted(touched))))
    untouched = wanted.difference(*(batch.blocks for batch in batches))
    return TilePlan(tuple(batches), tuple(sorted(untouched)))


def _in_batches(tiles: list[Region], size: int) -> Iterator[tuple[Region, ...]]:
    for start in range(0, len(tiles), size):
        yield tuple(tiles[start : start + size])
