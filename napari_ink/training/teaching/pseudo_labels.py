"""Pseudo-labels: what a network is surest of, taken for the truth (Lee 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from napari_ink.annotation import LabelValue
from napari_ink.errors import BadInputError
from napari_ink.model import InkModel
from napari_ink.model.inference import for_prediction
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.taught_network import without_forest
from napari_ink.region import Region
from napari_ink.stack import DepthStack
from napari_ink.training.teaching.blocks import block_region, blocks_of, read_prepared
from napari_ink.training.validation import spread

_HALO_PX = 32
_LEAST_PAPYRUS = 0.25  # of a block
# Logits of ink above those of papyrus. The map of a stack of one grey, which should be flat, reaches .02; that of noise
# .5, and those of blank phantoms 1.
_LEAST_SPREAD = 0.05
Logits = npt.NDArray[np.float32]
Papyrus = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SampledMap:
    """A network's logits of ink on some blocks of a stack.

    Attributes
    ----------
    shape
        Height and width of the segment.
    areas, logits, papyrus
        The blocks, the logits ``(y, x)`` of each, and where each is papyrus.
    """

    shape: tuple[int, int]
    areas: tuple[Region, ...]
    logits: tuple[Logits, ...]
    papyrus: tuple[Papyrus, ...]

    def on_papyrus(self) -> Logits:
        """Return the logits of all papyrus ``(n,)``."""
        return np.concatenate([each[inside] for each, inside in zip(self.logits, self.papyrus, strict=True)])


def sample_map(model: InkModel, stack: DepthStack, papyrus: Papyrus | None, most_blocks: int) -> SampledMap:
    """Return a network's logits of ink, the mean of eight orientations, on blocks that are spread over a segment.

    The mean of orientations errs less than each: what depends on the direction of fibres averages out.

    Parameters
    ----------
    model
        Model of napari-ink.
    stack
        Depth stack.
    papyrus
        Bool ``(y, x)``: papyrus; None if all is.
    most_blocks
        Largest number of blocks of 256 × 256 pixels; memory and time grow with it, not with the segment.

    Raises
    ------
    BadInputError
        If the model is not a network of napari-ink, or no block has papyrus.
    ContractError
        If the stack has too few layers for the model.
    StackError
        If the stack cannot be read.
    """
    network = for_prediction(without_forest(model.network))
    if not isinstance(network, InkEdgeNetwork):
        raise BadInputError(f"{model.name} is not a network of napari-ink, and only those can be adapted.")
    shape = stack.shape[1:]
    whole = [block_region(block, shape) for block in blocks_of(Region.whole(shape))]
    areas = spread(
        [one for one in whole if papyrus is None or papyrus[one.slices].mean() >= _LEAST_PAPYRUS], most_blocks
    )
    if not areas:
        raise BadInputError(f"{stack.source} has no papyrus inside its mask; check the mask, or leave the stack out.")
    contract = model.contract.with_greys_of(stack)
    logits = []
    for area in areas:
        values = torch.from_numpy(read_prepared(stack, contract, area, _HALO_PX, network.size_divisor))
        rows, columns = area.shape
        logits.append(_of_all_orientations(network, values)[_HALO_PX:, _HALO_PX:][:rows, :columns])
    inside = [np.ones(area.shape, bool) if papyrus is None else papyrus[area.slices] for area in areas]
    return SampledMap(shape, tuple(areas), tuple(logits), tuple(inside))


def _of_all_orientations(network: InkEdgeNetwork, values: torch.Tensor) -> Logits:
    total = torch.zeros(values.shape[1:])
    with torch.inference_mode():
        for turns in range(4):
            for is_mirrored in (False, True):
                turned = (values.flip(-1) if is_mirrored else values).rot90(turns, (-2, -1)).contiguous()
                ink = network(turned[None])[0, 0].float().rot90(-turns, (-2, -1))
                total += ink.flip(-1) if is_mirrored else ink
    logits: Logits = (total / 8).numpy()
    return logits


def pseudo_labels(maps: Sequence[SampledMap], ink_share: float, papyrus_share: float) -> list[npt.NDArray[np.uint8]]:
    """Return labels of the pixels with the highest and the lowest logits; all others are unreviewed.

    The shares are those of the papyrus of all maps together, so that a blank segment beside a written one gets few
    pixels of ink.

    Parameters
    ----------
    maps
        Logits of each segment.
    ink_share, papyrus_share
        Shares of the papyrus with the highest logits, which become ink, and with the lowest, which become papyrus.

    Returns
    -------
    list of array
        uint8 ``(y, x)`` for each segment.

    Raises
    ------
    BadInputError
        If the logits of ink and papyrus are nearly the same, so that they differ by rounding alone.
    """
    pooled = np.concatenate([one.on_papyrus() for one in maps])
    lowest_ink, highest_papyrus = np.quantile(pooled, [1 - ink_share, papyrus_share])
    if not lowest_ink - highest_papyrus > _LEAST_SPREAD:  # so that NaN is refused, too
        raise BadInputError(
            "The map is the same nearly everywhere, so nothing is surely ink; check the segment, or name another model."
        )
    found = []
    for one in maps:
        # Zeros take no memory until they are written, so that it does not grow with the segment.
        labels = np.zeros(one.shape, np.uint8)
        for area, logits, papyrus in zip(one.areas, one.logits, one.papyrus, strict=True):
            window = labels[area.slices]
            window[papyrus & (logits <= highest_papyrus)] = LabelValue.PAPYRUS
            window[papyrus & (logits >= lowest_ink)] = LabelValue.INK
        found.append(labels)
    return found
