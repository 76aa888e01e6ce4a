"""Scaling of grey values by percentiles of the whole stack, so that brightness, contrast and gamma do not matter.

Half of the layers read are gaps between sheets. So the 5th percentile is air, and the 95th the brighter papyrus, and
these two vary least between stacks. A gamma shows in a third that lies between them, in the papyrus: the 80th varies
least of those. See decisions 0035 and 0044.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

# Shares of a stack's voxels, and the greys (of 255) that the values at these shares become.
SHARES = {"stack quantiles": (0.05, 0.95), "stack curve": (0.05, 0.8, 0.95)}
_LOW, _MIDDLE, _HIGH = 14.0, 100.4, 157.0
_MOST_GREY = 1.5  # brighter than white: metal and hot pixels
# Beyond this power, and below its inverse, a stack has other shares of air and papyrus, and not another gamma.
MOST_POWER = 1.8
# How far the air lies above black, in parts of its distance to the bright papyrus: usually, and at most. A gamma of .7
# takes it from the one to a quarter; what lies higher was made brighter by an offset.
_USUAL_AIR, _MOST_AIR = 0.1, 0.3


@lru_cache(maxsize=32)
def prepared_values(
    stack_greys: tuple[float, ...], grey_range: tuple[float, float] | None, top: int, mean: float, std: float
) -> npt.NDArray[np.float32]:
    """Return what a network reads for each grey value of a stack.

    Parameters
    ----------
    stack_greys
        Percentiles of the stack: the 5th and the 95th, or, if greys are raised to a power first, the 5th, the 80th and
        the 95th.
    grey_range
        Grey values that all others are clipped to; None for all.
    top
        Largest grey value of the dtype.
    mean, std
        Subtracted from greys of a usual scan, in fractions of their range, and divided by afterwards.

    Returns
    -------
    ndarray
        float32 ``(top + 1,)``.
    """
    (low, *_, high), black = stack_greys, _black(stack_greys, grey_range)
    stored = np.arange(top + 1) if grey_range is None else np.arange(top + 1).clip(*grey_range)
    if (power := power_of(stack_greys, grey_range)) != 1:
        white = high - black
        stored = black + (np.maximum(stored - black, 0) / white) ** power * white
        low = black + ((low - black) / white) ** power * white
    # A stack of one grey has no contrast to scale.
    slope = (_HIGH - _LOW) / max(high - low, 1.0)
    greys = (_LOW + slope * (stored - low)) / 255
    # Around the papyrus stacks are 0, which in one of low contrast would lie far below the air.
    table: npt.NDArray[np.float32] = ((greys.clip(0.0, _MOST_GREY) - mean) / std).astype(np.float32)
    return table


def power_of(stack_greys: tuple[float, ...], grey_range: tuple[float, float] | None = None) -> float:
    """Return the power of grey values after which three percentiles of a stack lie like those of a usual scan.

    Parameters
    ----------
    stack_greys
        The 5th, the 80th and the 95th percentile.
    grey_range
        Grey values that all others are clipped to; None for all.

    Returns
    -------
    float
        From 1 / 1.8 to 1.8; 1 if there are other percentiles, or if all three are the same.
    """
    if len(stack_greys) != len(SHARES["stack curve"]) or stack_greys[0] == stack_greys[-1]:
        return 1.0
    from scipy import optimize  # takes as long to import as all else that a list of models needs

    black = _black(stack_greys, grey_range)
    # Any unit does, since a power only multiplies all greys if the unit changes.
    low, middle = ((grey - black) / (stack_greys[-1] - black) for grey in stack_greys[:2])

    def too_low(exponent: float) -> float:
        power = math.exp(exponent)
        lowest = math.pow(low, power)
        return (_MIDDLE - _LOW) / (_HIGH - _LOW) - (math.pow(middle, power) - lowest) / (1 - lowest)

    least, most = -math.log(MOST_POWER), math.log(MOST_POWER)
    if too_low(least) >= 0:  # the share falls with the power
        return 1 / MOST_POWER
    if too_low(most) <= 0:
        return MOST_POWER
    return math.exp(optimize.brentq(too_low, least, most))


def _black(stack_greys: tuple[float, ...], grey_range: tuple[float, float] | None) -> float:
    """Return the grey that powers are taken above: the lowest, or where all lie far above it, one below the air."""
    lowest, (low, *_, high) = 0.0 if grey_range is None else grey_range[0], stack_greys
    return lowest if low - lowest <= _MOST_AIR * (high - low) else low - _USUAL_AIR * (high - low)
