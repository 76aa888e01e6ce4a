"""How well edge maps match edges that people drew: the protocol of BSDS500 (Arbeláez et al. 2011)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from napari_ink.evaluation.ink import f_score
from napari_ink.evaluation.thinning import suppress_non_maxima

Truth = npt.NDArray[np.bool_]


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
    pairs: Iterable[tuple[npt.NDArray[Any], Truth | Sequence[Truth]]], tolerance: float = 0.0075, thresholds: int = 99
) -> EdgeScores:
    """Score edge maps against true edges, matched one to one.

    Parameters
    ----------
    pairs
        For each image its edge map ``(y, x)``, uint8 of 0 to 255 or floating point of 0 to 1, and the true edges: one
        bool plane, or one for each person who drew them. An edge found is right if it matches anybody's; each person's
        edges are looked for apart.
    tolerance
        How far apart two matched pixels may lie, as a part of the image's diagonal.
    thresholds
        How many are tried, evenly between 0 and 1.

    Raises
    ------
    ValueError
        If there is no image, or two planes of one differ in shape.
    """
    at = np.linspace(0, 1, thresholds + 2)[1:-1]
    counts = np.array([_image_counts(edge, truth, tolerance, at) for edge, truth in pairs])  # (image, threshold, 4)
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
    edge: npt.NDArray[Any], truth: Truth, inside: npt.NDArray[np.bool_] | None = None, size: int = 512
) -> list[tuple[npt.NDArray[Any], Truth]]:
    """Cut a segment into images of the size that the protocol was made for.

    The tolerance is a part of an image's diagonal: on a whole segment it would be a hundred pixels, and matching would
    take hours.

    Parameters
    ----------
    edge, truth
        Edge map and true edges ``(y, x)``.
    inside
        Where to count, ``(y, x)``; everywhere when None.
    size
        Height and width of a crop; those at the bottom and right may be smaller.
    """
    if inside is not None:
        edge, truth = edge * inside, truth & inside
    corners = product(*(range(0, length, size) for length in edge.shape))
    windows = [(slice(y, y + size), slice(x, x + size)) for y, x in corners]
    return [(edge[window], truth[window]) for window in windows]


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
    edge: npt.NDArray[Any], truth: Truth | Sequence[Truth], tolerance: float, thresholds: npt.NDArray[np.float64]
) -> list[tuple[int, int, int, int]]:
    truths = [truth] if isinstance(truth, np.ndarray) else list(truth)
    if any(t.shape != edge.shape for t in truths):
        raise ValueError(f"an edge map of {edge.shape} pixels has true edges of {[t.shape for t in truths]}")
    ridges = suppress_non_maxima(edge / 255 if edge.dtype == np.uint8 else edge)
    reach = tolerance * float(np.hypot(*edge.shape))
    places = [np.argwhere(t) for t in truths]
    counts: list[tuple[int, int, int, int]] = []
    before: bytes | None = None
    for threshold in thresholds:
        lines = skeletonize(ridges >= threshold)  # type: ignore[no-untyped-call]
        if (content := np.packbits(lines).tobytes()) != before:  # coarse maps give the same lines many times
            before, answer = content, _counts(np.argwhere(lines), places, reach)
        counts.append(answer)
    return counts


def _counts(
    found: npt.NDArray[np.int64], truths: list[npt.NDArray[np.int64]], reach: float
) -> tuple[int, int, int, int]:
    """Return matched found pixels, found pixels, matched true pixels and true pixels."""
    matched = np.zeros(len(found), dtype=bool)
    matched_true = 0
    for true in truths:
        partner = match_one_to_one(found, true, reach)
        matched |= partner >= 0
        matched_true += int((partner >= 0).sum())
    return int(matched.sum()), len(found), matched_true, sum(map(len, truths))


def match_one_to_one(found: npt.NDArray[np.int64], true: npt.NDArray[np.int64], reach: float) -> npt.NDArray[np.int32]:
    """Pair as many pixels as possible, each with one at most `reach` away.

    BSDS pairs by least total distance; the number of pairs, which alone counts, is the same or higher here.

    Parameters
    ----------
    found, true
        Places ``(n, 2)``.
    reach
        In pixels.

    Returns
    -------
    ndarray
        For each found pixel the number of its partner in `true`, or -1.
    """
    if len(found) == 0 or len(true) == 0:
        return np.full(len(found), -1, dtype=np.int32)
    near = cKDTree(found).sparse_distance_matrix(cKDTree(true), reach, output_type="coo_matrix")
    graph = csr_array((np.ones(near.nnz, np.int8), (near.row, near.col)), shape=(len(found), len(true)))
    partners: npt.NDArray[np.int32] = maximum_bipartite_matching(graph, perm_type="column")
    return partners
