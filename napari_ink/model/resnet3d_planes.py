"""The network of the `v8-in` family: a 3-D ResNet on enlarged tiles, and a 2-D decoder of maxima along the depth.

Modules have the names of the published checkpoints' keys, and sizes are inferred from the shapes of weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from napari_ink.model.families import Shapes
from napari_ink.model.outputs import NOWHERE_LOGIT, ink_and_edge
from napari_ink.model.resnet3d import Backbone, BackboneSizes, backbone_sizes_of

_XY_STRIDE = 4


def sizes_of(shapes: Shapes) -> BackboneSizes:
    """Return the sizes of a network from the shapes of its weights.

    Raises
    ------
    LookupError, ValueError
        If they are of another network.
    """
    return backbone_sizes_of(shapes, "backbone")


class PlaneDecoder(nn.Module):
    """Joins the planes of each stage, from the coarsest on, with those of the finer stage before it."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(finer + coarser, finer, 3, padding=1, bias=False),
                nn.BatchNorm2d(finer),
                nn.ReLU(inplace=True),
            )
            for finer, coarser in zip(channels, channels[1:], strict=False)
        )
        self.logit = nn.Conv2d(channels[0], 1, 1)

    def forward(self, planes: list[Tensor]) -> Tensor:
        """Map planes, the finest first, to logits ``(b, 1, y, x)`` at the resolution of the finest."""
        x = planes[-1]
        for finer, conv in zip(planes[-2::-1], reversed(self.convs), strict=True):
            x = conv(torch.cat([finer, F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)], dim=1))
        logits: Tensor = self.logit(x)
        return logits


class PlaneNetwork(nn.Module):
    """A network of the `v8-in` family, with logits of ink and no edges.

    Each tile is normed by its own mean and deviation, so its values depend on a tile's size and place.

    Parameters
    ----------
    sizes
        Sizes of its ResNet.
    tile
        Height and width of a tile.
    enlarged
        Layers, height and width that a tile is enlarged to.

    Attributes
    ----------
    size_divisor, fixed_tile : int
        Height and width of an input.
    is_large : bool
        Whether a tile takes so much memory that only one should be computed at a time.
    """

    is_large = True

    def __init__(self, sizes: BackboneSizes, tile: int, enlarged: tuple[int, int, int]) -> None:
        super().__init__()
        self.size_divisor = self.fixed_tile = tile
        self._enlarged = enlarged
        self.normalization = nn.InstanceNorm3d(1, affine=True)
        self.backbone, self.decoder = Backbone(sizes, _XY_STRIDE), PlaneDecoder(sizes.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map prepared grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``: ink, and a constant for no edges."""
        normed = self.normalization(x[:, None])
        volume = F.interpolate(normed, size=self._enlarged, mode="trilinear", align_corners=False)
        logits = ink_and_edge(self.decoder([features.amax(dim=2) for features in self.backbone(volume)]))
        # A tile of a single value lies beside the papyrus, and the norm turns it into an arbitrary one.
        is_blank = x.flatten(1).amax(1) == x.flatten(1).amin(1)
        return torch.where(is_blank[:, None, None, None], NOWHERE_LOGIT, logits)
