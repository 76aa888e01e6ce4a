"""Hierarchical transformer encoder with overlapping patches, reduced attention and no positional table.

It follows SegFormer (Xie et al. 2021). Positions come from convolutions (zero padding of the patches, and the
depth-wise convolution in the feed-forward part), so that the same weights work for any tile size.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
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
    """Self-attention with keys and values on a coarser grid, `reduction` times smaller along each side.

    Parameters
    ----------
    dim
        Width of a token.
    heads
        Number of attention heads.
    reduction
        Tokens along each side of a coarse cell.
    reach
        Coarse cells around its own, in each direction, that a token attends to (neighbourhood attention, Hassani et al.
        2023, on reduced keys); None for all of the tile. With a reach, a value does not depend on where a tile ends,
        as long as the tile ends far enough away.

    Attributes
    ----------
    attend : Callable
        Attention of queries, keys and values, replaced where another form is faster.
    """

    attend: Callable[..., Tensor] = staticmethod(F.scaled_dot_product_attention)

    def __init__(self, dim: int, heads: int, reduction: int, reach: int | None = None) -> None:
        super().__init__()
        self.heads, self.reduction, self.reach = heads, reduction, reach
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.reduce = nn.Conv2d(dim, dim, reduction, reduction) if reduction > 1 else None
        self.reduce_norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(b, y, x, dim)`` to the same shape."""
        coarse = x
        if self.reduce is not None:
            coarse = self.reduce(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        kv = self.key_value(self.reduce_norm(coarse))  # (b, y/r, x/r, 2·dim)
        attend = self._attend_everywhere if self.reach is None else self._attend_nearby
        out: Tensor = self.out(attend(self.query(x), kv))
        return out

    def _attend_everywhere(self, q: Tensor, kv: Tensor) -> Tensor:
        b, h, w, dim = q.shape
        k, v = kv.reshape(b, -1, 2, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        q = q.reshape(b, h * w, self.heads, dim // self.heads).transpose(1, 2)
        mixed = self.attend(q, k, v)  # (b, heads, y·x, dim/heads)
        return mixed.transpose(1, 2).reshape(b, h, w, dim)

    def _attend_nearby(self, q: Tensor, kv: Tensor) -> Tensor:
        """Attend within a window of coarse cells that is centred on each token's own cell."""
        b, h, w, dim = q.shape
        rows, columns = kv.shape[1], kv.shape[2]
        windows = self._windows(kv)  # (b, rows, columns, s², 2·dim)
        windows = windows.reshape(b * rows * columns, -1, 2, self.heads, dim // self.heads)
        k, v = windows.permute(2, 0, 3, 1, 4)  # (b·rows·columns, heads, s², dim/heads)
        # Cells beyond the tile's border get no weight.
        is_cell = self._windows(torch.ones_like(kv[..., :1])).reshape(b * rows * columns, 1, 1, -1)
        # The tokens of one coarse cell share a window: (b·rows·columns, heads, r², dim/heads).
        r = self.reduction
        q = q.reshape(b, rows, r, columns, r, self.heads, dim // self.heads).permute(0, 1, 3, 5, 2, 4, 6)
        q = q.reshape(-1, self.heads, r * r, dim // self.heads)
        mixed = self.attend(q, k, v, is_cell > 0)
        mixed = mixed.reshape(b, rows, columns, self.heads, r, r, dim // self.heads)
        return mixed.permute(0, 1, 4, 2, 5, 3, 6).reshape(b, h, w, dim)

    def _windows(self, cells: Tensor) -> Tensor:
        """Return the cells around each of ``(b, y, x, c)``, with 0 beyond the border: ``(b, y, x, s², c)``.

        Shifted copies instead of `Tensor.unfold`, which the ONNX exporter cannot write for free sizes.
        """
        assert self.reach is not None
        rows, columns = cells.shape[1], cells.shape[2]
        padded = F.pad(cells, (0, 0, *(self.reach,) * 4), value=0.0)
        shifts = range(2 * self.reach + 1)
        return torch.stack([padded[:, y : y + rows, x : x + columns] for y in shifts for x in shifts], dim=3)


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

    def __init__(self, dim: int, heads: int, expansion: int, reduction: int, reach: int | None) -> None:
        super().__init__()
        self.attention_norm, self.feed_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = ReducedAttention(dim, heads, reduction, reach)
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
            (c_in, *dims),
            dims,
            (1, 2, 2, 2),
            *map(config.per_stage, ("heads", "ff_expansion", "reduction_ratio")),
            config.per_stage("num_layers"),
            strict=False,
        )
        self.stages = nn.ModuleList(
            nn.Sequential(
                OverlappingPatches(before, dim, stride),
                *(Block(dim, heads, expansion, reduction, config.attention_reach) for _ in range(layers)),
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
