"""Which tiles a run has: as large as is asked for, as its networks take, or as they were when it was begun."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_ink.errors import BadInputError
from napari_ink.predict.tiles import TileGrid, tile_grid

if TYPE_CHECKING:
    from napari_ink.predict.members import Member
    from napari_ink.predict.request import PredictRequest

_SMALLEST_TILE = 64


def choose_grid(
    request: PredictRequest, members: Sequence[Member], begun: Mapping[str, Any] | None = None
) -> TileGrid:  # fmt: skip
    """Lay tiles over a stack.

    Parameters
    ----------
    request
        What is asked for.
    members
        Who predicts.
    begun
        Provenance of the run to go on with, which may have had to take smaller tiles than were asked for.

    Raises
    ------
    BadInputError
        If the tile size makes no sense, or a network does not take it.
    """
    from napari_ink.predict.recipe import grid_step

    shape, asked = request.stack.shape[1:], request.tile_size
    if asked is not None and asked < 1:
        raise BadInputError(f"Tiles of {asked} pixels are none; give at least 1, or leave the tile size out.")
    divisor = math.lcm(*(int(getattr(member.network, "size_divisor", 1)) for member in members))
    fixed = {int(side) for member in members if (side := getattr(member.network, "fixed_tile", None)) is not None}
    if fixed:
        side = _only(fixed, divisor, asked)
    elif begun is not None and asked in (None, begun.get("tile_asked")):
        side = max(begun["tile"])
    else:
        side = asked or request.model.contract.tile_size
    return tile_grid(shape, side, divisor, request.overlap, grid_step(members))


def smaller_side(request: PredictRequest, members: Sequence[Member], grid: TileGrid) -> int | None:
    """Return a tile size that takes less memory, about half as large a side; None where there is none."""
    side = max(max(grid.tile) // 2, _SMALLEST_TILE)
    if any(getattr(member.network, "fixed_tile", None) for member in members):
        return None
    divisor = math.lcm(*(int(getattr(member.network, "size_divisor", 1)) for member in members))
    smaller = tile_grid(grid.shape, side, divisor, request.overlap, grid.step)
    return None if smaller.tile == grid.tile else max(smaller.tile)


def _only(fixed: set[int], divisor: int, asked: int | None) -> int:
    """Return the one size of tiles that networks with a fixed one take, and all others beside them."""
    sizes = " and ".join(map(str, sorted(fixed)))
    if len(fixed) > 1 or min(fixed) % divisor:
        raise BadInputError(
            f"These models do not go together: one takes tiles of {sizes} pixels only, and another does not take "
            "those; predict with each by itself."
        )
    if asked not in (None, min(fixed)):
        raise BadInputError(f"A model takes tiles of {sizes} pixels only, not of {asked}; leave the tile size out.")
    return min(fixed)
