"""Where a stack comes from, and what its papyrus looks like: what tells whether a model has seen anything alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.decoding import decode_text, decoder_errors, read_bounded
from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import DepthStack, Grey

Floats = npt.NDArray[np.float64]

_LAGS = {"grain": 1, "texture": 4, "coarse texture": 16}
_MOST_EMPTY = 0.1  # share of a block's voxels; the border of the papyrus is no texture of it
_LEAST_BLOCKS = 2


def is_phantom(stack: DepthStack) -> bool:
    """Whether a stack is a phantom that napari-ink simulated, as the ``meta.json`` beside its layers states."""
    if stack.home is None:
        return False
    file = stack.home / "meta.json"
    try:
        with decoder_errors(StackError, file, "write it again"):
            meta = json.loads(decode_text(read_bounded(file, StackError), StackError, file))
            return isinstance(meta["phantom"], dict)
    except StackError:
        return False


def texture_figures(
    stack: DepthStack, z: slice, prepare: Callable[[Grey], npt.NDArray[np.float32]]
) -> dict[str, float]:
    """Return figures of a stack's texture, from the blocks that its quantiles are sampled from; none if all are empty.

    Parameters
    ----------
    stack
        The stack.
    z
        Window of layers.
    prepare
        Scales grey values ``(z, y, x)`` as for a network, so that brightness and contrast change no figure.

    Returns
    -------
    dict
        How much pixels 1, 4 and 16 apart resemble each other, in the more alike of both directions (`grain`, `texture`,
        `coarse texture`), how much sampled layers resemble the next ones (`layers`), and the share of the variation
        that is between blocks and not within them (`patches`).

    Raises
    ------
    StackError
        If the stack cannot be read.
    """
    layers = stack.window_blocks(z)
    whole = [
        np.stack([prepare(layer[place][None])[0] for layer in layers]).astype(np.float64)
        for place in range(len(layers[0]))
        if np.mean([np.mean(layer[place] == 0) for layer in layers]) <= _MOST_EMPTY
    ]
    if len(whole) < _LEAST_BLOCKS or min(whole[0].shape[1:]) <= max(_LAGS.values()):
        return {}
    figures = {name: _alike(whole, lag) for name, lag in _LAGS.items()}
    figures["layers"] = _mean(_correlation(a, b) for block in whole for a, b in zip(block, block[1:], strict=False))
    spread = np.concatenate([block.ravel() for block in whole]).std()
    between = np.std([block.mean(axis=(1, 2)) for block in whole], axis=0).mean()
    figures["patches"] = float(between / spread) if spread else 0.0
    return {name: round(figure, 3) for name, figure in figures.items()}


def _alike(blocks: list[Floats], lag: int) -> float:
    down = _mean(_correlation(layer[lag:], layer[:-lag]) for block in blocks for layer in block)
    across = _mean(_correlation(layer[:, lag:], layer[:, :-lag]) for block in blocks for layer in block)
    return max(down, across)


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))


def _correlation(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Return the correlation of two planes; 0 if one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size else 0.0
