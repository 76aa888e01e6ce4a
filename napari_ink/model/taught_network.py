"""A network with a forest that learned from strokes: ink from both, edges from the network."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from napari_ink.model.forest import Forest
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.stroke_features import STEP_PX, stroke_features

LEAST = 1e-3
"""Least probability of ink, so that logits are finite."""


class TaughtNetwork(nn.Module):
    """Predicts ink by a forest on the features of a network, blended with the network's own ink, and its edges.

    Parameters
    ----------
    network
        The network whose features the forest was fitted to.
    forest
        The forest.

    Attributes
    ----------
    size_divisor : int
        Height and width of an input must be multiples of this many pixels.
    """

    def __init__(self, network: InkEdgeNetwork, forest: Forest) -> None:
        super().__init__()
        self.network, self.forest = network, forest
        self.size_divisor = network.size_divisor

    def forward(self, x: Tensor) -> Tensor:
        """Map prepared grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``: ink, edge."""
        # One by one, since the features of a tile are many times as large as the tile.
        return torch.stack([self._logits(values) for values in x])

    def _logits(self, values: Tensor) -> Tensor:
        features, logits = stroke_features(self.network, values)
        found = self.forest(features.flatten(1).T.float()).reshape(features.shape[1:])
        fine = F.interpolate(found[None, None], scale_factor=STEP_PX, mode="bilinear")[0, 0]
        of_forest = torch.logit(fine.clamp(LEAST, 1 - LEAST))
        of_network = torch.logit(torch.sigmoid(logits[0]).clamp(LEAST, 1 - LEAST))
        return torch.stack([torch.lerp(of_network, of_forest, self.forest.blend), logits[1]])


def without_forest(network: nn.Module) -> nn.Module:
    """Return the network under a forest, which can be trained further; other networks are returned unchanged."""
    return network.network if isinstance(network, TaughtNetwork) else network
