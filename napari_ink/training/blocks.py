"""Where on a segment there is something to learn: an index of small blocks, as pixels would be too many to list."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import LabelValue

BLOCK_PX = 32


class BlockIndex:
    """Draws places by how much ink, or how much that has been reviewed, lies in their block.

    Parameters
    ----------
    labels
        Label values ``(y, x)``.
    side
        Height and width of a block, in pixels.

    Attributes
    ----------
    reviewed_px, ink_px : int
        How many pixels somebody has looked at, and how many of these are ink.
    """

    def __init__(self, labels: npt.NDArray[np.uint8], side: int = BLOCK_PX) -> None:
        self.side, self._shape = side, labels.shape
        ink = _counts(labels == LabelValue.INK, side)
        reviewed = ink + _counts(labels == LabelValue.PAPYRUS, side)
        self._columns = ink.shape[1]
        self._ink, self._reviewed = np.cumsum(ink), np.cumsum(reviewed)
        self.ink_px, self.reviewed_px = int(self._ink[-1]), int(self._reviewed[-1])

    def draw(self, rng: np.random.Generator, on_ink: bool) -> tuple[int, int]:
        """Return a pixel of a block that holds ink, or if not `on_ink` (or there is none) anything reviewed."""
        sums = self._ink if on_ink and self.ink_px else self._reviewed
        block = int(np.searchsorted(sums, rng.integers(int(sums[-1])), side="right"))
        corner = (block // self._columns * self.side, block % self._columns * self.side)
        y, x = (int(rng.integers(c, min(c + self.side, n))) for c, n in zip(corner, self._shape, strict=True))
        return y, x


def _counts(plane: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.int64]:
    """Return how many pixels of each block are true."""
    starts = [np.arange(0, length, side) for length in plane.shape]
    rows = np.add.reduceat(plane, starts[0], axis=0, dtype=np.int64)
    counts: npt.NDArray[np.int64] = np.add.reduceat(rows, starts[1], axis=1)
    return counts
