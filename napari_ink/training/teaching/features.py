"""Features of the blocks of a stack, computed once and kept while they are used."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import numpy.typing as npt
import torch

from napari_ink.errors import BadInputError
from napari_ink.model import InkModel
from napari_ink.model.inference import for_prediction
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.stroke_features import HALO_PX, STEP_PX, ink_logit_feature, stroke_features
from napari_ink.model.taught_network import without_forest
from napari_ink.region import Region
from napari_ink.stack import DepthStack
from napari_ink.training.teaching.blocks import Block, block_region, read_prepared

MARGIN = 6
"""Cells around a block whose features are kept as well: as far as the smoothing of maps reaches."""
Features = npt.NDArray[np.float16]


class FeatureCache:
    """Computes the features of blocks of a stack, and keeps those used last.

    Parameters
    ----------
    model
        A model of napari-ink; its network is used as it is, and its contract prepares the grey values.
    stack
        The stack.
    most_bytes
        Memory for features; the blocks unused for longest are dropped beyond it.

    Raises
    ------
    BadInputError
        If the model is not a network of napari-ink.
    ContractError
        If the stack has too few layers for the model.
    """

    def __init__(self, model: InkModel, stack: DepthStack, most_bytes: int = 2**29) -> None:
        fast = for_prediction(without_forest(model.network))
        if not isinstance(fast, InkEdgeNetwork):
            raise BadInputError(f"{model.name} is not a network of napari-ink, and only those can be taught.")
        self._network, self._contract, self._stack = fast, model.contract.with_greys_of(stack), stack
        model.contract.z_window(stack.shape[0])  # refuses a stack with too few layers now
        self._blocks: OrderedDict[Block, Features] = OrderedDict()
        self._bytes, self._most_bytes = 0, most_bytes

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the segment."""
        return self._stack.shape[1:]

    @property
    def ink_logit(self) -> int:
        """Number of the feature that is the network's own logit of ink."""
        return ink_logit_feature(self._network)

    def block(self, block: Block) -> Features:
        """Return the features ``(c, y/4, x/4)`` of a block, float16; at the segment's end, blocks are smaller.

        Raises
        ------
        StackError
            If the stack cannot be read there.
        """
        return self.wide_block(block)[:, MARGIN:-MARGIN, MARGIN:-MARGIN]

    def wide_block(self, block: Block) -> Features:
        """Return the features of a block with `MARGIN` cells around it; beyond the segment, its last pixels repeat.

        Raises
        ------
        StackError
            If the stack cannot be read there.
        """
        if block in self._blocks:
            self._blocks.move_to_end(block)
            return self._blocks[block]
        found = self._blocks[block] = self._compute(block_region(block, self.shape))
        self._bytes += found.nbytes
        # One block at least stays: it is what the caller works with.
        while self._bytes > self._most_bytes and len(self._blocks) > 1:
            self._bytes -= self._blocks.popitem(last=False)[1].nbytes
        return found

    def __contains__(self, block: Block) -> bool:
        return block in self._blocks

    def _compute(self, area: Region) -> Features:
        features = stroke_features(self._network, torch.from_numpy(self._prepared(area)))[0]
        # Features in the margin see a little less of the halo than they depend on, and count little.
        halo = HALO_PX // STEP_PX - MARGIN
        rows, columns = (-(-length // STEP_PX) + 2 * MARGIN for length in area.shape)
        # A copy, so that the memory of the halo is freed.
        inner = features[:, halo : halo + rows, halo : halo + columns]
        return inner.clone(memory_format=torch.contiguous_format).numpy()

    def _prepared(self, area: Region) -> npt.NDArray[np.float32]:
        return read_prepared(self._stack, self._contract, area, HALO_PX, self._network.size_divisor)
