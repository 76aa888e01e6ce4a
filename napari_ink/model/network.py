"""The network that maps a depth stack to one logit for ink and one for edges at every pixel."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from napari_ink.model.config import InkEdgeConfig
from napari_ink.model.encoder import HierarchicalEncoder
from napari_ink.model.ink_average import InkAverage
from napari_ink.model.stem import DepthStem

INK, EDGE = 0, 1


def _conv(c_in: int, c_out: int, kernel: int) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _size(plane: Tensor) -> tuple[int, int]:
    return plane.shape[-2], plane.shape[-1]


def _without_border(x: Tensor, width: int) -> Tensor:
    return x[..., width : x.shape[-2] - width, width : x.shape[-1] - width] if width else x


class Decoder(nn.Module):
    """Merge the stages at a quarter of the resolution, then upsample with the stem's finer plane.

    Attributes
    ----------
    resize : Callable
        Bilinear interpolation of ``(b, c, y, x)`` to a size, which training replaces where another form is faster.
    """

    resize: Callable[[Tensor, tuple[int, int]], Tensor] = staticmethod(_resize)

    def __init__(self, half_channels: int, config: InkEdgeConfig) -> None:
        super().__init__()
        dim = config.decoder_dim
        self.lateral = nn.ModuleList(nn.Conv2d(d, dim, 1) for d in config.per_stage("dims"))
        self.fuse = _conv(4 * dim, dim, 1)
        self.to_half = _conv(dim + half_channels, dim // 2, 3)
        self.to_full = _conv(dim // 2, dim // 4, 3)

    def forward(self, planes: list[Tensor], half: Tensor, border: int = 0) -> Tensor:
        """Map the encoder's planes and the stem's ``(b, c, y/2, x/2)`` to ``(b, decoder_dim/4, y, x)``.

        Parameters
        ----------
        planes, half
            The planes.
        border
            Pixels along each side whose values are left out; a multiple of 4.
        """
        return _without_border(self.enlarge_half(self.enlarge_quarter(self.merge(planes), half)), border)

    def merge(self, planes: list[Tensor]) -> Tensor:
        """Map the encoder's planes to one, ``(b, decoder_dim, y/4, x/4)``."""
        lifted = [self.resize(lateral(p), _size(planes[0])) for lateral, p in zip(self.lateral, planes, strict=True)]
        merged: Tensor = self.fuse(torch.cat(lifted, dim=1))
        return merged

    def enlarge_quarter(self, merged: Tensor, half: Tensor) -> Tensor:
        """Map the merged plane and the stem's to half the resolution, ``(b, decoder_dim/2, y/2, x/2)``."""
        enlarged: Tensor = self.to_half(torch.cat([self.resize(merged, _size(half)), half], dim=1))
        return enlarged

    def enlarge_half(self, x: Tensor) -> Tensor:
        """Map a plane of half the resolution to the full one, ``(b, decoder_dim/4, y, x)``."""
        full: Tensor = self.to_full(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        return full


class InkEdgeNetwork(nn.Module):
    """A convolutional stem over the depth, a hierarchical transformer, a light decoder, and heads for ink and edges.

    Parameters
    ----------
    config
        The sizes of its parts.

    Attributes
    ----------
    size_divisor : int
        Height and width of an input must be multiples of this many pixels.
    """

    def __init__(self, config: InkEdgeConfig) -> None:
        super().__init__()
        self.config = config
        self.size_divisor = max(4 * 2**i * r for i, r in enumerate(config.per_stage("reduction_ratio")))
        self.stem = DepthStem(config.stem_channels)
        self.encoder = HierarchicalEncoder(self.stem.quarter_channels, config)
        self.decoder = Decoder(self.stem.half_channels, config)
        self.heads = nn.Conv2d(config.decoder_dim // 4, 2, 1)
        self.ink_average = InkAverage(config.ink_average_px, config.ink_average_share)
        # Ink and edges are rare: a bias near their share of the pixels saves the first steps of training.
        nn.init.constant_(self.heads.bias, -2.0)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Predict ink and edges.

        Parameters
        ----------
        x
            Prepared grey values ``(b, z, y, x)``, any number of depth layers.

        Returns
        -------
        Tensor
            Logits ``(b, 2, y, x)``: ink, edge.
        """
        return self.after_stem(*self.stem(x))

    def after_stem(self, half: Tensor, quarter: Tensor, context: int = 0) -> Tensor:
        """Predict from the stem's planes ``(b, c, y/2, x/2)`` and ``(b, c, y/4, x/4)``.

        Parameters
        ----------
        half, quarter
            Planes of the stem at half and at quarter resolution.
        context
            Pixels along each side whose logits are left out; a multiple of `size_divisor`.

        Returns
        -------
        Tensor
            Logits ``(b, 2, y - 2·context, x - 2·context)``.
        """
        planes = self.encoder(quarter)
        # The decoder reads no further than half a token of the coarsest plane, so it needs only a part of the context.
        margin = min(context, self.size_divisor)
        steps = [4 * 2**i for i in range(len(planes))]
        planes = [_without_border(plane, (context - margin) // step) for plane, step in zip(planes, steps, strict=True)]
        # The average reads a part of the margin, which is kept until it has been taken.
        kept = margin if self.ink_average.reach_px else 0
        logits = self.heads(self.decoder(planes, _without_border(half, (context - margin) // 2), margin - kept))
        return _without_border(self.ink_average(logits), kept)
