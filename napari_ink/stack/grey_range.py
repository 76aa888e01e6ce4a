"""How much of its range a stack's grey values fill: too little, and a model sees next to nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_ink.errors import StackError
from napari_ink.stack.depth_stack import DepthStack, Grey

_LEAST_SHARE = 1 / 8
_BITS = (4, 5, 6, 7, 8, 10, 12, 14)
_INT16_ZERO = 32768


@dataclass(frozen=True)
class GreyFill:
    """What a sample of a stack's grey values fills.

    Attributes
    ----------
    low, high
        Between these lie 99 in 100 of them, empty voxels left out.
    black, white
        The range they are held against: the dtype's, or the one that was given.
    is_single
        Whether these are all the same.
    """

    low: int
    high: int
    black: float
    white: float
    is_single: bool

    @property
    def share(self) -> float:
        """How much of the range they fill, 0 to 1."""
        return (min(self.high, self.white) - max(self.low, self.black)) / (self.white - self.black)


def grey_fill(sample: Grey, grey_range: tuple[float, float] | None = None) -> GreyFill:
    """Return what some grey values ``(n,)`` fill of their dtype's range, or of another one.

    Raises
    ------
    StackError
        If it is no range of theirs.
    """
    top = int(np.iinfo(sample.dtype).max)
    black, white = (0, top) if grey_range is None else grey_range
    if not 0 <= black < white <= top:
        raise StackError(
            f"The grey range {black:g} to {white:g} does not fit this stack; give two rising grey values from 0 to "
            f"{top}, as the viewer shows them."
        )
    low, high = (int(value) for value in np.percentile(sample, (0.5, 99.5)))
    return GreyFill(low, high, black, white, low == high)


def grey_note(stack: DepthStack, grey_range: tuple[float, float] | None = None, remedy: str = "") -> str:
    """Say what is wrong where a stack fills less than an eighth of its range, and what to do; else nothing.

    Only a sample is looked at, as it is for contrast limits; of a stack that cannot be read there, it says why.

    Parameters
    ----------
    stack
        The stack.
    grey_range
        What its values are spread from, if they are.
    remedy
        What to do, without a full stop; a grey range that fits is named unless something else is said.
    """
    try:
        sample = stack.grey_sample()
    except StackError as error:
        return str(error)
    fill = grey_fill(sample, grey_range)
    if fill.is_single:
        what = "0 (black)" if fill.low == 0 else f"{fill.low}"
        how_many = "All" if sample.min() == sample.max() else "Nearly all"
        said = f"{how_many} grey values that were sampled are {what}"
        return f"{said}; check that this is the right stack, and written whole."
    black, white = suggested_range(sample, stack.scaling)
    is_upper_half = _begins_at_0(sample, stack.scaling) and fill.black < _INT16_ZERO
    if fill.share >= _LEAST_SHARE and not is_upper_half:
        return ""
    remedy = remedy or (
        f"give the range that they were probably meant to have, {black} to {white} (`--grey-range {black} {white}`; "
        "in the window, Grey range)"
    )
    if fill.share >= _LEAST_SHARE:
        return f"No value of this int16 stack is below 0, so that all are bright to a model; {remedy}."
    return (
        f"The stack's grey values lie from {fill.low} to {fill.high} and fill {max(100 * fill.share, 0):.2g} % of "
        f"{fill.black:g} to {fill.white:g}, too little for a model to see ink in; {remedy}."
    )


def suggested_range(sample: Grey, scaling: str = "") -> tuple[int, int]:
    """Guess which grey values were black and white where a stack was written: those of 4, 8, 10, 12 … bits.

    Parameters
    ----------
    sample
        Some grey values ``(n,)`` of it.
    scaling
        How they came about; int16 from 0 begins in the middle of the range.
    """
    top = int(np.iinfo(sample.dtype).max)
    low, high, most = (int(value) for value in np.percentile(sample, (0.5, 99.5, 100)))
    black = _INT16_ZERO if _begins_at_0(sample, scaling) else 0
    # A few voxels far above all others, such as hot pixels, are left out of it.
    brightest = most if most - low < _LEAST_SHARE * top else high
    for bits in (*_BITS, 15) if black else _BITS:
        white = black + (1 << bits) - 1
        if brightest <= white <= top and white - black < top and high - low >= _LEAST_SHARE * (white - black):
            return black, white
    margin = max((high - low) // 4, 1)  # they begin far from black: a low contrast, which is stretched
    return max(low - margin, 0), min(high + margin, top)


def _begins_at_0(sample: Grey, scaling: str) -> bool:
    """Whether int16 values hold a scan that has no negative ones, as of unsigned values that were saved so."""
    return "int16" in scaling and int(sample.min()) >= _INT16_ZERO
