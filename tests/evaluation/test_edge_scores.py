"""Edge scores: the matching compared with networkx, the scores with cases of known result."""

from collections.abc import Callable, Sequence

import networkx
import numpy as np
import pytest
import skimage.morphology
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial.distance import cdist
from skimage.draw import disk
from skimage.segmentation import find_boundaries

from napari_ink.evaluation import edge_crops, edge_scores, label_edges, match_one_to_one, suppress_non_maxima
from napari_ink.evaluation.matching import Pairing
from napari_ink.evaluation.thinning import thin


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.floats(0.5, 4))
def test_the_number_of_pairs_is_maximal(seed: int, reach: float) -> None:
    rng = np.random.default_rng(seed)
    found, true = (np.argwhere(rng.random((10, 11)) < 0.2) for _ in range(2))
    partner = match_one_to_one(found, true, reach)
    paired = partner >= 0
    assert len(set(partner[paired])) == paired.sum()
    assert (np.linalg.norm(found[paired] - true[partner[paired]], axis=1) <= reach + 1e-9).all()
    graph = networkx.Graph()
    graph.add_nodes_from(("f", i) for i in range(len(found)))
    for i, j in np.ndindex(len(found), len(true)):
        if np.linalg.norm(found[i] - true[j]) <= reach:
            graph.add_edge(("f", i), ("t", j))
    best = networkx.bipartite.maximum_matching(graph, top_nodes=[n for n in graph if n[0] == "f"])
    assert paired.sum() == len(best) // 2


def literal_scores(
    edges: Sequence[np.ndarray], truths: Sequence[list[np.ndarray]], suppress: Callable = suppress_non_maxima
) -> tuple[float, float, float]:
    """Return ODS, OIS and AP by the protocol of BSDS: thinned at every threshold, paired by least distance."""
    table = np.zeros((len(edges), 99, 4))
    for image, (edge, people) in enumerate(zip(edges, truths, strict=True)):
        places = [np.argwhere(truth) for truth in people]
        ridges = suppress(edge)
        for row, threshold in enumerate(np.arange(1, 100) / 100):
            found = np.argwhere(skimage.morphology.thin(ridges >= threshold))
            right = np.zeros(len(found), bool)
            for true in places:
                apart = cdist(found, true)
                # An unpaired pixel costs more than any pair within reach, so pairs are as many and as near as possible.
                apart[apart > 0.0075 * np.hypot(*edge.shape)] = 1000
                mine, theirs = linear_sum_assignment(apart)
                within = apart[mine, theirs] < 1000
                right[mine[within]] = True
                table[image, row, 2:] += within.sum(), len(true)
            table[image, row, :2] = right.sum(), len(found)

    def f1(row: np.ndarray) -> float:
        precision, recall = row[0] / max(row[1], 1), row[2] / row[3]
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    total = table.sum(axis=0)
    ods = max(f1(row) for row in total)
    ois = f1(sum(max(rows, key=f1) for rows in table))
    curve = sorted((row[2] / row[3], row[0] / max(row[1], 1)) for row in total)
    recall, precision = zip(*curve, strict=True)
    area = np.interp(np.linspace(0, 1, 101), recall, precision, left=0, right=0).sum() / 100
    return ods, ois, float(area)


@pytest.mark.parametrize("people", [1, 3])
def test_scores_agree_with_a_literal_implementation_of_the_protocol(people: int) -> None:
    rng = np.random.default_rng(people)
    truth = label_edges(circle(30) | circle(12, (20, 95)))
    edges = [
        np.clip(ndimage.gaussian_filter(truth * 2.5 + rng.normal(0, 0.9, truth.shape), 1.5), 0, 1) for _ in range(6)
    ]
    truths = [[np.roll(truth, rng.integers(-2, 3, 2), (0, 1)) for _ in range(people)] for _ in edges]
    scores = edge_scores(zip(edges, truths, strict=True))
    expected = literal_scores(edges, truths)
    assert 0.4 < expected[0] < 0.95
    assert (scores.ods, scores.ois, scores.average_precision) == pytest.approx(expected, abs=0.002)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.floats(0.5, 3), density=st.floats(0.1, 0.6))
def test_the_number_of_pairs_stays_maximal_as_points_enter_and_leave(seed: int, reach: float, density: float) -> None:
    rng = np.random.default_rng(seed)
    found, true = (np.argwhere(rng.random((9, 9)) < density) for _ in range(2))
    near = np.linalg.norm(found[:, None] - true[None], axis=2) <= reach
    pairing, present = Pairing(found, true, reach), np.zeros(len(found), bool)
    for _ in range(8):
        now = rng.random(len(found)) < rng.random()
        pairing.leave(np.flatnonzero(present & ~now).tolist())
        pairing.enter(np.flatnonzero(now & ~present).tolist())
        present = now
        partner = np.array(pairing.partners, dtype=int)
        np.testing.assert_array_equal(pairing.paired, partner >= 0)
        paired = np.flatnonzero(partner >= 0)
        assert present[paired].all() and near[paired, partner[paired]].all()
        assert len(set(partner[paired])) == len(paired)
        alone = maximum_bipartite_matching(csr_array(near[present].reshape(-1, len(true))), perm_type="column")
        assert len(paired) == (alone >= 0).sum()


