"""The Grand Prize TimeSformer: divided attention over depth layers and patches, one logit for each patch of a tile.

It follows Bertasius et al. 2021 (divided space-time attention) and Su et al. 2021 (rotary positions). Modules have the
names of the `timesformer-pytorch` package, so that weights trained with it load unchanged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from napari_ink.model.outputs import ink_and_edge, logits_of

Along = Literal["depth", "plane"]


@dataclass(frozen=True, slots=True)
class TimeSformerSizes:
    """The sizes of a TimeSformer.

    Attributes
    ----------
    dim
        Width of a token.
    depth
        Number of blocks.
    heads, dim_head
        Attention heads, and their width.
    patch
        Height and width of a patch, in pixels.
    grid
        Patches along each side of a tile; the network gives ``grid²`` logits.
    ff_expansion
        Hidden width of the feed-forward part, in token widths.
    positions
        Number of learned positions; None if positions are rotary.
    has_norm
        Whether the input passes a batch norm of a single channel.
    """

    dim: int = 512
    depth: int = 8
    heads: int = 6
    dim_head: int = 64
    patch: int = 16
    grid: int = 4
    ff_expansion: int = 4
    positions: int | None = None
    has_norm: bool = False

    @property
    def tile(self) -> int:
        """Height and width of the only valid tile size, in pixels."""
        return self.patch * self.grid


class DepthRotation(nn.Module):
    """Rotary positions of the depth layers."""

    inv_freqs: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("inv_freqs", 10000.0 ** -(torch.arange(0, dim, 2) / dim))

    def forward(self, layers: int) -> tuple[Tensor, Tensor]:
        """Return sines and cosines, each ``(z, dim)``."""
        angles = torch.outer(torch.arange(layers, device=self.inv_freqs.device, dtype=torch.float32), self.inv_freqs)
        # Pairs of neighbouring features are rotated, so that each frequency should come twice in a row; but the weights
        # were trained with the whole list repeated.
        angles = angles.repeat(1, 2)
        return angles.sin(), angles.cos()


class PlaneRotation(nn.Module):
    """Rotary positions of the patches in a layer: one half of the angles for rows, the other for columns."""

    scales: Tensor

    def __init__(self, dim: int, max_frequency: float = 10) -> None:
        super().__init__()
        self.register_buffer("scales", torch.logspace(0.0, math.log2(max_frequency / 2), dim // 4, base=2))

    def forward(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Return sines and cosines, each ``(rows·columns, 4·(dim // 4))``."""
        y, x = (
            torch.linspace(-1.0, 1.0, n, device=self.scales.device)[:, None] * self.scales * math.pi
            for n in (rows, columns)
        )
        planes = [y[:, None].expand(-1, columns, -1), x[None].expand(rows, -1, -1)]
        angles = torch.cat(planes, dim=-1).flatten(0, 1).repeat_interleave(2, dim=-1)
        return angles.sin(), angles.cos()


def _turn(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate pairs of neighbouring features ``(…, n, dim)`` by their positions' angles; other features stay."""
    sin, cos = rotation
    turned, rest = x[..., : sin.shape[-1]], x[..., sin.shape[-1] :]
    even, odd = turned[..., 0::2], turned[..., 1::2]
    quarter = torch.stack((-odd, even), dim=-1).flatten(-2)
    return torch.cat([turned * cos + quarter * sin, rest], dim=-1)


class DividedAttention(nn.Module):
    """Attention of tokens along the depth or within their layer; the class token attends to all tokens."""

    def __init__(self, sizes: TimeSformerSizes, along: Along) -> None:
        super().__init__()
        self.heads, self.along = sizes.heads, along
        inner = sizes.heads * sizes.dim_head
        self.to_qkv = nn.Linear(sizes.dim, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, sizes.dim))

    def forward(self, x: Tensor, layers: int, rotation: tuple[Tensor, Tensor] | None) -> Tensor:
        """Map tokens ``(b, 1 + z·patches, dim)``, the class token first, to the same shape."""
        b, n, _ = x.shape
        q, k, v = self.to_qkv(x).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (b, heads, n, dim_head)
        first = F.scaled_dot_product_attention(q[:, :, :1], k, v)
        grouped = [self._group(part[:, :, 1:], layers) for part in (q, k, v)]  # (b, heads, groups, n, dim_head)
        if rotation is not None:
            grouped[:2] = [_turn(part, rotation) for part in grouped[:2]]
        groups = grouped[0].shape[2]
        keys, values = (
            torch.cat([whole[:, :, None, :1].expand(-1, -1, groups, -1, -1), part], dim=3).flatten(1, 2)
            for whole, part in zip((k, v), grouped[1:], strict=True)
        )
        mixed = F.scaled_dot_product_attention(grouped[0].flatten(1, 2), keys, values)
        rest = self._ungroup(mixed.reshape(b, self.heads, groups, *mixed.shape[2:]))
        out: Tensor = self.to_out(torch.cat([first, rest], dim=2).transpose(1, 2).flatten(2))
        return out

    def _group(self, x: Tensor, layers: int) -> Tensor:
        by_layer = x.reshape(*x.shape[:2], layers, -1, x.shape[-1])  # (b, heads, z, patches, dim_head)
        return by_layer if self.along == "plane" else by_layer.transpose(2, 3)

    def _ungroup(self, x: Tensor) -> Tensor:
        by_layer = x if self.along == "plane" else x.transpose(2, 3)
        return by_layer.flatten(2, 3)


