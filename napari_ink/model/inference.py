"""Faster networks for prediction: folded norms, 3-D convolutions run as 2-D ones, channels last, decoded in strips.

Only the order of sums changes. docs/decisions/0009-speed.md has the measurements.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_ink.model.crop_scaling import CropScaled
from napari_ink.model.encoder import ReducedAttention
from napari_ink.model.network import Decoder, InkEdgeNetwork
from napari_ink.model.stem import DepthPool, DepthStem
from napari_ink.model.taught_network import TaughtNetwork


def for_prediction(network: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Return a faster copy of an `InkEdgeNetwork` with the same logits; other networks are returned unchanged.

    The copy can only predict. Its input and output are laid out like the original's. Networks of published files have
    no faster form in float32: folded norms and channels last gain less than 5 % of their time. In bfloat16 they run
    under autocast, which keeps norms and softmax in float32.

    Parameters
    ----------
    network
        The network.
    dtype
        Number format of its weights and activations. With ``torch.bfloat16`` logits are no longer the same, see
        docs/decisions/0029-reduced-precision.md; softmax, means over the depth and the sums of norms stay in float32.
    """
    if isinstance(network, TaughtNetwork):
        # In float32 whatever is asked, since the forest's thresholds were learned from features in it.
        return TaughtNetwork(cast(InkEdgeNetwork, for_prediction(network.network)), network.forest, network.linear)
    if isinstance(network, CropScaled):
        # Percentiles and medians are those of the grey values, so they stay outside.
        return CropScaled(for_prediction(network.network, dtype), network.size_divisor).eval()
    if not isinstance(network, InkEdgeNetwork):
        return (
            Autocast(network, dtype).eval() if takes_reduced_precision(network) and dtype != torch.float32 else network
        )
    fast = copy.deepcopy(network).eval()
    fold_norms(fast)
    _swap(fast)
    # The heads work on strips too: then no plane of features of the full resolution exists.
    fast.decoder, fast.heads = StripDecoder(fast.decoder, fast.heads), nn.Identity()  # type: ignore[assignment, arg-type]
    for module in fast.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        elif isinstance(module, ReducedAttention) and module.reach is not None:
            module.attend = attend_to_few
    return fast if dtype == torch.float32 else _converted(fast, dtype)


def takes_reduced_precision(network: nn.Module) -> bool:
    """Return whether `for_prediction` has a form of a network in bfloat16."""
    from napari_ink.model.hybrid import HybridNetwork
    from napari_ink.model.resnet3d import HecateNetwork
    from napari_ink.model.resnet3d_planes import PlaneNetwork
    from napari_ink.model.timesformer import GrandPrizeNetwork

    inner = network.network if isinstance(network, CropScaled) else network
    return isinstance(inner, InkEdgeNetwork | HybridNetwork | HecateNetwork | PlaneNetwork | GrandPrizeNetwork)


class Autocast(nn.Module):
    """A network that runs under autocast, with logits in float32.

    Parameters
    ----------
    network
        The network, whose weights stay as they are.
    dtype
        Number format of its convolutions and linear layers.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype
        # A quarter faster for large volumes, and slower for the few channels of a small stem.
        for module in network.modules() if getattr(network, "is_large", False) else ():
            if isinstance(module, nn.Conv3d):
                module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        """Map prepared grey values to logits as the network does."""
        with torch.autocast(x.device.type, self.dtype):
            logits: Tensor = self.network(x)
        return logits.float()

    def with_depth(self, x: Tensor) -> Tensor:
        """Add the depth of ink, for a network that has it."""
        with torch.autocast(x.device.type, self.dtype):
            values: Tensor = self.network.with_depth(x)  # type: ignore[operator]
        return values.float()


def _converted(fast: InkEdgeNetwork, dtype: torch.dtype) -> InkEdgeNetwork:
    """Convert a network, which still reads float32."""
    fast.to(dtype)
    fast.stem = ConvertingStem(fast.stem, dtype)  # type: ignore[assignment]
    return fast


class ConvertingStem(nn.Module):
    """A stem that converts the grey values it reads to its own number format.

    Parameters
    ----------
    stem
        The stem.
    dtype
        Its number format.
    """

    def __init__(self, stem: DepthStem, dtype: torch.dtype) -> None:
        super().__init__()
        self.stem, self.dtype = stem, dtype

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map a stack as `DepthStem` does."""
        planes: tuple[Tensor, Tensor] = self.stem(x.to(self.dtype))
        return planes


def attend_to_few(q: Tensor, k: Tensor, v: Tensor, is_key: Tensor) -> Tensor:
    """Return what `torch.nn.functional.scaled_dot_product_attention` does, faster on a CPU where keys are few.

    Queries come last in the scores, so that softmax runs over many of them at once; torch's own function, and softmax
    over a last axis of nine keys, compute one query after the other and take three to eight times as long.
    """
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, is_key)
    scores = (k @ q.transpose(-2, -1)).float() * q.shape[-1] ** -0.5
    weights = torch.softmax(scores.masked_fill_(~is_key.transpose(-2, -1), -torch.inf), dim=-2)
    return weights.to(v.dtype).transpose(-2, -1) @ v


