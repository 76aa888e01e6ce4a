"""Figures of the texture at places of a stack, from a bounded sample of its voxels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_ink.region import Region
from napari_ink.stack.depth_stack import DepthStack, Grey

Floats = npt.NDArray[np.float32]
Figures = npt.NDArray[np.float64]

_LAGS = {"grain": 1, "texture": 4, "coarse texture": 16}
LOCAL_FIGURES = (*_LAGS, "layers", "brightness", "contrast", "evenness", "saturation")
"""Figures of a place: how much pixels 1, 4 and 16 apart resemble each other, in the more alike of both directions, and
layers the next ones; mean and standard deviation; the share of the latter within layers; voxels at the brightest value.
"""

_PLACE_PX = 64
_SIDE_PX = 128
_MOST_PLACES = 64  # along each side, so that reading takes no longer for a larger segment
# Of layers that are decoded as a whole, so that this is not done for each row; places of 16 bits take 64 MiB.
_ROWS_TOGETHER = 16
_MOST_EMPTY = 0.1
# A few saturated voxels are usual, and how few they are says nothing.
_USUAL_SATURATION = 0.03


def place_side(region: Region) -> int:
    """Return the height and width of the squares of a region that have figures each, in pixels."""
    side = _SIDE_PX
    while max(region.height, region.width) > side * _MOST_PLACES:
        side *= 2
    return side


def local_figures(
    stack: DepthStack,
    z: slice,
    prepare: Callable[[Grey], Floats],
    region: Region,
    has_papyrus: Callable[[Region], bool] = lambda _: True,
) -> Iterator[Figures]:
    """Yield the rows of squares of a region, each as figures ``(columns, figures)``, NaN where nothing is measured.

    The squares begin at multiples of `place_side` in the segment. In the middle of each, 64 × 64 pixels are read of
    eight layers.

    Parameters
    ----------
    stack
        The stack.
    z
        Window of layers.
    prepare
        Scales grey values ``(z, y, x)`` as for a network.
    region
        Region to measure.
    has_papyrus
        Whether an area is to be measured.

    Raises
    ------
    StackError
        If the stack cannot be read.
    """
    rows, columns = place_slices(region, stack.shape[1:])
    shape = (len(columns), len(LOCAL_FIGURES))
    together = _ROWS_TOGETHER if stack.by_layer else 1
    for group in (rows[i : i + together] for i in range(0, len(rows), together)):
        wanted = np.array([[has_papyrus(Region(y.start, y.stop, x.start, x.stop)) for x in columns] for y in group])
        found = np.full((len(group), *shape), np.nan)
        read = np.flatnonzero(wanted.any(axis=0)).tolist()
        if read:
            layers = stack.blocks_of_window(z, group, [columns[n] for n in read])
            places = product(range(len(group)), read)
            for place, block in zip(places, zip(*layers, strict=True), strict=True):
                if wanted[place]:
                    found[place] = _figures_at(block, prepare)
        yield from found


def place_slices(region: Region, shape: Sequence[int]) -> tuple[list[slice], list[slice]]:
    """Return the rows and the columns of pixels to read in the middle of the squares of a region."""
    side = place_side(region)
    ranges = (region.y0, region.y1), (region.x0, region.x1)
    rows, columns = ([*_middles(*one, side, length)] for one, length in zip(ranges, shape, strict=True))
    return rows, columns


def _middles(start: int, stop: int, side: int, length: int) -> Iterator[slice]:
    for first in range(start // side * side, stop, side):
        middle = (max(first, start) + min(first + side, stop)) // 2
        begin = min(max(middle - _PLACE_PX // 2, 0), max(length - _PLACE_PX, 0))
        yield slice(begin, min(begin + _PLACE_PX, length))


def figures_of(values: Floats) -> Figures:
    """Return the `LOCAL_FIGURES` of prepared grey values ``(z, y, x)``; NaN for those that are too small for them."""
    found = np.full(len(LOCAL_FIGURES), np.nan)
    if min(values.shape[1:]) <= max(_LAGS.values()) or len(values) < 2:
        return found
    centred = values - values.mean(axis=(1, 2), keepdims=True)
    variances = (centred * centred).mean(axis=(1, 2))
    own = np.where(variances > 0, variances, 1)
    for n, lag in enumerate(_LAGS.values()):
        down, across = centred[:, lag:] * centred[:, :-lag], centred[:, :, lag:] * centred[:, :, :-lag]
        found[n] = max(float((product.mean(axis=(1, 2)) / own).mean()) for product in (down, across))
    products = (centred[1:] * centred[:-1]).mean(axis=(1, 2))
    spread = float(values.std())
    found[len(_LAGS) :] = (
        float((products / np.sqrt(own[1:] * own[:-1])).mean()),
        float(values.mean()),
        spread,
        float(np.sqrt(variances).mean()) / spread if spread else 0.0,
        float(np.log10(np.mean(values >= values.max()) + _USUAL_SATURATION)) if spread else 0.0,
    )
    return found


def sampled_figures(stack: DepthStack, z: slice, prepare: Callable[[Grey], Floats]) -> Figures:
    """Return the figures of the places that a stack's quantiles are sampled from, ``(n, figures)``.

    Raises
    ------
    StackError
        If the stack cannot be read.
    """
    found = [_figures_at(block, prepare) for block in zip(*stack.window_blocks(z), strict=True)]
    measured: Figures = np.stack(found)
    return measured[~np.isnan(measured).any(axis=1)]


def _figures_at(layers: Sequence[Grey], prepare: Callable[[Grey], Floats]) -> Figures:
    """Return the figures of a place, given a few of its layers; NaN if it is empty, as beside the papyrus."""
    if np.mean([np.mean(layer == 0) for layer in layers]) > _MOST_EMPTY:
        return np.full(len(LOCAL_FIGURES), np.nan)
    return figures_of(np.stack([prepare(layer[None])[0] for layer in layers]))
