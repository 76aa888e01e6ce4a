"""The network of the `ink_9um` family: a 3-D stem that weighs depth layers, and a 2-D residual U-Net.

The U-Net has the blocks of ResNet-D (He et al. 2019) that nnU-Net's residual encoders are made of. Modules have the
names of the published checkpoints' keys, and sizes are inferred from the shapes of weights, so that any file of this
layout loads.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_ink.model.families import LayoutError, Shapes, module_count
from napari_ink.model.outputs import ink_and_edge

Pair = tuple[int, int]
_SLOPE = 0.01  # of nnU-Net's rectifiers; configurations with another one are refused
_ENCODER, _DECODER = "network.shared_encoder", "network.shared_decoder"


@dataclass(frozen=True)
class HybridSizes:
    """Sizes of a `HybridNetwork`.

    Attributes
    ----------
    stem_channels
        Channels of the 3-D stem; the U-Net gets twice as many.
    features, blocks, kernels, strides
        Of each stage of the encoder: channels, residual blocks, size of the kernels, and step from the stage before.
    decoder_convs
        Convolutions of each stage of the decoder, the coarsest stage first.
    has_bias
        Whether the U-Net's convolutions have a bias, except those beside a residual block.
    """

    stem_channels: int
    features: tuple[int, ...]
    blocks: tuple[int, ...]
    kernels: tuple[Pair, ...]
    strides: tuple[Pair, ...]
    decoder_convs: tuple[int, ...]
    has_bias: bool = True

    @property
    def divisor(self) -> Pair:
        """Numbers that height and width must be multiples of."""
        height, width = 1, 1
        for stride in self.strides:
            height, width = height * stride[0], width * stride[1]
        return height, width


def sizes_of(shapes: Shapes) -> HybridSizes:
    """Return the sizes of a network from the shapes of its weights.

    Raises
    ------
    KeyError, LayoutError
        If they are of another network.
    """
    stages = module_count(shapes, f"{_ENCODER}.stages")
    if stages < 2:
        raise LayoutError(f"{_ENCODER}.stages")
    first = [shapes[f"{_ENCODER}.stages.{stage}.blocks.0.conv1.conv.weight"] for stage in range(stages)]
    # Transposed convolutions, numbered from the coarsest stage, have kernels as large as the steps that they undo.
    steps = [shapes[f"{_DECODER}.transpconvs.{stages - 1 - stage}.weight"][2:] for stage in range(1, stages)]
    # Padding keeps the size of a plane with odd kernels alone.
    if any(side % 2 == 0 for shape in first for side in shape[2:]):
        raise LayoutError("kernels of odd sizes")
    return HybridSizes(
        stem_channels=shapes["depth_fusion.features.0.weight"][0],
        features=tuple(shape[0] for shape in first),
        blocks=tuple(module_count(shapes, f"{_ENCODER}.stages.{stage}.blocks") for stage in range(stages)),
        kernels=tuple(_pair(shape[2:]) for shape in first),
        strides=((1, 1), *(_pair(step) for step in steps)),
        decoder_convs=tuple(module_count(shapes, f"{_DECODER}.stages.{stage}.convs") for stage in range(stages - 1)),
        has_bias=f"{_ENCODER}.stem.convs.0.conv.bias" in shapes,
    )


def _pair(sides: tuple[int, ...]) -> Pair:
    height, width = sides
    if min(sides) < 1:
        raise LayoutError("a size of 0")
    return height, width


class DepthFusion(nn.Module):
    """Two 3-D convolutions, then a weighted sum and the maximum over the depth."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*_conv3d(1, channels), *_conv3d(channels, channels))
        self.attention_logits = nn.Conv3d(channels, 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map scaled grey values ``(b, 1, z, y, x)`` to features ``(b, 2·channels, y, x)``."""
        features = self.features(x)
        weights = self.attention_logits(features).float().softmax(dim=2).to(features.dtype)
        return torch.cat([(features * weights).sum(dim=2), features.amax(dim=2)], dim=1)


def _conv3d(before: int, after: int) -> list[nn.Module]:
    conv = nn.Conv3d(before, after, kernel_size=3, padding=1, bias=False)
    return [conv, nn.InstanceNorm3d(after, affine=True), nn.LeakyReLU(_SLOPE, inplace=True)]


class ConvNorm(nn.Module):
    """A convolution and its norm."""

    def __init__(self, before: int, after: int, kernel: Pair, stride: Pair = (1, 1), has_bias: bool = True) -> None:
        super().__init__()
        height, width = kernel
        self.conv = nn.Conv2d(before, after, kernel, stride, ((height - 1) // 2, (width - 1) // 2), bias=has_bias)
        self.norm = nn.InstanceNorm2d(after, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, before, y, x)`` to ``(b, after, y / stride, x / stride)``."""
        out: Tensor = self.norm(self.conv(x))
        return out


class ConvNormAct(ConvNorm):
    """A convolution, its norm and a leaky rectifier."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, before, y, x)`` to ``(b, after, y / stride, x / stride)``."""
        return nn.functional.leaky_relu(super().forward(x), _SLOPE, inplace=True)


class Block(nn.Module):
    """A residual block of ResNet-D: where it steps, the path beside it averages and then convolves."""

    def __init__(self, before: int, after: int, kernel: Pair, stride: Pair, has_bias: bool) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(before, after, kernel, stride, has_bias)
        self.conv2 = ConvNorm(after, after, kernel, has_bias=has_bias)
        # ResNet-D averages first, since a stepping convolution of single pixels would ignore most of them.
        beside: list[nn.Module] = [] if stride == (1, 1) else [nn.AvgPool2d(stride, stride)]
        if before != after:
            beside.append(ConvNorm(before, after, (1, 1), has_bias=False))
        self.skip = nn.Sequential(*beside)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, before, y, x)`` to ``(b, after, y / stride, x / stride)``."""
        return nn.functional.leaky_relu(self.conv2(self.conv1(x)) + self.skip(x), _SLOPE, inplace=True)


class Convs(nn.Module):
    """Convolutions one after another."""

    def __init__(self, number: int, before: int, after: int, kernel: Pair, has_bias: bool) -> None:
        super().__init__()
        inputs = [before, *[after] * (number - 1)]
        self.convs = nn.Sequential(*(ConvNormAct(one, after, kernel, has_bias=has_bias) for one in inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, before, y, x)`` to ``(b, after, y, x)``."""
        out: Tensor = self.convs(x)
        return out


