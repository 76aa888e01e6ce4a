"""Hierarchical transformer encoder with overlapping patches, reduced attention and no positional table.

It follows SegFormer (Xie et al. 2021). Positions come from convolutions (zero padding of the patches, and the
depth-wise convolution in the feed-forward part), so that the same weights work for any tile size.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from napari_ink.model.config import InkEdgeConfig


class OverlappingPatches(nn.Module):
    """Tokens whose patches share pixels with their neighbours', so no seam runs between two tokens."""

    def __init__(self, c_in: int, dim: int, stride: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(c_in, dim, 3, stride, 1)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, c, y, x)`` to tokens ``(b, y/stride, x/stride, dim)``."""
        tokens: Tensor = self.norm(self.project(x).permute(0, 2, 3, 1))
        return tokens


class ReducedAttention(nn.Module):
    """Self-attention with keys and values on a coarser grid, `reduction` times smaller along each side."""

    def __init__(self, dim: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.reduce = nn.Conv2d(dim, dim, reduction, reduction) if reduction > 1 else None
        self.reduce_norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(b, y, x, dim)`` to the same shape."""
        b, h, w, dim = x.shape
        coarse = x
        if self.reduce is not None:
            coarse = self.reduce(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        kv = self.key_value(self.reduce_norm(coarse))  # (b, y/r, x/r, 2·dim)
        k, v = kv.reshape(b, -1, 2, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        q = self.query(x).reshape(b, h * w, self.heads, dim // self.heads).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(q, k, v)  # (b, heads, y·x, dim/heads)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(b, h, w, dim))
        return out


class MixFeedForward(nn.Module):
    """Feed-forward part with a depth-wise convolution, which gives tokens information on their positions."""

    def __init__(self, dim: int, expansion: int) -> None:
        super().__init__()
        hidden = dim * expansion
        self.widen = nn.Linear(dim, hidden)
        self.neighbours = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.narrow = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(b, y, x, dim)`` to the same shape."""
        hidden = self.neighbours(self.widen(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        out: Tensor = self.narrow(F.gelu(hidden))
        return out


class Block(nn.Module):
    """Attention, then feed-forward, each with a norm before it and a residual connection."""

    def __init__(self, dim: int, heads: int, expansion: int, reduction: int) -> None:
        super().__init__()
        self.attention_norm, self.feed_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = ReducedAttention(dim, heads, reduction)
        self.feed_forward = MixFeedForward(dim, expansion)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(b, y, x, dim)`` to the same shape."""
        mixed: Tensor = x + self.attention(self.attention_norm(x))
        out: Tensor = mixed + self.feed_forward(self.feed_norm(mixed))
        return out


class HierarchicalEncoder(nn.Module):
    """Four stages; the first keeps the resolution of its input, each later one halves it."""

    def __init__(self, c_in: int, config: InkEdgeConfig) -> None:
        super().__init__()
        dims = config.per_stage("dims")
        settings = zip(
            (c_in, *dims), dims, (1, 2, 2, 2), *map(config.per_stage, ("heads", "ff_expansion", "reduction_ratio")),
            config.per_stage("num_layers"),
            strict=False,
        )  # fmt: skip
        self.stages = nn.ModuleList(
            nn.Sequential(
                OverlappingPatches(before, dim, stride),
                *(Block(dim, heads, expansion, reduction) for _ in range(layers)),
                nn.LayerNorm(dim),
            )
            for before, dim, stride, heads, expansion, reduction, layers in settings
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map ``(b, c, y, x)`` to one plane a stage, ``(b, dim, y/2^i, x/2^i)``."""
        planes = []
        for stage in self.stages:
            x = stage(x).permute(0, 3, 1, 2)
            planes.append(x)
        return planes
