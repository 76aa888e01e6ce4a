"""The edge tools as plain functions, against brute force and other libraries."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from skimage.segmentation import flood

from napari_ink.annotation import (
    EdgeValue,
    LabelValue,
    Livewire,
    barrier_of,
    cost_of_image,
    cost_of_probability,
    edges_from_ink,
    enclosed,
    fragment_at,
    gaps,
    grow,
    ink_from_edges,
    nearest_end,
    reach,
    region_inside,
    short_fragments,
    snap,
    straight_path,
)
from napari_ink.errors import LabelError


def _disc(shape=(120, 140), centre=(60, 70), radius=35) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def _wire(cost: np.ndarray) -> Livewire:
    """A livewire over a cost of full resolution; coarser levels use the cheapest pixel of each square."""

    def read(y0: int, y1: int, x0: int, x1: int, step: int) -> np.ndarray:
        part = cost[y0:y1, x0:x1]
        padded = np.pad(part, ((0, -part.shape[0] % step), (0, -part.shape[1] % step)), mode="edge")
        return padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step).min(axis=(1, 3))

    return Livewire(cost.shape, read)


def _price(cost: np.ndarray, path: np.ndarray) -> float:
    steps = np.hypot(*np.diff(path, axis=0).T)
    values = cost[tuple(path.T)]
    return float((steps * (values[:-1] + values[1:]) / 2).sum())


def _cheapest(cost: np.ndarray, start: tuple[int, int], end: tuple[int, int]) -> float:
    """The cost of the cheapest path by SciPy's Dijkstra over all eight neighbours."""
    height, width = cost.shape
    number = np.arange(cost.size).reshape(cost.shape)
    rows, columns, prices = [], [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = (slice(0, height - dy), slice(max(-dx, 0), width - max(dx, 0)))
        b = (slice(dy, height), slice(max(dx, 0), width - max(-dx, 0)))
        rows.append(number[a].ravel())
        columns.append(number[b].ravel())
        prices.append(np.hypot(dy, dx) * ((cost[a] + cost[b]) / 2).ravel())
    graph = coo_array(
        (np.concatenate(prices), (np.concatenate(rows), np.concatenate(columns))), shape=(cost.size, cost.size)
    )
    return float(dijkstra(graph.tocsr(), directed=False, indices=number[start])[number[end]])


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(2, 40),
    width=st.integers(2, 40),
    ends=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_the_livewire_finds_the_cheapest_path(seed, height, width, ends):
    cost = np.random.default_rng(seed).random((height, width)).astype(np.float32) + np.float32(0.03)
    start, end = ((round(ends[n] * (height - 1)), round(ends[n + 1] * (width - 1))) for n in (0, 2))
    wire = _wire(cost)
    wire.add(*start)
    path = wire.path_to(*end)
    assert tuple(path[0]) == start
    assert tuple(path[-1]) == end
    assert (np.abs(np.diff(path, axis=0)) <= 1).all()
    assert _price(cost, path) == pytest.approx(_cheapest(cost, start, end), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("distance", [100, 200, 450])
def test_long_paths_follow_an_edge_too(distance):
    cost = np.ones((1200, 1200), np.float32)
    cost[600, :] = 0.03
    cost[600 : 600 + 40, 700] = 0.03
    wire = _wire(cost)
    wire.add(600, 300)
    path = wire.path_to(600, 300 + distance)
    assert tuple(path[-1]) == (600, 300 + distance)
    assert np.abs(path[:, 0] - 600).max() <= 4  # half a square of the coarsest level


def test_the_path_is_straight_beyond_the_search_range():
    wire = _wire(np.ones((10, 3000), np.float32))
    wire.add(5, 0)
    path = wire.path_to(5, 2500)
    assert len(path) == 2501


def test_anchors_are_added_removed_and_moved():
    wire = _wire(cost_of_image(_disc() * 100.0))
    assert len(wire.path_to(5, 5)) == 0
    for point in ((60, 35), (25, 70), (60, 105)):
        wire.add(*point)
    whole = wire.contour()
    wire.add(95, 70)
    wire.remove_last()
    assert np.array_equal(wire.contour(), whole)
    wire.move(1, 95, 70)
    assert (95, 70) in [tuple(point) for point in wire.contour().tolist()]
    assert wire.contour()[:, 0].min() > 40  # the contour passes below now
    wire.clear()
    assert wire.anchors == []
    assert len(wire.contour()) == 0


def test_points_outside_move_to_the_border():
    wire = _wire(np.ones((20, 30), np.float32))
    wire.add(-5, 100)
    assert wire.anchors == [(0, 29)]


def test_a_closed_outline_encloses_the_disc():
    disc = _disc()
    wire = _wire(cost_of_image(disc * 100.0))
    for point in ((60, 35), (25, 70), (60, 105), (95, 70)):
        wire.add(*point)
    y, x, inside = region_inside(wire.contour(closed=True))
    found = np.zeros_like(disc)
    found[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    assert (found & disc).sum() / (found | disc).sum() > 0.95


@given(st.tuples(*[st.integers(0, 60)] * 4))
def test_a_straight_path_has_no_gaps(ends):
    path = straight_path(ends[:2], ends[2:])
    assert tuple(path[0]) == ends[:2]
    assert tuple(path[-1]) == ends[2:]
    assert (np.abs(np.diff(path, axis=0)).max(initial=0)) <= 1


def test_costs_are_low_on_edges_and_coarser_levels_keep_thin_edges():
    edge = np.zeros((64, 64), np.uint8)
    edge[31] = 255
    assert cost_of_probability(edge)[31].max() < 0.05
    assert cost_of_probability(edge)[10].min() > 1
    assert cost_of_probability(edge, 4)[7].max() < 0.05
    assert cost_of_probability(edge, 4).shape == (16, 16)
    grey = cost_of_image(_disc() * 1000.0)
    assert grey[60, 35] < 0.1
    assert grey[60, 70] > 0.9


def test_a_point_snaps_to_the_nearest_edge_within_reach():
    edge = np.zeros((40, 40), np.uint8)
    edge[20], edge[:, 3] = 255, 255
    cost = cost_of_probability(edge)
    assert snap(115, 220, cost, (100, 200), 8) == (120, 220)
    assert snap(115, 220, cost, (100, 200), 3)[0] <= 118  # the edge is too far away
    assert snap(101, 215, cost, (100, 200), 4) == (101, 215)


@settings(deadline=None)
@given(
    seed=st.integers(0, 9999),
    radius=st.integers(1, 20),
    y=st.integers(0, 39),
    x=st.integers(0, 39),
    share=st.floats(0, 0.5),
)
def test_the_edge_brush_paints_the_pixels_that_a_flood_fill_in_its_disc_reaches(seed, radius, y, x, share):
    barrier = np.random.default_rng(seed).random((40, 40)) < share
    rows, columns = np.ogrid[:40, :40]
    free = ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2) & ~barrier
    expected = flood(free.astype(np.uint8), (y, x), connectivity=1) if free[y, x] else np.zeros_like(free)
    assert np.array_equal(reach(barrier, y, x, radius), expected)


def test_a_diagonal_edge_stops_the_brush():
    painted = reach(np.eye(41, dtype=bool), 10, 30, 15)
    assert painted.any()
    assert not np.tril(painted).any()


def test_drawn_and_predicted_edges_stop_the_brush_but_pixels_marked_as_no_edge_do_not():
    labels, probability = np.zeros((30, 30), np.uint8), np.zeros((30, 30), np.uint8)
    probability[8:13] = 200
    labels[20] = EdgeValue.EDGE
    barrier = barrier_of(labels, probability, 0.5)
    assert barrier[20].all()
    assert barrier[10, 5:25].all()
    assert barrier[8:13].sum() <= 40  # thinned to its middle
    labels[8:13] = EdgeValue.NOT_EDGE
    assert not barrier_of(labels, probability, 0.5)[:15].any()
    assert np.array_equal(barrier_of(labels, None, 0.5), labels == EdgeValue.EDGE)
    assert not barrier_of(np.zeros_like(labels), probability, 0.9).any()


def test_a_fragment_is_only_the_line_near_the_click():
    edges = np.zeros((60, 60), np.uint8)
    edges[10, 5:30], edges[40, 5:55] = EdgeValue.EDGE, EdgeValue.EDGE
    edges[10, 40:50] = EdgeValue.NOT_EDGE
    assert fragment_at(edges, 12, 20).sum() == 25
    assert fragment_at(edges, 25, 20).sum() == 0
    assert fragment_at(edges, 10, 45).sum() == 0
    assert np.array_equal(short_fragments(edges, 30), fragment_at(edges, 10, 10))
    assert not short_fragments(edges, 25).any()


def test_gaps_are_between_nearby_ends():
    edges = np.zeros((60, 90), np.uint8)
    edges[10, 5:30], edges[10, 36:60], edges[40, 5:40] = 1, 1, 1
    assert gaps(edges, 10) == [((10, 29), (10, 36))]
    assert gaps(edges, 4) == []
    assert nearest_end(edges, 12, 34) == (10, 36)
    assert nearest_end(edges, 25, 70) == (25, 70)
    ring = np.zeros((60, 60), np.uint8)
    ring[edges_from_ink(_disc((60, 60), (30, 30), 20) * np.uint8(2))] = 1
    ring[30, 45:] = 0
    ring[29:33, 45:] = 0
    assert len(gaps(ring, 8)) == 1


def test_a_stroke_grows_to_the_edge_and_reports_a_missing_edge():
    disc = _disc()
    cost = cost_of_image(ndimage.gaussian_filter(disc * 100.0, 1))
    ink = np.zeros_like(disc)
    ink[60, 60:80] = True
    grown, at_border = grow(cost, ink, np.zeros_like(disc))
    assert (grown & disc).sum() / (grown | disc).sum() > 0.97
    assert not at_border
    papyrus = np.zeros_like(disc)
    papyrus[:, 90:] = True
    assert not grow(cost, ink, papyrus)[0][:, 90:].any()


@pytest.mark.parametrize("hole", [False, True])
def test_enclosed_regions_are_filled_and_open_ones_refused(hole):
    barrier = np.zeros((50, 50), bool)
    barrier[10, 10:40] = barrier[39, 10:40] = barrier[10:40, 10] = barrier[10:40, 39] = True
    if hole:
        barrier[10, 20] = False
        with pytest.raises(LabelError, match="not closed"):
            enclosed(barrier, 25, 25)
    else:
        region = enclosed(barrier, 25, 25)
        assert region.sum() == 28 * 28
        with pytest.raises(LabelError, match="inside the region"):
            enclosed(barrier, 10, 15)


def _are_apart(mask: np.ndarray) -> bool:
    """Return whether all pieces are more than four pixels apart."""
    labels, _ = ndimage.label(mask)
    highest = ndimage.maximum_filter(labels, 9)
    lowest = ndimage.minimum_filter(np.where(labels > 0, labels, labels.max() + 1), 9)
    return not ((highest > 0) & (lowest < highest)).any()


def _spread_out(mask: np.ndarray) -> np.ndarray:
    """Return the pieces of a mask, the largest first, without those within eight pixels of one before."""
    labels, count = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
    kept = np.zeros_like(mask)
    for number in 1 + np.argsort(-sizes):
        if not (ndimage.maximum_filter(kept, 17) & (labels == number)).any():
            kept |= labels == number
    return kept


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 100_000), cut=st.floats(0.4, 0.6))
def test_ink_converts_to_edges_and_back_to_the_same_ink(seed, cut):
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).random((80, 90)), 5)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    inside = np.zeros((100, 110), bool)
    inside[10:90, 10:100] = smooth > cut
    # Thinner strokes have no inside, and holes that nearly touch have no line between them.
    inside = ~_spread_out(~_spread_out(ndimage.binary_opening(inside, np.ones((3, 3)))))
    assume(np.array_equal(ndimage.binary_opening(inside, np.ones((3, 3))), inside))
    assume(_are_apart(inside) and _are_apart(~inside))
    edges = np.where(edges_from_ink(np.where(inside, LabelValue.INK, 0).astype(np.uint8)), EdgeValue.EDGE, 0)
    assert np.array_equal(ink_from_edges(edges.astype(np.uint8)), inside)


def test_outlines_are_one_pixel_wide_and_end_at_the_border_of_the_array():
    ink = np.zeros((30, 30), np.uint8)
    ink[:20, :20] = LabelValue.INK
    edges = edges_from_ink(ink)
    assert edges.sum() == 39
    assert not edges[0, :19].any()
    assert not ink_from_edges(np.where(edges, 1, 0).astype(np.uint8)).any()  # open at the border