def fold_norms(network: nn.Module) -> None:
    """Fold each batch norm that follows a convolution in an `nn.Sequential` into the convolution's weights."""
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential) and _begins_with_conv_norm(module):
            module[0] = fuse_conv_bn_eval(module[0], module[1])  # type: ignore[type-var, arg-type]
            del module[1]


def _begins_with_conv_norm(module: nn.Sequential) -> bool:
    kinds = (nn.Conv2d | nn.Conv3d, nn.BatchNorm2d | nn.BatchNorm3d)
    return len(module) > 1 and all(isinstance(part, kind) for part, kind in zip(module, kinds, strict=False))


def _swap(module: nn.Module) -> None:
    """Replace modules that work on volumes, everywhere below a module, with equivalents for channels last."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv3d) and FlatConv.fits(child):
            setattr(module, name, FlatConv(child))
        elif isinstance(child, DepthPool):
            setattr(module, name, ChannelsLastDepthPool(child))
        elif isinstance(child, nn.Linear) or (isinstance(child, nn.Conv2d) and PointwiseConv.fits(child)):
            setattr(module, name, PointwiseConv(child))
        else:
            _swap(child)


def _channels_last(x: Tensor) -> Tensor:
    """Return ``(b, c, z, y, x)`` as contiguous ``(b, z, y, x, c)``, without a copy if memory is laid out so."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


