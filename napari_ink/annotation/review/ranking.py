"""Which regions are most worth a person's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.annotation.labels import LabelValue
from napari_ink.annotation.review.review import ReviewCell, ReviewState, cell_bounds
from napari_ink.typing import UInt8Array

_NEAR_PX = 3
Read = Callable[[tuple[int, int], tuple[int, int]], UInt8Array]
_SQUARE = np.ones((2 * _NEAR_PX + 1, 2 * _NEAR_PX + 1), bool)


@dataclass(frozen=True, slots=True)
class RegionScore:
    """Why a region is worth looking at; each part is 0 to 1.

    Attributes
    ----------
    region
        Its row and column.
    uncertainty
        Mean entropy of the predicted ink, in bits.
    disagreement
        Share of the predicted ink's outline without a predicted edge near it, and of the edges without an outline.
    contradiction
        Share of the labelled pixels that the prediction contradicts.
    content
        Share of pixels that are predicted or labelled ink.
    """

    region: ReviewCell
    uncertainty: float
    disagreement: float
    contradiction: float
    content: float

    @property
    def worth(self) -> float:
        """What the queue is ordered by.

        The three reasons to doubt count alike, and count for more where there is more ink: by the square root of its
        share, so that a region with one doubtful stroke comes before an empty one, and after a full one.
        """
        return (self.uncertainty + self.disagreement + self.contradiction) * float(np.sqrt(self.content + 1e-3))


def score_regions(
    shape: tuple[int, int],
    ink: Read,
    edge: Read,
    labels: Read,
    review: UInt8Array,
    ink_threshold: float = 0.5,
    edge_threshold: float = 0.5,
) -> Iterator[RegionScore]:
    """Score each region that is neither reviewed nor flagged, one after the other; memory does not grow.

    Parameters
    ----------
    shape
        Height and width of the segment.
    ink, edge
        Read predicted probabilities, 0…255, of a range of y and one of x.
    labels
        Reads ink labels likewise.
    review
        The review plane.
    ink_threshold, edge_threshold
        Least probabilities called ink and edge, 0…1.
    """
    for row, column in np.argwhere((review != ReviewState.REVIEWED) & (review != ReviewState.FLAGGED)).tolist():
        y0, y1, x0, x1 = cell_bounds((row, column), shape)
        y, x = (y0, y1), (x0, x1)
        yield _score((row, column), ink(y, x), edge(y, x), labels(y, x), ink_threshold, edge_threshold)


def rank(scores: Iterator[RegionScore] | list[RegionScore]) -> list[RegionScore]:
    """Return the scores, most worth first."""
    return sorted(scores, key=lambda score: (-score.worth, score.region))


def seconds_left(seconds: list[float], regions: int) -> float | None:
    """Return how long so many regions will take, by the median of those done; None before any is."""
    return float(np.median(seconds)) * regions if seconds else None


def _score(
    region: ReviewCell, ink: UInt8Array, edge: UInt8Array, labels: UInt8Array, ink_cut: float, edge_cut: float
) -> RegionScore:
    p = ink.astype(np.float32) / np.float32(255)
    sure = np.clip(p, 1e-6, 1 - 1e-6)
    entropy = -(sure * np.log2(sure) + (1 - sure) * np.log2(1 - sure))
    is_ink, is_edge = p >= max(ink_cut, 1 / 255), edge >= max(edge_cut * 255, 1)
    labelled = labels != LabelValue.UNREVIEWED
    is_label = labels == LabelValue.INK
    return RegionScore(
        region,
        uncertainty=float(entropy.mean()),
        disagreement=_apart(is_ink & ~ndimage.binary_erosion(is_ink, border_value=1), is_edge),
        contradiction=float((is_label != is_ink)[labelled].mean()) if labelled.any() else 0.0,
        content=float((is_ink | is_label).mean()),
    )


def _apart(outline: npt.NDArray[np.bool_], edges: npt.NDArray[np.bool_]) -> float:
    """Return the share of both that has nothing of the other near it."""
    total = int(outline.sum() + edges.sum())
    if not total:
        return 0.0
    lonely = (outline & ~ndimage.binary_dilation(edges, _SQUARE)).sum()
    lonely += (edges & ~ndimage.binary_dilation(outline, _SQUARE)).sum()
    return float(lonely / total)