def noise(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.random(shape) < rng.random()


def blobs(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(0.5, 4)) > rng.normal() * 0.05


def thick_contours(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    regions = np.digitize(ndimage.gaussian_filter(rng.normal(size=shape), 3), [-0.05, 0, 0.05])
    return find_boundaries(regions, mode="thick")


def dilated(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return ndimage.binary_dilation(rng.random(shape) < rng.random() ** 4, iterations=int(rng.integers(1, 4)))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([noise, blobs, thick_contours, dilated]),
    layout=st.sampled_from([np.ascontiguousarray, np.asfortranarray, lambda a: np.repeat(a, 2, 1)[:, ::2], np.flip]),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_thinning_equals_scikit_image(seed: int, kind: Callable, layout: Callable, shape: tuple[int, int]) -> None:
    mask = layout(kind(np.random.default_rng(seed), shape))
    before = mask.copy()
    np.testing.assert_array_equal(thin(mask), skimage.morphology.thin(mask))
    np.testing.assert_array_equal(mask, before)


def annotators(seed: int, people: int) -> list[np.ndarray]:
    """Return the contours, two pixels thick, of the same regions as drawn by several people with small deviations."""
    rng = np.random.default_rng(seed)
    seen = ndimage.gaussian_filter(rng.normal(size=(80, 90)), 6)
    wobbles = (ndimage.gaussian_filter(rng.normal(size=seen.shape), 3) * 0.02 for _ in range(people))
    return [find_boundaries(seen + wobble > 0, mode="thick") for wobble in wobbles]


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray], ids=["rows first", "columns first"])
def test_thinned_maps_agree_with_the_protocol_whatever_their_layout(layout: Callable) -> None:
    """Contours of several strengths, as in ultrametric contour maps; arrays from MATLAB files are in column order."""
    pairs = []
    for seed in range(3):
        one, *others = annotators(seed, 4)
        strengths = ndimage.gaussian_filter(np.random.default_rng(seed).random(one.shape), 8)
        pairs.append((layout(one * np.clip(0.2 + 20 * (strengths - strengths.min()), 0, 1)), others))
    expected = literal_scores(*zip(*pairs, strict=True), suppress=lambda edge: edge)
    scores = edge_scores(pairs, thinned=True)
    assert 0.4 < expected[0] < 0.95
    assert (scores.ods, scores.ois, scores.average_precision) == pytest.approx(expected, abs=0.002)


def test_a_thin_map_keeps_a_weak_line_beside_a_strong_one() -> None:
    edge = np.zeros((100, 100))
    edge[50, 10:90], edge[52, 10:90] = 1, 0.2
    truth = edge > 0
    assert edge_scores([(edge, truth)], reach=1, thinned=True).ods == pytest.approx(1)
    assert edge_scores([(edge, truth)], reach=1).ods == pytest.approx(2 / 3, abs=0.02)  # one of two lines is missing


def circle(radius: float, centre: tuple[int, int] = (60, 60)) -> np.ndarray:
    mask = np.zeros((120, 120), bool)
    mask[disk(centre, radius)] = True
    return mask


def test_an_outline_equals_that_of_scikit_image() -> None:
    mask = circle(30)
    np.testing.assert_array_equal(label_edges(mask), find_boundaries(mask, connectivity=1, mode="inner"))


def test_a_mask_has_no_outline_where_it_leaves_the_image() -> None:
    assert not label_edges(np.ones((5, 6), bool)).any()


def test_the_truth_itself_is_perfect() -> None:
    truth = label_edges(circle(30))
    scores = edge_scores([(truth.astype(np.uint8) * 255, truth)])
    assert scores.ods == pytest.approx(1, abs=0.02) and scores.ois == pytest.approx(1, abs=0.02)


def test_an_edge_counts_within_the_tolerance_only() -> None:
    truth = label_edges(circle(40))
    reach = 0.0075 * np.hypot(120, 120)  # 1.27 px
    assert edge_scores([(label_edges(circle(41)) * 1.0, truth)]).ods > 0.9
    assert edge_scores([(label_edges(circle(40 + 4 * reach)) * 1.0, truth)]).ods < 0.1


def test_half_of_the_edge_gives_half_of_the_recall() -> None:
    truth = np.zeros((100, 100), bool)
    truth[50, 10:90] = True
    half = truth.copy()
    half[:, 50:] = False
    assert edge_scores([(half * 1.0, truth)]).ods == pytest.approx(2 / 3, abs=0.01)  # precision 1, recall ½


def test_two_detections_of_one_edge_count_once() -> None:
    truth = np.zeros((200, 200), bool)
    truth[100, 20:180] = True
    both = np.zeros((200, 200))
    both[99, 20:180] = both[102, 20:180] = 1.0
    assert edge_scores([(both, truth)]).ods == pytest.approx(2 / 3, abs=0.03)  # precision ½, recall 1


def test_ods_uses_one_threshold_and_ois_one_per_image() -> None:
    truth = np.zeros((100, 100), bool)
    truth[30, 10:90] = True
    noise = np.zeros((100, 100))
    noise[70, 10:90] = 1.0
    strong, weak = truth * 0.9 + noise * 0.5, truth * 0.3 + noise * 0.1
    scores = edge_scores([(strong, truth), (weak, truth)])
    assert scores.ois == pytest.approx(1, abs=0.02)
    assert scores.ods == pytest.approx(4 / 5, abs=0.02)  # below 0.3: 160 true and 80 false lines


def test_edges_of_either_person_count_as_right() -> None:
    one, other = np.zeros((2, 100, 100), bool)
    one[30, 10:90] = other[70, 10:90] = True
    scores = edge_scores([(one * 1.0, [one, other])])
    assert scores.ods == pytest.approx(2 / 3, abs=0.01)  # precision 1, and half of the drawn edges found


def test_a_better_map_scores_better() -> None:
    rng = np.random.default_rng(0)
    truth = label_edges(circle(30))
    maps = [np.clip(truth * 0.6 + rng.normal(0, noise, truth.shape), 0, 1) for noise in (0.05, 0.2, 0.5)]
    scores = [edge_scores([(m, truth)]).average_precision for m in maps]
    assert scores[0] > scores[1] > scores[2]


def test_a_thick_ridge_is_thinned_to_its_middle() -> None:
    ys = np.arange(40)[:, None] + np.zeros((40, 40))
    ridge = np.exp(-(((ys - 20) / 3) ** 2))
    kept = suppress_non_maxima(ridge)
    np.testing.assert_array_equal(np.flatnonzero(kept[:, 20]), [20])


def test_planes_of_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="pixels"):
        edge_scores([(np.zeros((5, 5)), np.zeros((5, 6), bool))])
    with pytest.raises(ValueError, match="pixels"):
        edge_scores([(np.zeros((5, 5)), np.zeros((5, 5), bool), np.zeros((5, 6), bool))])
    with pytest.raises(ValueError, match="no true edges"):
        edge_scores([(np.zeros((5, 5)), [])])
    with pytest.raises(ValueError, match="no edge map"):
        edge_scores([])


