"""The share of a dtype's range that a stack's grey values fill; if it is too small, models see hardly any contrast."""

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
    """The part of a range that sampled grey values fill.

    Attributes
    ----------
    low, high
        0.5th and 99.5th percentile of the sample, without empty voxels.
    black, white
        Ends of the range: the dtype's, or the one that the user gave.
    is_single
        Whether `low` and `high` are the same.
    """

    low: int
    high: int
    black: float
    white: float
    is_single: bool

    @property
    def share(self) -> float:
        """Filled share of the range, 0 to 1."""
        return (min(self.high, self.white) - max(self.low, self.black)) / (self.white - self.black)


def grey_fill(sample: Grey, grey_range: tuple[float, float] | None = None) -> GreyFill:
    """Return how much of their dtype's range, or of `grey_range`, grey values ``(n,)`` fill.

    Raises
    ------
    StackError
        If `grey_range` does not rise or leaves the dtype's range.
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
    """Return a sentence on a stack that fills less than an eighth of its range, with a remedy; else an empty text.

    The sample is the one that contrast limits are taken from. If it cannot be read, the sentence says why.

    Parameters
    ----------
    stack
        The stack to sample.
    grey_range
        Black and white that the user chose for the stack; None for the dtype's range.
    remedy
        What to do, without a full stop; by default, to set a grey range that fits.
    """
    try:
        sample = stack.grey_sample()
    except StackError as error:
        return str(error)
    fill = grey_fill(sample, grey_range)
    if fill.is_single:
        what = "0 (black)" if fill.low == 0 else f"{fill.low}"
        how_many = "All" if sample.min() == sample.max() else "Nearly all"
        return f"{how_many} sampled grey values are {what}; check that this is the right stack and that it is complete."
    black, white = suggested_range(sample, stack.scaling)
    is_upper_half = _begins_at_0(sample, stack.scaling) and fill.black < _INT16_ZERO
    if fill.share >= _LEAST_SHARE and not is_upper_half:
        return ""
    remedy = remedy or (
        f"give the range that they were probably meant to have, {black} to {white} (`--grey-range {black} {white}`; "
        "in the window, Grey range)"
    )
    if fill.share >= _LEAST_SHARE:
        return f"No value of this int16 stack is below 0, so all of them look bright to a model; {remedy}."
    return (
        f"The stack's grey values lie from {fill.low} to {fill.high} and fill {max(100 * fill.share, 0):.2g} % of "
        f"{fill.black:g} to {fill.white:g}, too little for a model to see ink in; {remedy}."
    )


def suggested_range(sample: Grey, scaling: str = "") -> tuple[int, int]:
    """Guess the black and white that a stack was written with, assuming values of 4, 5, … or 14 bits.

    Parameters
    ----------
    sample
        Sampled grey values ``(n,)``.
    scaling
        How they were converted, as in `DepthStack.scaling`; int16 values from 0 begin in the middle of the range.

    Returns
    -------
    tuple
        Grey values of black and white; those around the sample with a margin if no number of bits fits.
    """
    top = int(np.iinfo(sample.dtype).max)
    low, high, most = (int(value) for value in np.percentile(sample, (0.5, 99.5, 100)))
    black = _INT16_ZERO if _begins_at_0(sample, scaling) else 0
    # The maximum counts unless it is far above the rest: a few hot pixels would choose too many bits.
    brightest = most if most - low < _LEAST_SHARE * top else high
    for bits in (*_BITS, 15) if black else _BITS:
        white = black + (1 << bits) - 1
        if brightest <= white <= top and white - black < top and high - low >= _LEAST_SHARE * (white - black):
            return black, white
    margin = max((high - low) // 4, 1)  # no number of bits fits: stretch a narrow band of greys
    return max(low - margin, 0), min(high + margin, top)


def _begins_at_0(sample: Grey, scaling: str) -> bool:
    """Whether int16 values are all positive, as in a scan of unsigned values that was saved as int16."""
    return "int16" in scaling and int(sample.min()) >= _INT16_ZERO