class Blocks(nn.Module):
    """The residual blocks of a stage, of which the first steps."""

    def __init__(self, number: int, before: int, after: int, kernel: Pair, stride: Pair, has_bias: bool) -> None:
        super().__init__()
        inputs = [(before, stride), *[(after, (1, 1))] * (number - 1)]
        self.blocks = nn.Sequential(*(Block(one, after, kernel, step, has_bias) for one, step in inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, before, y, x)`` to ``(b, after, y / stride, x / stride)``."""
        out: Tensor = self.blocks(x)
        return out


class Encoder(nn.Module):
    """A convolution and stages of residual blocks, each coarser than the stage before."""

    def __init__(self, sizes: HybridSizes) -> None:
        super().__init__()
        features, bias = sizes.features, sizes.has_bias
        self.stem = Convs(1, 2 * sizes.stem_channels, features[0], sizes.kernels[0], bias)
        inputs = (features[0], *features)
        self.stages = nn.Sequential(
            *(
                Blocks(number, before, after, kernel, stride, bias)
                for number, before, after, kernel, stride in zip(
                    sizes.blocks, inputs, features, sizes.kernels, sizes.strides, strict=False
                )
            )
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of each stage, the finest first."""
        x, found = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


class Decoder(nn.Module):
    """Stages that enlarge the features, join those of the encoder, and convolve."""

    def __init__(self, sizes: HybridSizes) -> None:
        super().__init__()
        coarse_first = list(range(len(sizes.features) - 1, 0, -1))
        self.stages = nn.ModuleList(
            Convs(number, 2 * sizes.features[at - 1], sizes.features[at - 1], sizes.kernels[at - 1], sizes.has_bias)
            for number, at in zip(sizes.decoder_convs, coarse_first, strict=True)
        )
        self.transpconvs = nn.ModuleList(
            nn.ConvTranspose2d(
                sizes.features[at], sizes.features[at - 1], sizes.strides[at], sizes.strides[at], bias=sizes.has_bias
            )
            for at in coarse_first
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        """Map the encoder's features, the finest first, to features of the full resolution."""
        x = features[-1]
        for stage, enlarge, beside in zip(self.stages, self.transpconvs, features[-2::-1], strict=True):
            x = stage(torch.cat([enlarge(x), beside], dim=1))
        return x


class UNet(nn.Module):
    """Encoder, decoder, and a head for ink."""

    def __init__(self, sizes: HybridSizes) -> None:
        super().__init__()
        self.shared_encoder, self.shared_decoder = Encoder(sizes), Decoder(sizes)
        self.task_heads = nn.ModuleDict({"ink": nn.Conv2d(sizes.features[0], 1, kernel_size=1)})

    def forward(self, x: Tensor) -> Tensor:
        """Map features ``(b, c, y, x)`` to logits of ink ``(b, 1, y, x)``."""
        logits: Tensor = self.task_heads["ink"](self.shared_decoder(self.shared_encoder(x)))
        return logits


class HybridNetwork(nn.Module):
    """A network of the `ink_9um` family, with logits of ink and no edges.

    Its norms take their statistics from the tile, so its values depend on a tile's size and place, and a tile has the
    size that it was trained with.

    Parameters
    ----------
    sizes
        Sizes of its parts.
    tile
        Height and width of a tile.

    Attributes
    ----------
    size_divisor, fixed_tile : int
        Height and width of an input; no other size gives the values that were meant.
    """

    def __init__(self, sizes: HybridSizes, tile: int) -> None:
        super().__init__()
        self.size_divisor = self.fixed_tile = tile
        self.network = UNet(sizes)
        self.depth_fusion = DepthFusion(sizes.stem_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map scaled grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``: ink, and a constant for no edges."""
        return ink_and_edge(self.network(self.depth_fusion(x[:, None])).float())
