"""Corrections are the labels of a person, without drafts that nobody changed."""

from pathlib import Path

import numpy as np
import pytest

from napari_ink.annotation import DRAFT, EdgeValue, LabelValue, ReviewState, create_project
from napari_ink.errors import LabelError
from napari_ink.stack import open_stack, stack_of_array
from napari_ink.training.teaching.corrections import Corrections, check_teachable, labels_digest, read_corrections

HEIGHT, WIDTH = 203, 150


def painted(strokes, shape=(HEIGHT, WIDTH)):
    labels = np.zeros(shape, np.uint8)
    for y, x, height, width, value in strokes:
        labels[y : y + height, x : x + width] = value
    return labels


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
    project.annotation.flush()
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
