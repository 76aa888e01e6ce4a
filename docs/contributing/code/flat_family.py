"""A family of networks that read the mean of some layers: example of a model family."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from napari_ink.model.families import ConfigPart, Crop, Family, Shapes


class FlatConfig(ConfigPart):
    """The entries of a training configuration that are read; a value that is not known is refused."""

    model_type: Literal["flat_mean"]
    activation: Literal["relu"] = "relu"  # it does not show in the weights, so it must be the one that is built here
    patch_size: Crop


class FlatNetwork(nn.Module):
    """Two convolutions of the mean over the depth, with the names of the published weights."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, 1, 1)

    def forward(self, stack: Tensor) -> Tensor:
        """Map ``(b, z, y, x)`` to logits ``(b, 2, y, x)`` of ink and of edges, of which it predicts none."""
        ink = self.last(torch.relu(self.first(stack.mean(dim=1, keepdim=True))))
        return torch.cat([ink, torch.full_like(ink, -torch.inf)], dim=1)


def _contract(config: FlatConfig) -> dict[str, Any]:
    depth, tile, _ = config.patch_size
    return {"depth_layers": depth, "min_depth_layers": depth, "voxel_size_um": 7.91, "tile_size": tile}


def _network(config: FlatConfig, shapes: Shapes) -> FlatNetwork:
    return FlatNetwork(channels=shapes["first.weight"][0])  # sizes come from the weights, which cannot be wrong


FAMILY = Family("flat", FlatConfig, _contract, _network)
