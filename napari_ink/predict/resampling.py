"""Resampling of stacks for models that were trained at another voxel size: means of layers and of squares of pixels.

Tiles, blocks and regions stay in the segment's pixels: a tile covers more of them, and the network's output is enlarged
to it. Means are read instead of voxels, so that memory does not grow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ink.errors import BadInputError

if TYPE_CHECKING:
    from torch import Tensor

    from napari_ink.model import InkModel, InputContract
    from napari_ink.predict.ensemble import EnsembleMember
    from napari_ink.predict.tiles import TileGrid
    from napari_ink.region import Region
    from napari_ink.stack import DepthStack

Means = tuple[float, float]
"""Layers, and pixels along each side of a square, whose mean is one value."""


def resampled(
    model: InkModel, stack: DepthStack, asked: Means | None = None, earlier: Mapping[str, Any] | None = None
) -> InkModel:
    """Return a model whose contract states the means to read from a stack.

    Only other people's models are resampled for by themselves: our own were taught on stacks as they are.

    Parameters
    ----------
    model
        Model that predicts.
    stack
        Depth stack to read.
    asked
        Means that the user asks for; None for those that the voxel sizes call for.
    earlier
        Contract recorded by the run that is resumed, which decides if nothing is asked.

    Raises
    ------
    BadInputError
        If means are asked for, and the model is one of ours.
    """
    if model.config is not None:
        if asked not in (None, (1, 1)):
            raise BadInputError(
                f"{model.name} reads stacks as they are, and cannot read means; leave --resample out, or use another "
                "model."
            )
        return model
    if asked is not None:
        return model.reading(mean_of=asked)
    if earlier is not None:
        layers, side = earlier.get("mean_of", (1, 1))
        return with_means(model, (layers, side))
    return with_means(model, model.contract.fitted(stack.voxel_size_um, stack.layer_step_um).mean_of)


def with_means(model: InkModel, means: Means) -> InkModel:
    """Return a model whose contract states these means.

    Raises
    ------
    ContractError
        If they are not possible.
    """
    if model.contract.mean_of == means:
        return model
    return replace(model, contract=model.contract.changed(mean_of=means))


def side_of(members: Sequence[EnsembleMember]) -> float:
    """Return how many pixels along each side of a square all members average.

    Raises
    ------
    BadInputError
        If members differ.
    """
    sides = {member.contract.mean_of[1] for member in members}
    if len(sides) > 1:
        stated = " and ".join(f"{side:g}" for side in sorted(sides))
        raise BadInputError(
            f"These models cannot be combined: they read means of {stated} pixels; predict with each model "
            "separately, or turn resampling off (`--resample none`)."
        )
    return sides.pop()


def enlarged(probabilities: Tensor, grid: TileGrid, tiles: Sequence[Region]) -> Tensor:
    """Return probabilities ``(b, c, y, x)`` of tiles, interpolated bilinearly at the middles of the segment's pixels.

    Parameters
    ----------
    probabilities
        Probabilities of what the network saw, without the context.
    grid
        Grid of the tiles.
    tiles
        The tiles, in the segment's pixels.
    """
    if grid.factor == 1:
        return probabilities
    import torch
    from torch.nn import functional

    out: Tensor
    if grid.factor.denominator == 1:
        side = grid.factor.numerator
        out = functional.interpolate(probabilities, scale_factor=side, mode="bilinear", align_corners=False)
        return out
    # Each tile begins elsewhere between two values that the network gave, and so has places of its own.
    places = []
    for firsts in map(grid.first_pixel, tiles):
        axes = zip(firsts, grid.kept, probabilities.shape[-2:], strict=True)
        y, x = (_middles(float(first), float(grid.factor), length, seen) for first, length, seen in axes)
        places.append(torch.stack([x[None, :].expand(len(y), -1), y[:, None].expand(-1, len(x))], dim=-1))
    at = torch.stack(places).to(probabilities)
    out = functional.grid_sample(probabilities, at, mode="bilinear", padding_mode="border", align_corners=False)
    return out


def _middles(first: float, factor: float, length: int, seen: int) -> Tensor:
    """Return the middles of pixels along an axis, where -1 and 1 are the borders of a tile of `seen` pixels."""
    import torch

    return 2 * (first + torch.arange(length, dtype=torch.float64) / factor) / seen - 1


def source_in_words(contract: InputContract, stack: DepthStack) -> str:
    """Return where means of pixels are read from, for a run's notes and its record; empty without means."""
    from napari_ink.stack import level_step

    side = contract.mean_of[1]
    if side == 1:
        return ""
    step = level_step(stack, side)
    return "full resolution" if step == 1 else f"the stored level of 1/{step}"
