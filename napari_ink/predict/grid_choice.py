"""The choice of a run's grid of tiles, from its request and its models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_ink.errors import BadInputError
from napari_ink.mean_factor import seen_side
from napari_ink.predict.resampled_grid import resampled_grid
from napari_ink.predict.resampling import side_of
from napari_ink.predict.tiles import DEFAULT_OVERLAP, TileGrid

if TYPE_CHECKING:
    from napari_ink.predict.ensemble import EnsembleMember
    from napari_ink.predict.request import PredictRequest

# Smaller tiles would give a network too little context.
_SMALLEST_TILE = 64


def choose_grid(
    request: PredictRequest, members: Sequence[EnsembleMember], begun: Mapping[str, Any] | None = None
) -> TileGrid:
    """Return the grid of tiles for a request.

    Tiles are in the segment's pixels, and cover more of them if the network sees means of pixels.

    Parameters
    ----------
    request
        Request that states the stack, and perhaps the tile size and the overlap.
    members
        Ensemble members that predict.
    begun
        Provenance of the run to resume, which may have reduced its tiles to save memory; None for a new run.

    Raises
    ------
    BadInputError
        If the tile size is less than 1, or a network does not accept it.
    """
    context, factor = max(member.contract.context_px for member in members), side_of(members)
    shape, asked = request.stack.shape[1:], request.tile_size
    if asked is not None and asked < 1:
        raise BadInputError(f"Tiles of {asked} pixels are not possible; give at least 1, or leave the tile size out.")
    divisor = math.lcm(*(int(getattr(member.network, "size_divisor", 1)) for member in members))
    fixed = {int(side) for member in members if (side := getattr(member.network, "fixed_tile", None)) is not None}
    if fixed:
        side = _only(fixed, divisor, asked)
    elif begun is not None and asked in (None, begun.get("tile_asked")):
        # The same command resumes a run whose tiles were reduced; another size is refused later, by its name.
        side = seen_side(begun["tile"], factor)
    else:
        side = asked or max(member.contract.tile_size for member in members)
    overlap = overlap_of(request.overlap, members)
    return resampled_grid(shape, side, divisor, overlap, grid_step(members), context, factor)


def grid_step(members: Sequence[EnsembleMember]) -> int:
    """Return the number that the first row and column of a tile must be multiples of, in pixels that are seen.

    With a context it is the network's coarsest step: then each token stands for the same pixels in every tile. Networks
    of a single tile size do not state their step.
    """
    from napari_ink.model.stem import DepthStem
    from napari_ink.predict.tile_inference import has_shared_stem

    if any(member.contract.context_px for member in members):
        free = (member.network for member in members if getattr(member.network, "fixed_tile", None) is None)
        return math.lcm(*(int(getattr(network, "size_divisor", 1)) for network in free))
    return max(DepthStem.steps) if has_shared_stem(members) else 1


def overlap_of(asked: float | None, members: Sequence[EnsembleMember]) -> float:
    """Return the requested overlap of tiles, or else the models' own, or else one that hides the borders of tiles."""
    if asked is not None:
        return asked
    if stated := [member.contract.overlap for member in members if member.contract.overlap is not None]:
        return max(stated)
    return 0.0 if all(member.contract.context_px for member in members) else DEFAULT_OVERLAP


def smaller_side(request: PredictRequest, members: Sequence[EnsembleMember], grid: TileGrid) -> int | None:
    """Return a tile size of about half the side, which needs less memory; None if there is none."""
    seen = grid.seen
    side = max(max(seen.tile) // 2, _SMALLEST_TILE)
    if any(getattr(member.network, "fixed_tile", None) for member in members) or side <= 2 * seen.context:
        return None
    divisor = math.lcm(*(int(getattr(member.network, "size_divisor", 1)) for member in members))
    overlap = overlap_of(request.overlap, members)
    smaller = resampled_grid(grid.shape, side, divisor, overlap, seen.step, seen.context, side_of(members)).seen
    return None if smaller.tile == seen.tile else max(smaller.tile)


def _only(fixed: set[int], divisor: int, asked: int | None) -> int:
    """Return the only tile size that all networks accept, where at least one accepts a single size."""
    sizes = " and ".join(map(str, sorted(fixed)))
    if len(fixed) > 1 or min(fixed) % divisor:
        raise BadInputError(
            f"These models cannot be combined: one takes only tiles of {sizes} pixels, and another does not take "
            "those; predict with each model separately."
        )
    if asked not in (None, min(fixed)):
        raise BadInputError(f"A model takes only tiles of {sizes} pixels, not of {asked}; leave the tile size out.")
    return min(fixed)