def test_crops_tile_a_segment_without_empty_ones() -> None:
    edge = np.arange(70 * 50, dtype=np.uint16).reshape(70, 50).astype(np.uint8)
    inside = np.zeros(edge.shape, bool)
    inside[:, 20:] = True
    inside[64:] = False
    crops = edge_crops(edge, edge > 100, inside, size=32)
    assert [crop.shape for crop, _, _ in crops] == [(32, 32), (32, 18)] * 2
    for part, whole in enumerate((edge, edge > 100, inside)):
        joined = np.block([[crops[0][part], crops[1][part]], [crops[2][part], crops[3][part]]])
        np.testing.assert_array_equal(joined, whole[:64])
    assert all(crop is None for _, _, crop in edge_crops(edge, edge > 100))


def test_edges_outside_the_mask_do_not_count_and_its_border_adds_none() -> None:
    rng = np.random.default_rng(0)
    truth, inside = np.zeros((2, 100, 100), bool)
    truth[20:80, 30] = truth[20:80, 70] = True
    inside[:, :50] = True
    edge = np.where(inside, ndimage.gaussian_filter(truth * 2.0, 1), rng.random(truth.shape)) + 0.2 * (~inside)
    everywhere, within = edge_scores([(edge, truth)]), edge_scores([(edge, truth, inside)])
    assert within.ods > 0.98 > everywhere.ods
    bright = np.where(inside, edge, 1.0)  # a step at the border, and true edges behind it
    assert edge_scores([(bright, truth, inside)]).ods > 0.98


def test_the_tolerance_in_pixels_replaces_that_of_the_diagonal() -> None:
    truth = np.zeros((100, 100), bool)
    truth[50, 10:90] = True
    beside = [(np.roll(truth, 5, 0) * 1.0, truth)]
    assert edge_scores(beside).ods < 0.1 < 0.98 < edge_scores(beside, reach=5).ods


def test_an_outline_ends_at_unknown_pixels() -> None:
    mask, inside = circle(30), np.zeros((120, 120), bool)
    inside[:, :60] = True
    np.testing.assert_array_equal(label_edges(mask & inside, inside), label_edges(mask) & inside)


@pytest.mark.parametrize("wrong", [np.full((5, 5), np.nan), np.zeros((5, 5), np.uint16)], ids=["NaN", "uint16"])
def test_values_other_than_probabilities_are_refused(wrong: np.ndarray) -> None:
    truth = np.eye(5, dtype=bool)
    with pytest.raises(ValueError, match="NaN|uint16"):
        edge_scores([(wrong, truth)])
