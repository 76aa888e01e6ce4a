"""A network with a forest and a linear head that learned from strokes: ink from all three, edges from the network."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from napari_ink.model.forest import Forest
from napari_ink.model.linear_head import LinearHead
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.stroke_features import STEP_PX, ink_logit_feature, smoothed, stroke_features

LEAST = 1e-3
"""Least probability of ink, so that logits are finite."""


class TaughtNetwork(nn.Module):
    """Predicts ink by what strokes taught on the features of a network, blended with its own ink, and its edges.

    Parameters
    ----------
    network
        The network whose features the forest was fitted to.
    forest
        The forest; its blend is the weight of what strokes taught.
    linear
        Linear head on the same features, which counts as much as the forest; None in models of earlier versions.

    Attributes
    ----------
    size_divisor : int
        Height and width of an input must be multiples of this many pixels.
    """

    def __init__(self, network: InkEdgeNetwork, forest: Forest, linear: LinearHead | None = None) -> None:
        super().__init__()
        self.network, self.forest, self.linear = network, forest, linear
        self.size_divisor = network.size_divisor

    def forward(self, x: Tensor) -> Tensor:
        """Map prepared grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``: ink, edge."""
        # One by one, since the features of a tile are many times as large as the tile.
        return torch.stack([self._logits(values) for values in x])

    def taught_probability(self, rows: Tensor) -> Tensor:
        """Return the probability of ink ``(n,)`` that strokes taught for features ``(n, c)``, before the blend."""
        found: Tensor = self.forest(rows)
        return found if self.linear is None else with_linear(found, self.linear(rows))

    def _logits(self, values: Tensor) -> Tensor:
        features, logits = stroke_features(self.network, values)
        found = self.taught_probability(features.flatten(1).T.float()).reshape(features.shape[1:])
        if self.linear is None:
            taught, own = _fine_logit(found), _bounded(logits[0])
            return torch.stack([torch.lerp(own, taught, self.forest.blend), logits[1]])
        # Cell by cell, since the network's own ink is as noisy between pixels as a forest between cells.
        taught = torch.logit(smoothed_probability(found, float(self.linear.smoothing)))
        own = _bounded(features[ink_logit_feature(self.network)].float())
        return torch.stack([_fine_logit(torch.sigmoid(torch.lerp(own, taught, self.forest.blend))), logits[1]])


def _fine_logit(cells: Tensor) -> Tensor:
    """Return the logits ``(y, x)`` of probabilities of cells ``(y/4, x/4)``, interpolated."""
    fine = F.interpolate(cells[None, None], scale_factor=STEP_PX, mode="bilinear")[0, 0]
    return torch.logit(fine.clamp(LEAST, 1 - LEAST))


def _bounded(logits: Tensor) -> Tensor:
    return torch.logit(torch.sigmoid(logits).clamp(LEAST, 1 - LEAST))


def with_linear(forest: Tensor, linear: Tensor) -> Tensor:
    """Return the probabilities whose logits are the means of a forest's, given as probabilities, and a linear head's.

    Parameters
    ----------
    forest
        Probabilities ``(n,)``.
    linear
        Logits ``(n,)``.
    """
    return torch.sigmoid((torch.logit(forest.clamp(LEAST, 1 - LEAST)) + linear) / 2)


def smoothed_probability(cells: Tensor, sigma: float) -> Tensor:
    """Return probabilities ``(y, x)`` whose logits are smoothed by a Gaussian, with `sigma` in cells.

    Neighbouring cells are mostly of one kind, and forests err cell by cell.
    """
    return torch.sigmoid(smoothed(torch.logit(cells.clamp(LEAST, 1 - LEAST)), sigma))


def without_forest(network: nn.Module) -> nn.Module:
    """Return the network under a forest, which can be trained further; other networks are returned unchanged."""
    return network.network if isinstance(network, TaughtNetwork) else network
