"""Ranking of regions by how much a review of them is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.annotation.labels import LabelValue
from napari_ink.annotation.review.review import ReviewCell, ReviewState, cell_bounds
from napari_ink.typing import UInt8Array

_NEAR_PX = 3
_NOVEL = 0.3
_LEAST_REASON = 0.005  # would be stated as 0 %
Read = Callable[[tuple[int, int], tuple[int, int]], UInt8Array]
_SQUARE = np.ones((2 * _NEAR_PX + 1, 2 * _NEAR_PX + 1), bool)


@dataclass(frozen=True, slots=True)
class RegionScore:
    """Reasons to review a region, each 0 to 1.

    Attributes
    ----------
    region
        Row and column of the region.
    uncertainty
        Mean entropy of the predicted ink, in bits.
    disagreement
        Share of the outline pixels of predicted ink and of the predicted edge pixels with none of the other nearby.
    contradiction
        Share of the labelled pixels that the prediction contradicts.
    content
        Share of pixels that are predicted or labelled as ink.
    between_models
        Share of pixels that only one of two models predicts as ink; 0 without a second model.
    novelty
        Distance from the most similar region before it, see `varied`; 0 where it was not computed.
    description
        Values that are close together for similar regions, see `varied`.
    """

    region: ReviewCell
    uncertainty: float
    disagreement: float
    contradiction: float
    content: float
    between_models: float = 0.0
    novelty: float = 0.0
    description: tuple[float, ...] = ()

    @property
    def worth(self) -> float:
        """Value that the review queue is ordered by.

        The reasons have equal weight, and their sum is multiplied by the square root of the share of ink, so that a
        region with one doubtful stroke comes before an empty one and after a full one.
        """
        reasons = self.uncertainty + self.disagreement + self.contradiction + self.between_models
        return reasons * float(np.sqrt(self.content + 1e-3))

    @property
    def reason(self) -> str:
        """Sentence on the strongest reason to review the region."""
        sentences = {
            f"The prediction contradicts {self.contradiction:.0%} of its labels": self.contradiction,
            f"The two models disagree on {self.between_models:.0%} of it": self.between_models,
            f"Predicted ink and edges disagree on {self.disagreement:.0%} of the outlines": self.disagreement,
            "The prediction is unsure": self.uncertainty,
        }
        strongest = max(sentences, key=lambda sentence: sentences[sentence])
        if sentences[strongest] < _LEAST_REASON:
            return "Nothing there is doubtful."
        unlike = ", and it is unlike the regions before it" if self.novelty > _NOVEL else ""
        return f"{strongest}{unlike}."


def score_regions(
    shape: tuple[int, int],
    ink: Read,
    edge: Read,
    labels: Read,
    review: UInt8Array,
    ink_threshold: float = 0.5,
    edge_threshold: float = 0.5,
    other: Read | None = None,
    other_threshold: float = 0.5,
) -> Iterator[RegionScore]:
    """Yield the score of each region that is neither reviewed nor flagged; memory does not grow with the segment.

    Parameters
    ----------
    shape
        Height and width of the segment.
    ink, edge
        Read predicted probabilities, uint8, of a range of rows and one of columns.
    labels
        Reads ink labels in the same way.
    review
        The review plane ``(rows, columns)`` of regions.
    ink_threshold, edge_threshold
        Lowest probabilities that count as ink and as edge, 0…1.
    other
        Reads the ink that a second model predicts, such as one that was taught since; None without one.
    other_threshold
        Lowest of its probabilities that counts as ink.
    """
    for row, column in np.argwhere((review != ReviewState.REVIEWED) & (review != ReviewState.FLAGGED)).tolist():
        y0, y1, x0, x1 = cell_bounds((row, column), shape)
        y, x = (y0, y1), (x0, x1)
        score = _score((row, column), ink(y, x), edge(y, x), labels(y, x), ink_threshold, edge_threshold)
        yield score if other is None else _compared(score, ink(y, x), other(y, x), ink_threshold, other_threshold)


def rank(scores: Iterator[RegionScore] | list[RegionScore]) -> list[RegionScore]:
    """Return the scores, the highest worth first."""
    return sorted(scores, key=lambda score: (-score.worth, score.region))


def seconds_left(seconds: list[float], regions: int) -> float | None:
    """Return the expected time for a number of regions, from the median of the times so far; None without any."""
    return float(np.median(seconds)) * regions if seconds else None


def _score(
    region: ReviewCell, ink: UInt8Array, edge: UInt8Array, labels: UInt8Array, ink_cut: float, edge_cut: float
) -> RegionScore:
    p = ink.astype(np.float32) / np.float32(255)
    # Clipped, since the logarithm of 0 is infinite.
    sure = np.clip(p, 1e-6, 1 - 1e-6)
    entropy = -(sure * np.log2(sure) + (1 - sure) * np.log2(1 - sure))
    # At least level 1, so that a threshold of 0 does not make empty pixels ink.
    is_ink, is_edge = p >= max(ink_cut, 1 / 255), edge >= max(edge_cut * 255, 1)
    labelled = labels != LabelValue.UNREVIEWED
    is_label = labels == LabelValue.INK
    return RegionScore(
        region,
        uncertainty=float(entropy.mean()),
        disagreement=_apart(is_ink & ~ndimage.binary_erosion(is_ink, border_value=1), is_edge),
        contradiction=float((is_label != is_ink)[labelled].mean()) if labelled.any() else 0.0,
        content=float((is_ink | is_label).mean()),
        description=(*_histogram(p), float(is_ink.mean()), float(is_edge.mean())),
    )


def _compared(score: RegionScore, ink: UInt8Array, other: UInt8Array, ink_cut: float, other_cut: float) -> RegionScore:
    """Return a score with the disagreement of a second model; what only that one takes for ink is content too."""
    first, second = ink >= max(ink_cut * 255, 1), other >= max(other_cut * 255, 1)
    apart = float((first != second).mean())
    return replace(
        score,
        between_models=apart,
        content=max(score.content, float((first | second).mean())),
        description=(*score.description, *_histogram(other / np.float32(255)), apart),
    )


def _histogram(p: npt.NDArray[np.floating]) -> Iterator[float]:
    """Yield the shares of probabilities in four ranges."""
    counts = np.histogram(p, bins=4, range=(0, 1))[0]
    yield from (counts / p.size).tolist()


def _apart(outline: npt.NDArray[np.bool_], edges: npt.NDArray[np.bool_]) -> float:
    """Return the share of outline and edge pixels that have none of the other nearby."""
    total = int(outline.sum() + edges.sum())
    if not total:
        return 0.0
    lonely = (outline & ~ndimage.binary_dilation(edges, _SQUARE)).sum()
    lonely += (edges & ~ndimage.binary_dilation(outline, _SQUARE)).sum()
    return float(lonely / total)
