"""The network of Hecate and `ink_canonical_2um`: a 3-D ResNet (Hara et al. 2018), a 3-D decoder, a sum over the depth.

Modules have the names of the published checkpoints' keys, and sizes are inferred from the shapes of weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from napari_ink.model.families import Shapes, module_count
from napari_ink.model.outputs import ink_and_edge, logits_of

_STAGES = 4
_NO_INK = 1e-6
_MOST_GROUPS = 32  # as in Wu & He 2018; fewer channels have a group each
_BACKBONE, _DECODER = "canonical.backbone", "canonical.decoder"


@dataclass(frozen=True)
class ResNetSizes:
    """Sizes of a `HecateNetwork`.

    Attributes
    ----------
    stem
        Channels of the first convolution.
    planes, outputs, blocks
        Of each stage: channels inside a block and behind it, and number of blocks.
    decoder
        Channels that the decoder reduces each stage to, the finest first.
    has_norm
        Whether grey values are normed first.
    """

    stem: int
    planes: tuple[int, ...]
    outputs: tuple[int, ...]
    blocks: tuple[int, ...]
    decoder: tuple[int, ...]
    has_norm: bool


@dataclass(frozen=True)
class BackboneSizes:
    """Sizes of a `Backbone`.

    Attributes
    ----------
    stem
        Channels of the first convolution.
    planes, outputs, blocks
        Of each stage: channels inside a block and behind it, and number of blocks.
    """

    stem: int
    planes: tuple[int, ...]
    outputs: tuple[int, ...]
    blocks: tuple[int, ...]


def backbone_sizes_of(shapes: Shapes, name: str) -> BackboneSizes:
    """Return the sizes of a ResNet of that name from the shapes of its weights.

    Raises
    ------
    LookupError, ValueError
        If they are of another network.
    """
    layers = [f"{name}.layer{stage + 1}" for stage in range(_STAGES)]
    return BackboneSizes(
        stem=shapes[f"{name}.conv1.weight"][0],
        planes=tuple(shapes[f"{layer}.0.conv1.weight"][0] for layer in layers),
        outputs=tuple(shapes[f"{layer}.0.conv3.weight"][0] for layer in layers),
        blocks=tuple(module_count(shapes, layer) for layer in layers),
    )


def sizes_of(shapes: Shapes) -> ResNetSizes:
    """Return the sizes of a network from the shapes of its weights.

    Raises
    ------
    LookupError, ValueError
        If they are of another network.
    """
    backbone = backbone_sizes_of(shapes, _BACKBONE)
    return ResNetSizes(
        backbone.stem,
        backbone.planes,
        backbone.outputs,
        backbone.blocks,
        decoder=tuple(shapes[f"{_DECODER}.channel_reduce.{stage}.0.weight"][0] for stage in range(_STAGES)),
        has_norm="canonical.normalization.weight" in shapes,
    )


class Bottleneck(nn.Module):
    """A residual block of three convolutions, the middle one of which sees neighbours."""

    def __init__(self, before: int, planes: int, after: int, stride: int, is_first: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv3d(before, planes, 1, bias=False), nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        self.conv3, self.bn3 = nn.Conv3d(planes, after, 1, bias=False), nn.BatchNorm3d(after)
        beside = [nn.Conv3d(before, after, 1, stride, bias=False), nn.BatchNorm3d(after)]
        has_beside = is_first and (stride > 1 or before != after)
        self.downsample = nn.Sequential(*beside) if has_beside else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, before, z, y, x)`` to ``(b, after, z / stride, y / stride, x / stride)``."""
        inside = F.relu(self.bn1(self.conv1(x)), inplace=True)
        inside = F.relu(self.bn2(self.conv2(inside)), inplace=True)
        return F.relu(self.bn3(self.conv3(inside)) + self.downsample(x), inplace=True)


class Backbone(nn.Module):
    """A ResNet in 3-D; where the network steps by 4 pixels, its first convolution and a pooling do so."""

    def __init__(self, sizes: ResNetSizes | BackboneSizes, xy_stride: int) -> None:
        super().__init__()
        # As in Hara et al. the first steps are in the plane alone, so the finest features have a voxel for each layer.
        wide = {"kernel_size": 7, "stride": (1, 2, 2), "padding": 3}
        narrow = {"kernel_size": 3, "stride": (1, 1, 1), "padding": 1}
        self.conv1 = nn.Conv3d(1, sizes.stem, bias=False, **(wide if xy_stride > 1 else narrow))  # type: ignore[arg-type]
        self.bn1 = nn.BatchNorm3d(sizes.stem)
        pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.maxpool = pool if xy_stride > 1 else nn.Identity()
        inputs = (sizes.stem, *sizes.outputs)
        for stage in range(_STAGES):
            before, after = inputs[stage], sizes.outputs[stage]
            steps = [1 if stage == 0 else 2, *[1] * (sizes.blocks[stage] - 1)]
            blocks = [
                Bottleneck(before if at == 0 else after, sizes.planes[stage], after, step, at == 0)
                for at, step in enumerate(steps)
            ]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of each stage, the finest first."""
        x, found = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True)), []
        for stage in range(_STAGES):
            x = self.get_submodule(f"layer{stage + 1}")(x)
            found.append(x)
        return found


def _group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(_MOST_GROUPS, channels), channels)


class DecoderBlock(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1, self.gn1 = nn.Conv3d(before, after, 3, padding=1, bias=False), _group_norm(after)
        self.conv2, self.gn2 = nn.Conv3d(after, after, 3, padding=1, bias=False), _group_norm(after)
        self.shortcut = nn.Conv3d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, before, z, y, x)`` to ``(b, after, z, y, x)``."""
        inside = F.relu(self.gn1(self.conv1(x)), inplace=True)
        return F.relu(self.gn2(self.conv2(inside)) + self.shortcut(x), inplace=True)


