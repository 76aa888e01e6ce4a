"""What lies beyond the border of a segment, for a network: the segment, mirrored.

Repeated pixels make streaks, which a network that never saw them takes for ink: a band along the right and the lower
border of a stack of noise was marked (docs/decisions/0027-context.md).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]


def mirrored_places(start: int, stop: int, length: int) -> Places:
    """Return for each place of a range the one inside an axis that stands for it.

    The outermost place is its own first mirror image, as with `numpy.pad` and mode ``symmetric``.

    Parameters
    ----------
    start, stop
        The range, which may begin below 0 and end beyond the axis, by any amount.
    length
        Length of the axis, at least 1.

    Returns
    -------
    ndarray
        ``(stop - start,)``, values from 0 to ``length - 1``.
    """
    places = np.arange(start, stop) % (2 * length)
    return np.minimum(places, 2 * length - 1 - places)
