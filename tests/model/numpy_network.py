"""The ink and edge network in plain NumPy, equation by equation: a reference for tests, and a text to learn from.

It shares only the names of the weights with the PyTorch implementation. Nothing is optimised: convolutions are sums
over windows, attention is written out over heads and cells. The network is described in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from napari_ink.model import InkEdgeConfig

Array = npt.NDArray[np.float64]


class Weights:
    """Weights by name, below a prefix."""

    def __init__(self, values: Mapping[str, Array], prefix: str = "") -> None:
        self._values, self._prefix = values, prefix

    def __getitem__(self, name: str) -> Array:
        return self._values[self._prefix + name]

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._values

    def below(self, name: str) -> Weights:
        """Return the weights of a part."""
        return Weights(self._values, f"{self._prefix}{name}.")


def convolve(x: Array, weight: Array, bias: Array | None, stride: Sequence[int], padding: Sequence[int]) -> Array:
    """Correlate ``(c_in, *space)`` with ``(c_out, c_in, *kernel)``, with zeros beyond the border.

    ``y[o, p] = b[o] + Σ_i Σ_k w[o, i, k] · x[i, stride · p + k − padding]``
    """
    padded = np.pad(x, [(0, 0), *((n, n) for n in padding)])
    axes = tuple(range(1, x.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=axes)
    windows = windows[(slice(None), *(slice(None, None, step) for step in stride))]
    kernel_axes = tuple(range(x.ndim, windows.ndim))
    out = np.tensordot(weight, windows, axes=((1, *range(2, weight.ndim)), (0, *kernel_axes)))
    return out if bias is None else out + bias.reshape(-1, *[1] * len(axes))


def convolve_each(x: Array, weight: Array, bias: Array) -> Array:
    """Correlate each channel of ``(c, y, x)`` with its own 3 × 3 kernel: ``y[c] = b[c] + w[c] ⋆ x[c]``."""
    return np.concatenate(
        [convolve(x[n : n + 1], weight[n : n + 1], bias[n : n + 1], (1, 1), (1, 1)) for n in range(len(x))]
    )


def batch_norm(x: Array, w: Weights) -> Array:
    """Return ``γ · (x − μ) / √(σ² + ε) + β`` with the statistics of training."""
    scale = w["weight"] / np.sqrt(w["running_var"] + 1e-5)
    shape = (-1, *[1] * (x.ndim - 1))
    return (x - w["running_mean"].reshape(shape)) * scale.reshape(shape) + w["bias"].reshape(shape)


def layer_norm(tokens: Array, w: Weights) -> Array:
    """Return ``γ · (t − mean(t)) / √(var(t) + ε) + β`` for each token."""
    centred = tokens - tokens.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w["weight"] + w["bias"]


def linear(tokens: Array, w: Weights) -> Array:
    """Return ``t · Wᵀ + b``."""
    return tokens @ w["weight"].T + w["bias"]


def relu(x: Array) -> Array:
    """Return ``max(x, 0)``."""
    return np.maximum(x, 0)


def gelu(x: Array) -> Array:
    """Return ``x · Φ(x)``, with Φ the normal distribution (Hendrycks and Gimpel 2016)."""
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def softmax(x: Array, axis: int) -> Array:
    """Return ``exp(x) / Σ exp(x)`` along an axis."""
    raised = np.exp(x - x.max(axis, keepdims=True))
    return raised / raised.sum(axis, keepdims=True)


def resize(x: Array, shape: tuple[int, int]) -> Array:
    """Interpolate ``(c, y, x)`` bilinearly between the centres of pixels; the outermost pixels are repeated."""
    for axis, length in zip((1, 2), shape, strict=True):
        before = x.shape[axis]
        at = np.clip((np.arange(length) + 0.5) * before / length - 0.5, 0, before - 1)
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1 if n == axis else 1 for n in range(3)])
        x = (1 - share) * x.take(low, axis) + share * x.take(np.minimum(low + 1, before - 1), axis)
    return x


def stem_step(x: Array, w: Weights, stride: tuple[int, int, int]) -> Array:
    """Convolve ``(c, z, y, x)`` in the plane or along the depth, then batch norm and ReLU."""
    weight = w["0.weight"]
    padding = [size // 2 for size in weight.shape[2:]]
    return relu(batch_norm(convolve(x, weight, None, stride, padding), w.below("1")))


def depth_pool(x: Array, w: Weights) -> Array:
    """Reduce the depth of ``(c, z, y, x)`` to its maximum, and a mean weighted by ``softmax_z(score)``."""
    score = convolve(x, w["score.weight"], w["score.bias"], (1, 1, 1), (0, 0, 0))
    return np.concatenate([x.max(1), (x * softmax(score, 1)).sum(1)])


def stem(x: Array, w: Weights) -> tuple[Array, Array]:
    """Map grey values ``(z, y, x)`` to planes at half and at a quarter of the resolution."""
    fine = stem_step(stem_step(x[None], w.below("plane_half"), (1, 2, 2)), w.below("depth_half"), (2, 1, 1))
    coarse = stem_step(stem_step(fine, w.below("plane_quarter"), (1, 2, 2)), w.below("depth_quarter"), (2, 1, 1))
    return depth_pool(fine, w.below("pool_half")), depth_pool(coarse, w.below("pool_quarter"))


def attention(tokens: Array, w: Weights, heads: int, reduction: int, reach: int | None) -> Array:
    """Return ``softmax(Q Kᵀ / √d) V`` of ``(y, x, dim)``, keys and values from cells of `reduction` tokens a side.

    With a reach, a token attends to the cells at most that far from its own.
    """
    coarse = tokens
    if reduction > 1:
        planes = convolve(tokens.transpose(2, 0, 1), w["reduce.weight"], w["reduce.bias"], (reduction,) * 2, (0, 0))
        coarse = planes.transpose(1, 2, 0)
    keys_values = linear(layer_norm(coarse, w.below("reduce_norm")), w.below("key_value"))
    queries = linear(tokens, w.below("query"))
    rows, columns, dim = *coarse.shape[:2], tokens.shape[-1]
    width = dim // heads
    out = np.empty_like(tokens)
    for row, column in np.ndindex(rows, columns):
        near = slice(None), slice(None)
        if reach is not None:
            near = slice(max(row - reach, 0), row + reach + 1), slice(max(column - reach, 0), column + reach + 1)
        own = slice(row * reduction, (row + 1) * reduction), slice(column * reduction, (column + 1) * reduction)
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            keys = keys_values[..., :dim][(*near, part)].reshape(-1, width)
            values = keys_values[..., dim:][(*near, part)].reshape(-1, width)
            out[(*own, part)] = softmax(queries[(*own, part)] @ keys.T / np.sqrt(width), -1) @ values
    return linear(out, w.below("out"))


def feed_forward(tokens: Array, w: Weights) -> Array:
    """Widen each token, mix it with its eight neighbours, and narrow it again."""
    hidden = linear(tokens, w.below("widen")).transpose(2, 0, 1)
    hidden = convolve_each(hidden, w["neighbours.weight"], w["neighbours.bias"]).transpose(1, 2, 0)
    return linear(gelu(hidden), w.below("narrow"))


def encoder(x: Array, w: Weights, config: InkEdgeConfig) -> list[Array]:
    """Map ``(c, y, x)`` to a plane for each stage: overlapping patches, blocks of attention and feed-forward."""
    planes = []
    sizes = [config.per_stage(name) for name in ("heads", "reduction_ratio", "num_layers")]
    for stage, (heads, reduction, layers) in enumerate(zip(*sizes, strict=True)):
        s = w.below(f"stages.{stage}")
        stride = 1 if stage == 0 else 2
        tokens = convolve(x, s["0.project.weight"], s["0.project.bias"], (stride, stride), (1, 1)).transpose(1, 2, 0)
        tokens = layer_norm(tokens, s.below("0.norm"))
        for n in range(1, layers + 1):
            block = s.below(str(n))
            normed = layer_norm(tokens, block.below("attention_norm"))
            tokens = tokens + attention(normed, block.below("attention"), heads, reduction, config.attention_reach)
            tokens = tokens + feed_forward(layer_norm(tokens, block.below("feed_norm")), block.below("feed_forward"))
        x = layer_norm(tokens, s.below(str(layers + 1))).transpose(2, 0, 1)
        planes.append(x)
    return planes


def conv_norm_relu(x: Array, w: Weights) -> Array:
    """Convolve ``(c, y, x)``, then batch norm and ReLU."""
    side = w["0.weight"].shape[-1] // 2
    return relu(batch_norm(convolve(x, w["0.weight"], None, (1, 1), (side, side)), w.below("1")))


def decoder(planes: Sequence[Array], half: Array, w: Weights) -> Array:
    """Join the stages at a quarter of the resolution, then enlarge to full resolution with the stem's finer plane."""
    quarter = planes[0].shape[1], planes[0].shape[2]
    lifted = [
        resize(convolve(plane, w[f"lateral.{n}.weight"], w[f"lateral.{n}.bias"], (1, 1), (0, 0)), quarter)
        for n, plane in enumerate(planes)
    ]
    x = conv_norm_relu(np.concatenate(lifted), w.below("fuse"))
    x = conv_norm_relu(np.concatenate([resize(x, half.shape[1:]), half]), w.below("to_half"))
    return conv_norm_relu(resize(x, (2 * half.shape[1], 2 * half.shape[2])), w.below("to_full"))


def logits(x: Array, weights: Mapping[str, Array], config: InkEdgeConfig) -> Array:
    """Map prepared grey values ``(z, y, x)`` to logits of ink and edge, ``(2, y, x)``."""
    w = Weights(weights)
    half, quarter = stem(x, w.below("stem"))
    planes = decoder(encoder(quarter, w.below("encoder"), config), half, w.below("decoder"))
    found = convolve(planes, w["heads.weight"], w["heads.bias"], (1, 1), (0, 0))
    if share := config.ink_average_share:
        found[0] += share * (mean_around(found[0], config.ink_average_px) - found[0])
    return found


def mean_around(plane: Array, spread: float) -> Array:
    """Return the mean around each place of ``(y, x)``, with Gaussian weights to 2.5 spreads; borders are repeated."""
    reach = int(2.5 * spread)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread) ** 2)
    padded = np.pad(plane, reach, mode="edge")
    for axis in (0, 1):
        padded = np.apply_along_axis(np.convolve, axis, padded, bell / bell.sum(), "valid")
    return padded