class DepthCollapse(nn.Module):
    """The score of each voxel for its share in a column's sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attn_conv = nn.Conv3d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map features ``(b, c, z, y, x)`` to scores ``(b, 1, z, y, x)``."""
        scores: Tensor = self.attn_conv(x)
        return scores


class Decoder(nn.Module):
    """Joins the features of all stages to those of the finest, and gives voxels logits and scores."""

    def __init__(self, sizes: ResNetSizes) -> None:
        super().__init__()
        channels = sizes.decoder
        self.channel_reduce = nn.ModuleList(
            nn.Sequential(nn.Conv3d(before, after, 1, bias=False), _group_norm(after), nn.ReLU(inplace=True))
            for before, after in zip(sizes.outputs, channels, strict=True)
        )
        self.decoder_blocks = nn.ModuleList(
            DecoderBlock(channels[stage] + channels[stage - 1], channels[stage - 1])
            for stage in range(_STAGES - 1, 0, -1)
        )
        self.depth_collapse = DepthCollapse(channels[0])
        self.logit = nn.Conv2d(channels[0], 1, 1)

    def forward(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits of ink and scores, ``(b, 1, z, y, x)`` each, at the resolution of the finest stage."""
        reduced = [reduce(one) for reduce, one in zip(self.channel_reduce, features, strict=True)]
        x = reduced[-1]
        for block, finer in zip(self.decoder_blocks, reduced[-2::-1], strict=True):
            x = F.interpolate(x, size=finer.shape[2:], mode="trilinear", align_corners=False)
            x = block(torch.cat([x, finer], dim=1))
        # The head is stored as one of planes, and works on voxels.
        return F.conv3d(x, self.logit.weight[:, :, None], self.logit.bias), self.depth_collapse(x)


class Canonical(nn.Module):
    """Norm, ResNet and decoder."""

    def __init__(self, sizes: ResNetSizes, xy_stride: int) -> None:
        super().__init__()
        self.normalization = nn.BatchNorm3d(1) if sizes.has_norm else nn.Identity()
        self.backbone, self.decoder = Backbone(sizes, xy_stride), Decoder(sizes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map grey values ``(b, 1, z, y, x)`` to logits and scores of voxels."""
        logits, scores = self.decoder(self.backbone(self.normalization(x)))
        return logits, scores


class HecateNetwork(nn.Module):
    """A network of the Hecate family, with logits of ink and no edges.

    Each voxel has a logit of ink, and a column's logit is their sum, weighted by scores that a learned slope along the
    depth is added to. Probabilities are enlarged to the resolution of the input, not logits.

    Parameters
    ----------
    sizes
        Sizes of its parts.
    tile
        Height and width of a tile.
    margin
        Layers at each end of the input that are not used.
    xy_stride
        Pixels of the input to one of the output, 4 or 1.
    has_slope
        Whether a learned slope along the depth is added to the scores.

    Attributes
    ----------
    size_divisor, fixed_tile : int
        Height and width of an input.
    is_large : bool
        Whether a tile takes so much memory that only one should be computed at a time.
    """

    is_large = True

    def __init__(self, sizes: ResNetSizes, tile: int, margin: int, xy_stride: int, has_slope: bool = True) -> None:
        super().__init__()
        self.size_divisor = self.fixed_tile = tile
        self.canonical = Canonical(sizes, xy_stride)
        self.depth_coordinate_scale = nn.Parameter(torch.zeros(())) if has_slope else None
        self._margin = margin

    def forward(self, x: Tensor) -> Tensor:
        """Map prepared grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``: ink, and a constant for no edges."""
        return self._logits(self.by_layer(x), x.shape[-2:])

    def with_depth(self, x: Tensor) -> Tensor:
        """Map grey values as `forward` does, and add at which depth ink was seen: ``(b, 3, y, x)``.

        The depth is the mean place of the layers whose parts of a column's logit speak for ink, weighted by these
        parts: 0 at the first layer of the input and 1 at the last one, and the middle where no layer speaks for ink.
        """
        parts = self.by_layer(x)
        for_ink = parts.clamp(min=0)
        places = torch.linspace(0, 1, parts.shape[1], device=x.device)[:, None, None]
        total = for_ink.sum(dim=1, keepdim=True)
        mean = (for_ink * places).sum(dim=1, keepdim=True) / total.clamp(min=_NO_INK)
        depth = torch.where(total > _NO_INK, mean, 0.5)
        depth = F.interpolate(depth, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat([self._logits(parts, x.shape[-2:]), depth], dim=1)

    def _logits(self, parts: Tensor, size: torch.Size) -> Tensor:
        coarse = parts.sum(dim=1, keepdim=True).sigmoid()
        ink = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
        return ink_and_edge(logits_of(ink))

    def by_layer(self, x: Tensor) -> Tensor:
        """Return each layer's part of the logits of ink, ``(b, z, y, x)`` at the output's resolution.

        The sum over the layers is a column's logit. Layers in the margin have no part in it.
        """
        logits, scores = self.canonical(x[:, None, self._margin : x.shape[1] - self._margin])
        scores = scores.float()
        if self.depth_coordinate_scale is not None:
            # −1 at the first layer and 0 at the middle one, the places that the slope was learned with.
            middle = logits.shape[2] // 2
            places = (torch.arange(logits.shape[2], device=x.device) - middle) / middle
            scores = scores + self.depth_coordinate_scale * places[:, None, None]
        weights = scores.softmax(dim=2)
        # Layers of the margin get 0, so that a layer has the number that it has in the input.
        return F.pad((weights * logits.float())[:, 0], (0, 0, 0, 0, self._margin, self._margin))
