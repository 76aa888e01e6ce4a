"""The form of a network that a lane of a CPU trains: channels last in memory, with norms over all lanes.

It shares its weights with the network that it was made from.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from napari_ink.model.encoder import ReducedAttention
from napari_ink.model.network import Decoder, InkEdgeNetwork
from napari_ink.model.stem import DepthPool
from napari_ink.training.lane_functions import Gather, NormReLU, PoolDepth


def for_lane(
    network: InkEdgeNetwork, gather: Gather, updates_statistics: bool, has_frozen_norms: bool = False
) -> nn.Module:
    """Return the form of a network for one lane, with gradients of its own.

    Parameters
    ----------
    network
        The network; its weights and running statistics are shared, not copied.
    gather
        Collects tensors of all lanes.
    updates_statistics
        Whether this lane updates the running statistics of the norms.
    has_frozen_norms
        Whether norms use their running statistics, and leave them as they are.
    """
    form = copy.deepcopy(network).train()
    tensors = zip((*form.parameters(), *form.buffers()), (*network.parameters(), *network.buffers()), strict=True)
    for own, shared in tensors:
        own.data = shared.data
    _swap(
        form, FoldedConvReLU if has_frozen_norms else partial(ConvNormReLU, gather=gather, updates=updates_statistics)
    )
    return form


def _swap(module: nn.Module, for_conv: Callable[[nn.Sequential], nn.Module]) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential) and isinstance(child[0], nn.Conv2d | nn.Conv3d) and len(child) == 3:
            setattr(module, name, for_conv(child))
        elif isinstance(child, DepthPool):
            setattr(module, name, ChannelsLastPool(child))
        else:
            if isinstance(child, ReducedAttention):
                child.attend = attend_in_float32
            _swap(child, for_conv)
    if isinstance(module, Decoder):
        module.resize = _resize


def attend_in_float32(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attend in float32, which for few and small windows takes a quarter of the time that bfloat16 takes."""
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), mask)


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    larger = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
    if larger.requires_grad:
        # The gradient is a part of a concatenated one, for which the backward pass has no fast kernel.
        larger.register_hook(_to_channels_last)  # type: ignore[no-untyped-call]
    return larger


def _to_channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


class ConvNormReLU(nn.Module):
    """A flat convolution in two or three dimensions, as one in two, then batch norm over all lanes and ReLU.

    Parameters
    ----------
    parts
        The convolution, its norm and a ReLU.
    gather, updates
        As `gather` and `updates_statistics` of `for_lane`.
    """

    def __init__(self, parts: nn.Sequential, gather: Gather, updates: bool) -> None:
        super().__init__()
        self.conv, self.norm = parts[0], parts[1]
        self._gather, self._updates_statistics = gather, updates

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, c, [z,] y, x)`` to what the three modules would, with channels last in memory."""
        conv: Any = self.conv
        y = _convolved(conv, conv.weight, x)  # (b, [z,] y, x, c)
        norm: Any = self.norm
        flat = y.reshape(len(y), -1, y.shape[-1]).contiguous()
        given = (flat, norm.weight, norm.bias, norm.eps, self._gather)
        out, mean, variance = NormReLU.apply(*given)  # type: ignore[no-untyped-call]
        if self._updates_statistics:
            _update(norm, mean, variance)
        last = y.ndim - 1
        result: Tensor = out.view_as(y).permute(0, last, *range(1, last))
        return result


class FoldedConvReLU(nn.Module):
    """A flat convolution and a batch norm with fixed statistics, as one convolution, then ReLU.

    Parameters
    ----------
    parts
        The convolution, its norm and a ReLU.
    """

    def __init__(self, parts: nn.Sequential) -> None:
        super().__init__()
        self.conv, self.norm = parts[0], parts[1]

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, c, [z,] y, x)`` to what the three modules would, with channels last in memory."""
        conv: Any = self.conv
        norm: Any = self.norm
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        weight = conv.weight * scale.view(-1, *[1] * (conv.weight.ndim - 1))
        y = _convolved(conv, weight, x, norm.bias - norm.running_mean * scale)  # (b, [z,] y, x, c)
        last = y.ndim - 1
        result: Tensor = F.relu(y, inplace=True).permute(0, last, *range(1, last))
        return result


def _convolved(conv: Any, weight: Tensor, x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return a convolution of ``(b, c, [z,] y, x)`` as ``(b, [z,] y', x', c')``."""
    if x.ndim == 4:
        return _conv2d(x.permute(0, 2, 3, 1), weight, bias, conv.stride, conv.padding)
    b, c, z, height, width = x.shape
    last = x.permute(0, 2, 3, 4, 1)
    if conv.kernel_size[0] == 1:
        flat = last.reshape(b * z, height, width, c)
        planes = _conv2d(flat, weight[:, :, 0], bias, conv.stride[1:], conv.padding[1:])
        return planes.reshape(b, z, *planes.shape[1:])
    merged = last.reshape(b, z, height * width, c)
    planes = _conv2d(merged, weight[..., 0], bias, (conv.stride[0], 1), (conv.padding[0], 0))
    return planes.reshape(b, -1, height, width, planes.shape[-1])


def _conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, ...], padding: tuple[int, ...]
) -> Tensor:
    """Convolve ``(b, y, x, c)`` to the same order of axes."""
    b, height, width, c = x.shape
    # With one channel both layouts are the same memory, and only these strides say which of them is meant.
    strides = (height * width * c, 1, width * c, c)
    planes = x.contiguous().as_strided((b, c, height, width), strides) if c == 1 else x.permute(0, 3, 1, 2)
    return F.conv2d(planes, weight, bias, stride, padding).permute(0, 2, 3, 1).contiguous()


@torch.no_grad()
def _update(norm: Any, mean: Tensor, variance: Tensor) -> None:
    """Move running statistics as batch norm does."""
    norm.num_batches_tracked.add_(1)
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance, norm.momentum)


class ChannelsLastPool(nn.Module):
    """A `DepthPool` on values with channels last.

    Parameters
    ----------
    pool
        The module to replace.
    """

    def __init__(self, pool: DepthPool) -> None:
        super().__init__()
        self.score = pool.score

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, c, z, y, x)`` to ``(b, 2c, y, x)``, with channels last in memory."""
        b, c, z, height, width = x.shape
        values = x.permute(0, 2, 3, 4, 1).reshape(b, z, height * width, c).contiguous()
        # A bias is the same for all layers, so that the softmax over them does not depend on it.
        pooled: Tensor = PoolDepth.apply(values, self.score.weight.flatten())  # type: ignore[no-untyped-call]
        return pooled.view(b, height, width, 2 * c).permute(0, 3, 1, 2)
