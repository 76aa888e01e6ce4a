"""Strokes are split into units that lie apart, and units into folds."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from napari_ink.annotation import DRAFT, EdgeValue, LabelValue, ReviewState, create_project
from napari_ink.errors import LabelError
from napari_ink.region import Region
from napari_ink.stack import open_stack, stack_of_array
from napari_ink.training.teaching.corrections import (
    APART_PX,
    CELL_PX,
    Corrections,
    Unit,
    Units,
    check_teachable,
    folds,
    labels_digest,
    read_corrections,
)

HEIGHT, WIDTH = 203, 150
rectangles = st.tuples(
    st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1), st.integers(1, 40), st.integers(1, 40), st.integers(0, 3)
)


def painted(strokes, shape=(HEIGHT, WIDTH)):
    labels = np.zeros(shape, np.uint8)
    for y, x, height, width, value in strokes:
        labels[y : y + height, x : x + width] = value
    return labels


def cells_of(plane):
    """Return which cells of 8 pixels hold a true pixel, cell by cell."""
    height, width = (-(-length // CELL_PX) for length in plane.shape)
    found = np.zeros((height, width), bool)
    for row, column in np.ndindex(height, width):
        found[row, column] = plane[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8].any()
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(rectangles, max_size=8))
def test_units_partition_the_labelled_cells_and_lie_apart(strokes):
    labels = painted(strokes)
    units = Units(labels)
    labelled = (labels == 1) | (labels == 2)
    np.testing.assert_array_equal(units.plane >= 0, cells_of(labelled))
    assert [unit.number for unit in units.units] == list(range(units.plane.max(initial=-1) + 1))
    assert sum(unit.ink_px for unit in units.units) == (labels == 2).sum()
    assert sum(unit.papyrus_px for unit in units.units) == (labels == 1).sum()
    for unit in units.units:
        mine = units.mask([unit.number])
        assert (labels[mine] == 2).sum() == unit.ink_px
        region = unit.region
        assert not mine[: region.y0].any() and not mine[region.y1 :].any()
        assert not mine[:, : region.x0].any() and not mine[:, region.x1 :].any()
        others = (units.plane >= 0) & (units.plane != unit.number)
        if others.any():
            steps = cdist(np.argwhere(units.plane == unit.number), np.argwhere(others), "chebyshev").min()
            assert (steps - 1) * CELL_PX >= APART_PX


def test_strokes_nearer_than_24_pixels_are_one_unit():
    near, apart = painted([(8, 8, 8, 8, 2), (8, 32, 8, 8, 2)]), painted([(8, 8, 8, 8, 2), (8, 40, 8, 8, 2)])
    assert len(Units(near).units) == 1
    assert len(Units(apart).units) == 2


def test_reviewed_areas_are_cut_into_squares_of_256_pixels():
    labels = painted([(0, 0, 560, 530, 1), (600, 0, 600, 524, 2)], (1200, 600))
    units = Units(labels).units
    # Squares of one area are never joined with those of the other.
    assert all(not (unit.ink_px and unit.papyrus_px) for unit in units)
    assert all(unit.region.height <= 256 and unit.region.width <= 256 for unit in units)
    assert len([unit for unit in units if unit.ink_px]) == len([unit for unit in units if unit.papyrus_px]) == 9


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 20, 500]), st.sampled_from([0, 3, 40, 900])), max_size=30),
    st.integers(1, 6),
    st.integers(0, 9),
)
def test_folds_cover_all_units_and_are_balanced(sizes, count, seed):
    units = [Unit(number, Region(0, 8, 0, 8), ink, papyrus) for number, (ink, papyrus) in enumerate(sizes)]
    found = folds(units, count, seed)
    assert sorted(number for fold in found for number in fold) == list(range(len(units)))
    with_ink, with_papyrus = sum(ink > 0 for ink, _ in sizes), sum(papyrus > 0 for _, papyrus in sizes)
    assert len(found) == max(1, min(count, with_ink, with_papyrus))
    ink = [sum(sizes[number][0] for number in fold) for fold in found]
    assert max(ink) - min(ink) <= max((size for size, _ in sizes), default=0)
    if len(found) > 1:
        assert min(ink) > 0
    assert found == folds(units, count, seed)


def corrected(labels, edges=None):
    stack = stack_of_array(np.zeros((4, *labels.shape), np.uint8), "a")
    return Corrections(Path("a.ink"), stack, labels, np.zeros_like(labels) if edges is None else edges)


@pytest.mark.parametrize(("value", "missing"), [(1, "No ink"), (2, "No papyrus")])
def test_one_kind_alone_cannot_be_taught(value, missing):
    with pytest.raises(LabelError, match=missing):
        check_teachable([corrected(painted([(8, 8, 8, 8, value)]))])
    check_teachable([corrected(painted([(8, 8, 8, 8, 1)])), corrected(painted([(8, 8, 8, 8, 2)]))])


def test_digest_changes_with_each_label():
    labels = painted([(8, 8, 8, 8, 1)])
    edges = np.zeros_like(labels)
    first = labels_digest([corrected(labels, edges)])
    assert labels_digest([corrected(labels.copy(), edges.copy())]) == first
    edges[0, 0] = 1
    assert labels_digest([corrected(labels, edges)]) != first


def test_corrections_of_a_project_are_its_labels_and_reviewed_regions(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 300, 300), np.uint8))
    stack = open_stack(tmp_path / "a.npy")
    project = create_project(tmp_path / "a.ink", stack, "someone")
    project.annotation.apply([("ink", 10, 20, np.full((8, 8), 2, np.uint8))], "brush")
    project.annotation.apply([("edge", 5, 5, np.full((1, 1), 2, np.uint8))], "edge brush")
    project.annotation.apply([("review", 1, 1, np.full((1, 1), 2, np.uint8))], "mark reviewed")
    # It is read while the project is open for editing.
    found = read_corrections(tmp_path / "a.ink")
    project.close()
    expected = np.zeros((300, 300), np.uint8)
    expected[10:18, 20:28] = 2
    expected[256:, 256:] = 1
    np.testing.assert_array_equal(found.labels, expected)
    assert found.edges[5, 5] == 2 and found.edges.sum() == 2
    assert (found.ink_px, found.papyrus_px) == (64, 44 * 44)


def test_drafts_that_nobody_changed_teach_nothing(tmp_path):
    """Otherwise a model would learn its own mistakes from labels that were drafted from its prediction."""
    np.save(tmp_path / "a.npy", np.zeros((4, 300, 300), np.uint8))
    stack = open_stack(tmp_path / "a.npy")
    project = create_project(tmp_path / "a.ink", stack, "someone")
    drafted, edges = np.zeros((2, *stack.shape[1:]), np.uint8)
    drafted[10:40, 10:60], edges[10, 10:60] = LabelValue.INK, EdgeValue.EDGE
    drafted[270:280, 270:280] = LabelValue.INK  # in a region that is reviewed later
    project.annotation.apply([("ink", 0, 0, drafted), ("edge", 0, 0, edges)], DRAFT)
    corrected = np.full((5, 20), LabelValue.PAPYRUS, np.uint8)
    project.annotation.apply([("ink", 20, 20, corrected)], "brush")
    project.annotation.apply([("review", 1, 1, np.full((1, 1), ReviewState.REVIEWED, np.uint8))], "review")
    project.close()
    found = read_corrections(tmp_path / "a.ink")
    expected = np.zeros(stack.shape[1:], np.uint8)
    expected[20:25, 20:40] = LabelValue.PAPYRUS
    expected[256:, 256:] = LabelValue.PAPYRUS
    expected[270:280, 270:280] = LabelValue.INK
    np.testing.assert_array_equal(found.labels, expected)
    assert not found.edges.any()


def test_a_draft_that_was_undone_hides_no_strokes(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 300, 300), np.uint8))
    stack = open_stack(tmp_path / "a.npy")
    project = create_project(tmp_path / "a.ink", stack, "someone")
    ink = np.full((8, 8), LabelValue.INK, np.uint8)
    project.annotation.apply([("ink", 0, 0, ink)], DRAFT)
    project.annotation.undo()
    project.annotation.apply([("ink", 0, 0, ink)], "brush")
    project.close()
    assert read_corrections(tmp_path / "a.ink").ink_px == 64