class GatedGelu(nn.Module):
    """GELU gate in which one half of the features multiplies the other (GEGLU, Shazeer 2020)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(…, 2·hidden)`` to ``(…, hidden)``."""
        values, gates = x.chunk(2, dim=-1)
        return values * F.gelu(gates)


class FeedForward(nn.Module):
    """Widen, gate, narrow; `nn.Identity` takes the place of dropout, so that names of weights match."""

    def __init__(self, dim: int, expansion: int) -> None:
        super().__init__()
        hidden = dim * expansion
        self.net = nn.Sequential(nn.Linear(dim, 2 * hidden), GatedGelu(), nn.Identity(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(…, dim)`` to the same shape."""
        out: Tensor = self.net(x)
        return out


class Normed(nn.Module):
    """A part of a block with a norm before it."""

    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(dim), fn

    def forward(self, x: Tensor, *rest: object) -> Tensor:
        """Map tokens ``(b, n, dim)`` to the same shape."""
        out: Tensor = self.fn(self.norm(x), *rest)
        return out


class TimeSformer(nn.Module):
    """A transformer with patches of all depth layers as tokens, and a class token that the output is read from.

    Parameters
    ----------
    sizes
        The sizes of its parts.
    """

    def __init__(self, sizes: TimeSformerSizes) -> None:
        super().__init__()
        self.sizes = sizes
        dim = sizes.dim
        self.to_patch_embedding = nn.Linear(sizes.patch**2, dim)
        self.cls_token = nn.Parameter(torch.randn(1, dim))
        if sizes.positions is None:
            self.frame_rot_emb, self.image_rot_emb = DepthRotation(sizes.dim_head), PlaneRotation(sizes.dim_head)
        else:
            self.pos_emb = nn.Embedding(sizes.positions, dim)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    Normed(dim, DividedAttention(sizes, "depth")),
                    Normed(dim, DividedAttention(sizes, "plane")),
                    Normed(dim, FeedForward(dim, sizes.ff_expansion)),
                ]
            )
            for _ in range(sizes.depth)
        )
        self.to_out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, sizes.grid**2))

    def forward(self, x: Tensor) -> Tensor:
        """Map prepared grey values ``(b, z, y, x)`` to logits ``(b, grid²)``, row by row."""
        b, z, height, width = x.shape
        p = self.sizes.patch
        rows, columns = height // p, width // p
        patches = x.reshape(b, z, rows, p, columns, p).transpose(3, 4).reshape(b, z * rows * columns, p * p)
        tokens = torch.cat([self.cls_token.expand(b, 1, -1), self.to_patch_embedding(patches)], dim=1)
        depth_rotation = plane_rotation = None
        if self.sizes.positions is None:
            depth_rotation, plane_rotation = self.frame_rot_emb(z), self.image_rot_emb(rows, columns)
        else:
            tokens = tokens + self.pos_emb(torch.arange(tokens.shape[1], device=x.device))
        for block in self.layers:
            depth_attention, plane_attention, feed_forward = cast(nn.ModuleList, block)
            tokens = tokens + depth_attention(tokens, z, depth_rotation)
            tokens = tokens + plane_attention(tokens, z, plane_rotation)
            tokens = tokens + feed_forward(tokens)
        logits: Tensor = self.to_out(tokens[:, 0])
        return logits


class GrandPrizeNetwork(nn.Module):
    """A TimeSformer with the interface of this package's networks: full-resolution logits of ink, and no edges.

    Its 4 × 4 probabilities are upsampled bilinearly, as in the Grand Prize's own inference. Upsampled logits would
    differ, and known thresholds were chosen on probabilities.

    Parameters
    ----------
    sizes
        The sizes of the TimeSformer.

    Attributes
    ----------
    size_divisor : int
        Height and width of an input; no other size can be read.
    """

    def __init__(self, sizes: TimeSformerSizes) -> None:
        super().__init__()
        self.size_divisor = sizes.tile
        self.normalization = nn.BatchNorm3d(1) if sizes.has_norm else None
        self.backbone = TimeSformer(sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Map prepared grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``: ink, and a constant for no edges."""
        if self.normalization is not None:
            x = self.normalization(x[:, None])[:, 0]
        grid = self.backbone.sizes.grid
        coarse = self.backbone(x).float().sigmoid().reshape(-1, 1, grid, grid)
        ink = F.interpolate(coarse, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return ink_and_edge(logits_of(ink))
