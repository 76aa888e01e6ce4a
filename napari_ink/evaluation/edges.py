"""Scores of edge maps against drawn edges, by the protocol of BSDS500 (Arbeláez et al. 2011)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.evaluation.ink import check_probability, f_score
from napari_ink.evaluation.matching import Pairing
from napari_ink.evaluation.thinning import suppress_non_maxima, thin

Truth = npt.NDArray[np.bool_]
Truths = Truth | Sequence[Truth]
EdgePair = tuple[npt.NDArray[Any], Truths] | tuple[npt.NDArray[Any], Truths, Truth | None]


@dataclass(frozen=True, slots=True)
class EdgeScores:
    """Scores of edge maps, 0 to 1.

    Attributes
    ----------
    ods
        Best F-score with one threshold for all images (optimal dataset scale).
    ods_threshold
        Threshold at which `ods` is reached.
    ois
        F-score with the best threshold for each image (optimal image scale).
    average_precision
        Area under precision over recall of all images together.
    """

    ods: float
    ods_threshold: float
    ois: float
    average_precision: float


def edge_scores(
    pairs: Iterable[EdgePair],
    tolerance: float = 0.0075,
    thresholds: int = 99,
    reach: float | None = None,
    thinned: bool = False,
) -> EdgeScores:
    """Score edge maps against true edges, matched one to one.

    As in BSDS, the map is thinned at every threshold; matching continues from one threshold to the next.
    `docs/explanation/score-checks.md` compares scores and times with those of other programs. If several people drew
    edges, the choice between two equally good partners of a pixel changes the scores in the fourth digit.

    Parameters
    ----------
    pairs
        For each image its edge map ``(y, x)``, uint8 of 0 to 255 or floating point of 0 to 1, and the true edges: one
        bool plane, or one for each person who drew them. A found edge is correct if it matches the edges of any person;
        recall is computed for each person separately. An optional third plane, bool, marks the pixels that count: edges
        elsewhere, found or true, are dropped after the map is thinned, so that its border makes no edge.
    tolerance
        Largest distance of two matched pixels, as a share of the image's diagonal.
    thresholds
        Number of thresholds, evenly spaced between 0 and 1.
    reach
        Largest distance of two matched pixels in pixels, for all images, in place of `tolerance`.
    thinned
        Whether the maps are ridges already, such as ultrametric contour maps or the output of a detector with its own
        non-maximum suppression, which is then skipped here. The mask at each threshold is thinned in any case, as in
        BSDS.

    Raises
    ------
    ValueError
        If there is no image, an image has no true edges, the planes of an image differ in shape, or a map does not
        contain probabilities.
    """
    at = np.linspace(0, 1, thresholds + 2)[1:-1]
    counts = np.array([_image_counts(pair, tolerance, reach, at, thinned) for pair in pairs])  # (image, threshold, 4)
    if counts.size == 0:
        raise ValueError("there is no edge map to score")
    total = counts.sum(axis=0)
    precision, recall = _rates(total)
    f1 = f_score(precision, recall, 1.0)
    each = f_score(*_rates(counts.reshape(-1, 4)), 1.0).reshape(counts.shape[:2])
    best = counts[np.arange(len(counts)), each.argmax(axis=1)].sum(axis=0)
    ois = float(f_score(*_rates(best[None]), 1.0)[0])
    return EdgeScores(float(f1.max()), float(at[f1.argmax()]), ois, _area(precision, recall))


def edge_crops(
    edge: npt.NDArray[Any], truth: Truth, inside: Truth | None = None, size: int = 512
) -> list[tuple[npt.NDArray[Any], Truth, Truth | None]]:
    """Cut a segment into crops of the size that the protocol was made for; crops with no pixel that counts are dropped.

    The tolerance is a share of an image's diagonal: on a whole segment it would be a hundred pixels, and matching would
    take hours. The crops are views and take no memory.

    Parameters
    ----------
    edge, truth
        Edge map and true edges ``(y, x)``.
    inside
        Mask ``(y, x)`` of the pixels that count; None for all.
    size
        Height and width of a crop; crops at the bottom and right may be smaller.
    """
    corners = product(*(range(0, length, size) for length in edge.shape))
    windows = [(slice(y, y + size), slice(x, x + size)) for y, x in corners]
    return [
        (edge[window], truth[window], None if inside is None else inside[window])
        for window in windows
        if inside is None or inside[window].any()
    ]


def _rates(counts: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    matched_found, found, matched_true, true = counts.T
    return matched_found / np.maximum(found, 1), matched_true / np.maximum(true, 1)


def _area(precision: npt.NDArray[np.float64], recall: npt.NDArray[np.float64]) -> float:
    """Return the area under precision over recall, interpolated at every hundredth of recall as BSDS does."""
    order = np.argsort(recall)
    recall, precision = recall[order], precision[order]
    steps = np.linspace(0, 1, 101)
    within = (steps >= recall[0]) & (steps <= recall[-1])
    return float(np.interp(steps, recall, precision)[within].sum() / 100)


def _image_counts(
    pair: EdgePair, tolerance: float, reach: float | None, thresholds: npt.NDArray[np.float64], thinned: bool
) -> npt.NDArray[np.int64]:
    """Return, for each threshold, matched found pixels, found pixels, matched true pixels and true pixels."""
    edge, truth, inside = pair if len(pair) == 3 else (*pair, None)
    check_probability(edge)
    truths = [truth] if isinstance(truth, np.ndarray) else list(truth)
    if not truths:
        raise ValueError("an image has no true edges")
    if any(t.shape != edge.shape for t in (*truths, edge if inside is None else inside)):
        raise ValueError(f"an edge map of {edge.shape} pixels has true edges of {[t.shape for t in truths]}")
    if inside is not None:
        truths = [t & inside for t in truths]
    lines = _lines(edge, thresholds, inside, thinned)
    places = np.argwhere(lines.any(axis=0))
    present = lines[:, places[:, 0], places[:, 1]]
    reach = tolerance * float(np.hypot(*edge.shape)) if reach is None else reach
    pairings = [Pairing(places, np.argwhere(t), reach) for t in truths]
    counts = np.zeros((len(thresholds), 4), np.int64)
    counts[:, 1], counts[:, 3] = present.sum(axis=1), sum(int(t.sum()) for t in truths)
    before = np.zeros(len(places), bool)
    for row in reversed(range(len(thresholds))):  # from the highest threshold, so that most pixels only enter
        for pairing in pairings:
            pairing.leave(np.flatnonzero(before & ~present[row]).tolist())
            pairing.enter(np.flatnonzero(present[row] & ~before).tolist())
        before = present[row]
        paired = [pairing.paired for pairing in pairings]
        counts[row, 0] = np.logical_or.reduce(paired).sum()
        counts[row, 2] = sum(int(one.sum()) for one in paired)
    return counts


def _lines(
    edge: npt.NDArray[Any], thresholds: npt.NDArray[np.float64], inside: Truth | None, thinned: bool
) -> npt.NDArray[np.bool_]:
    """Return the map's thin lines at each threshold, ``(threshold, y, x)``."""
    edge = edge / 255 if edge.dtype == np.uint8 else edge
    ridges = edge if thinned else suppress_non_maxima(edge)
    lines = np.stack([thin(ridges >= threshold) for threshold in thresholds])
    return lines if inside is None else lines & inside