class FlatConv(nn.Module):
    """A 3-D convolution within layers, or along the depth, that runs as a 2-D one.

    With channels last, layers (or rows and columns) can be merged without copying.

    Parameters
    ----------
    conv
        A convolution that `fits`.
    """

    @staticmethod
    def fits(conv: nn.Conv3d) -> bool:
        """Whether the kernel is flat and all other settings are the usual ones."""
        if (
            isinstance(conv.padding, str)
            or conv.padding_mode != "zeros"
            or conv.groups > 1
            or set(conv.dilation) != {1}
        ):
            return False
        axes = list(zip(conv.kernel_size, conv.stride, conv.padding, strict=True))
        untouched = [axis == (1, 1, 0) for axis in axes]
        return untouched[0] or all(untouched[1:])

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__()
        self.in_plane = (conv.kernel_size[0], conv.stride[0], conv.padding[0]) == (1, 1, 0)
        keep = slice(1, 3) if self.in_plane else slice(0, 2)
        weight = conv.weight.detach()[:, :, 0] if self.in_plane else conv.weight.detach()[..., 0]
        kernel, stride = conv.kernel_size[keep], conv.stride[keep]
        padding = tuple(conv.padding)[keep]
        # Sliced, so that their lengths are unknown to mypy.
        size = (conv.in_channels, conv.out_channels, kernel, stride, padding)
        self.flat = nn.Conv2d(*size, bias=conv.bias is not None)  # type: ignore[arg-type]
        self.flat.weight = nn.Parameter(weight, requires_grad=False)
        if conv.bias is not None:
            self.flat.bias = nn.Parameter(conv.bias.detach(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, c, z, y, x)`` to what the 3-D convolution would, with channels last in memory."""
        b, c, z, height, width = x.shape
        merged = (b * z, height, width, c) if self.in_plane else (b, z, height * width, c)
        planes = _channels_last(x).reshape(merged).permute(0, 3, 1, 2)
        out: Tensor = self.flat(planes).permute(0, 2, 3, 1)  # (b·z, y', x', c') or (b, z', y·x, c')
        full = (b, z, *out.shape[1:]) if self.in_plane else (b, out.shape[1], height, width, out.shape[3])
        return out.reshape(full).permute(0, 4, 1, 2, 3)


class PointwiseConv(nn.Module):
    """A linear layer, or a convolution of single pixels, that oneDNN computes.

    torch gives both to a function of Intel's MKL, which takes two to four times as long on processors of AMD, unless a
    convolution has a batch of 16 or more. So rows are handed over as a batch; no value moves.

    Parameters
    ----------
    layer
        A linear layer, or a convolution that `fits`.
    """

    @staticmethod
    def fits(conv: nn.Conv2d) -> bool:
        """Whether each pixel is computed from that pixel alone, and from all of its channels."""
        settings = conv.kernel_size, conv.stride, conv.padding
        return settings == ((1, 1), (1, 1), (0, 0)) and conv.groups == 1

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        self.is_linear = isinstance(layer, nn.Linear)
        weight = layer.weight.detach()
        self.out_channels = len(weight)
        self.weight = nn.Parameter(weight.reshape(*weight.shape[:2], 1, 1), requires_grad=False)
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, y, x, c)`` of a linear layer, or ``(b, c, y, x)`` of a convolution, to the same layout."""
        pixels = x if self.is_linear else x.permute(0, 2, 3, 1)
        if pixels.device.type == "cpu" and pixels.dtype == torch.float32:
            out = self._as_convolution(pixels)
        else:
            out = F.linear(pixels, self.weight.flatten(1), self.bias)
        return out if self.is_linear else out.permute(0, 3, 1, 2)

    def _as_convolution(self, pixels: Tensor) -> Tensor:
        b, height, width, channels = pixels.shape
        rows = pixels.reshape(b * height, 1, width, channels).permute(0, 3, 1, 2)
        out: Tensor = F.conv2d(rows, self.weight, self.bias)
        return out.permute(0, 2, 3, 1).reshape(b, height, width, -1)


class ChannelsLastDepthPool(nn.Module):
    """A `DepthPool` on values with channels last.

    Parameters
    ----------
    pool
        The module to replace.
    """

    def __init__(self, pool: DepthPool) -> None:
        super().__init__()
        score = pool.score
        self.score = nn.Linear(score.in_channels, 1)
        self.score.weight = nn.Parameter(score.weight.detach().flatten(1), requires_grad=False)
        self.score.bias = nn.Parameter(score.bias.detach(), requires_grad=False)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, c, z, y, x)`` to ``(b, 2c, y, x)``, with channels last in memory."""
        values = _channels_last(x)
        weight = torch.softmax(self.score(values).float(), dim=1)  # (b, z, y, x, 1)
        # Layer by layer, since the product of all layers is as large as the values and exceeds every cache. In float32
        # whatever the values are: torch adds in bfloat16 ten times as slowly, and would round after each layer.
        highest, mean = values[:, 0].clone(), torch.zeros_like(values[:, 0], dtype=torch.float32)
        for z in range(values.shape[1]):
            torch.maximum(highest, values[:, z], out=highest)
            mean.addcmul_(values[:, z], weight[:, z])
        return torch.cat([highest, mean.to(values.dtype)], dim=-1).permute(0, 3, 1, 2)


# Rows of a strip at a quarter of the resolution. Planes of 512 × 512 pixels leave the caches, and glibc maps arrays
# over 32 MB anew each time, so that the system clears each of their pages.
_STRIP = 32
# Rows and columns, at a quarter and at half of the resolution, beside a part that affect the values inside it: one for
# the enlargement and one for the convolution after it, or less.
_BESIDE_QUARTER, _BESIDE_HALF = 2, 1


class StripDecoder(nn.Module):
    """A `Decoder` with its heads that enlarges planes a strip of rows at a time; values are the same.

    Parameters
    ----------
    decoder, heads
        The modules to replace.
    """

    def __init__(self, decoder: Decoder, heads: PointwiseConv) -> None:
        super().__init__()
        self.decoder, self.heads = decoder, heads

    def forward(self, planes: list[Tensor], half: Tensor, border: int = 0) -> Tensor:
        """Map planes, as `Decoder` reads them, to logits ``(b, 2, y - 2·border, x - 2·border)``."""
        merged = self.decoder.merge(planes)
        rows, columns = merged.shape[-2:]
        edge = border // 4
        shape = len(merged), self.heads.out_channels, 4 * (rows - 2 * edge), 4 * (columns - 2 * edge)
        logits = merged.new_empty(shape).contiguous(memory_format=torch.channels_last)
        for top in range(edge, rows - edge, _STRIP):
            bottom = min(top + _STRIP, rows - edge)
            strip = self._strip(merged, half, (top, bottom), (edge, columns - edge))
            logits[..., 4 * (top - edge) : 4 * (bottom - edge), :] = strip
        return logits

    def _strip(self, merged: Tensor, half: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
        """Return the logits of rows and columns of the merged plane."""
        area = rows, columns
        read = _grown(area, _BESIDE_QUARTER, merged)
        at_half = self.decoder.enlarge_quarter(_part(merged, read), _part(half, _scaled(read, 2)))
        needed = _grown(_scaled(area, 2), _BESIDE_HALF, half)
        at_half = _part(at_half, _moved(needed, _scaled(read, 2)))
        logits: Tensor = self.heads(self.decoder.enlarge_half(at_half))
        y, x = (slice(*span) for span in _moved(_scaled(area, 4), _scaled(needed, 2)))
        return logits[..., y, x]


_Span = tuple[int, int]
_Area = tuple[_Span, _Span]


def _grown(area: _Area, by: int, plane: Tensor) -> _Area:
    """Return rows and columns with `by` more on each side, as far as the plane reaches."""
    (y0, y1), (x0, x1) = area
    height, width = plane.shape[-2:]
    return (max(y0 - by, 0), min(y1 + by, height)), (max(x0 - by, 0), min(x1 + by, width))


def _scaled(area: _Area, factor: int) -> _Area:
    (y0, y1), (x0, x1) = area
    return (factor * y0, factor * y1), (factor * x0, factor * x1)


def _moved(area: _Area, outer: _Area) -> _Area:
    """Return rows and columns counted from the first of `outer`."""
    (y0, y1), (x0, x1) = area
    return (y0 - outer[0][0], y1 - outer[0][0]), (x0 - outer[1][0], x1 - outer[1][0])


def _part(plane: Tensor, area: _Area) -> Tensor:
    """Return rows and columns of a plane, contiguous: torch enlarges other tensors by another, slower function."""
    rows, columns = (slice(*span) for span in area)
    return plane[..., rows, columns].contiguous(memory_format=torch.channels_last)
