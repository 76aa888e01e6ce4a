"""How well edge maps match edges that people drew: the protocol of BSDS500 (Arbeláez et al. 2011)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.morphology import thin

from napari_ink.evaluation.ink import check_probability, f_score
from napari_ink.evaluation.matching import match_one_to_one
from napari_ink.evaluation.thinning import suppress_non_maxima

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
        That threshold.
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
    pairs: Iterable[EdgePair], tolerance: float = 0.0075, thresholds: int = 99, reach: float | None = None
) -> EdgeScores:
    """Score edge maps against true edges, matched one to one.

    The map is thinned once, at the lowest threshold, and all thresholds are matched in one go, where BSDS thins and
    matches anew at every one: `docs/evaluation.md` has how little the scores differ, and how much time it takes.

    Parameters
    ----------
    pairs
        For each image its edge map ``(y, x)``, uint8 of 0 to 255 or floating point of 0 to 1, and the true edges: one
        bool plane, or one for each person who drew them. An edge found is right if it matches anybody's; each person's
        edges are looked for apart. A third plane, bool, says where to count: edges elsewhere, found or true, are left
        out once the map is thinned, so that its border makes no edge.
    tolerance
        How far apart two matched pixels may lie, as a part of the image's diagonal.
    thresholds
        How many are tried, evenly between 0 and 1.
    reach
        The same as `tolerance`, in pixels, for all images; it replaces it.

    Raises
    ------
    ValueError
        If there is no image, an image without true edges, two planes of one that differ in shape, or a map of no
        probabilities.
    """
    at = np.linspace(0, 1, thresholds + 2)[1:-1]
    counts = np.array([_image_counts(pair, tolerance, reach, at) for pair in pairs])  # (image, threshold, 4)
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
    """Cut a segment into images of the size that the protocol was made for; those with nothing to count are left out.

    The tolerance is a part of an image's diagonal: on a whole segment it would be a hundred pixels, and matching would
    take hours. The crops are views and take no memory.

    Parameters
    ----------
    edge, truth
        Edge map and true edges ``(y, x)``.
    inside
        Where to count, ``(y, x)``; everywhere when None.
    size
        Height and width of a crop; those at the bottom and right may be smaller.
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
    pair: EdgePair, tolerance: float, reach: float | None, thresholds: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return, for each threshold, matched found pixels, found pixels, matched true pixels and true pixels."""
    edge, truth, inside = pair if len(pair) == 3 else (*pair, None)
    check_probability(edge)
    truths = [truth] if isinstance(truth, np.ndarray) else list(truth)
    if not truths:
        raise ValueError("nobody drew the true edges of an image")
    if any(t.shape != edge.shape for t in (*truths, edge if inside is None else inside)):
        raise ValueError(f"an edge map of {edge.shape} pixels has true edges of {[t.shape for t in truths]}")
    found, strength = _lines(edge, thresholds[0], inside)
    if inside is not None:
        truths = [t & inside for t in truths]
    reach = tolerance * float(np.hypot(*edge.shape)) if reach is None else reach
    paired = [match_one_to_one(found, np.argwhere(t), reach) >= 0 for t in truths]
    reached = np.searchsorted(-strength, -thresholds, side="right")  # found pixels as strong as each threshold
    matched = _first(np.logical_or.reduce(paired), reached)
    matched_true = sum(_first(one, reached) for one in paired)
    true = np.full(len(thresholds), sum(int(t.sum()) for t in truths))
    return np.stack([matched, reached, matched_true, true], axis=1)


def _lines(
    edge: npt.NDArray[Any], lowest: float, inside: Truth | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return the places ``(n, 2)`` of the map's thin lines, the strongest first, and how strong each is."""
    ridges = suppress_non_maxima(edge / 255 if edge.dtype == np.uint8 else edge)
    lines = thin(ridges >= lowest)  # type: ignore[no-untyped-call]  # Guo & Hall's, as in BSDS
    if inside is not None:
        lines = lines & inside
    places, strength = np.argwhere(lines), ridges[lines]
    order = np.argsort(-strength, kind="stable")
    return places[order], strength[order]


def _first(matched: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return how many of the first n are matched, for each n of `counts`."""
    until: npt.NDArray[np.int64] = np.append(0, matched.cumsum())[counts]
    return until
