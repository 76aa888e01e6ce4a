"""Actions on all visible edges together."""

import numpy as np
import pytest

from napari_ink.gui.tools import (
    bridge_visible_gaps,
    edges_from_visible_ink,
    ink_from_visible_edges,
    remove_visible_specks,
)
from napari_ink.region import Region
from tests.gui.tools.pointing import HEIGHT, WIDTH, annotated, draw

ALL = (bridge_visible_gaps, edges_from_visible_ink, ink_from_visible_edges, remove_visible_specks)
SQUARE = ((20, 20), (20, 60), (60, 60), (60, 20), (20, 20))


def test_closed_edges_become_ink_and_ink_becomes_edges(context, annotation, held_jobs):
    draw(annotation, "edge", *SQUARE)
    ink_from_visible_edges(context)
    held_jobs.work()
    ink, edges = annotated(annotation, "ink"), annotated(annotation, "edge")
    assert (ink[20:61, 20:61] == 2).all()
    assert (ink == 2).sum() == 41 * 41
    annotation.apply([("edge", 0, 0, np.zeros((HEIGHT, WIDTH), np.uint8))], "erase edge")
    edges_from_visible_ink(context)
    held_jobs.work()
    assert np.array_equal(annotated(annotation, "edge"), edges)
    assert [one.tool for one in annotation.history()][-1] == "ink to edges"
    annotation.undo()
    assert annotated(annotation, "edge").max() == 0


def test_reviewed_pixels_stay(context, annotation, held_jobs):
    draw(annotation, "edge", *SQUARE)
    annotation.apply([("ink", 30, 30, np.ones((5, 5), np.uint8))], "papyrus")
    ink_from_visible_edges(context)
    held_jobs.work()
    assert (annotated(annotation, "ink")[30:35, 30:35] == 1).all()
    values = annotated(annotation, "edge")
    values[20, 25:30] = 2
    annotation.apply([("edge", 0, 0, values)], "not edge")
    edges_from_visible_ink(context)
    held_jobs.work()
    assert (annotated(annotation, "edge")[20, 25:30] == 2).all()


def test_specks_are_removed_and_gaps_closed_in_the_visible_part(context, annotation, held_jobs):
    lines = np.zeros((HEIGHT, WIDTH), np.uint8)
    lines[20, 20:60] = lines[20, 66:120] = 1  # a gap of six pixels
    lines[50, 30:36] = 1  # a speck
    lines[60, 30:100], lines[60, 60:64] = 1, 2  # a gap that was marked as no edge
    annotation.apply([("edge", 0, 0, lines)], "edge")
    remove_visible_specks(context)
    held_jobs.work()
    edge = annotated(annotation, "edge")
    assert not edge[50].any()
    assert np.array_equal(edge[[20, 60]], lines[[20, 60]])
    bridge_visible_gaps(context)
    held_jobs.work()
    edge = annotated(annotation, "edge")
    assert (edge[20, 20:120] == 1).all()
    assert np.array_equal(edge[60], lines[60])
    annotation.undo()
    annotation.undo()
    assert np.array_equal(annotated(annotation, "edge"), lines)


def test_a_line_that_leaves_the_view_is_not_a_speck(context, annotation, layers, held_jobs, messages):
    draw(annotation, "edge", (50, 80), (50, 200))
    layers.viewport.visible_region.return_value = Region(0, HEIGHT, 0, 86)  # six of its pixels are visible
    remove_visible_specks(context)
    held_jobs.work()
    assert (annotated(annotation, "edge")[50, 80:201] == 1).all()
    assert "No edge line" in messages[-1]


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (bridge_visible_gaps, "No two line ends"),
        (edges_from_visible_ink, "no ink to outline"),
        (ink_from_visible_edges, "is closed"),
        (remove_visible_specks, "No edge line"),
    ],
)
def test_a_view_without_anything_to_do_is_reported(context, annotation, held_jobs, messages, do, message):
    do(context)
    held_jobs.work()
    assert message in messages[0]
    assert not annotation.can_undo


@pytest.mark.parametrize("do", ALL)
@pytest.mark.parametrize("view", [None, Region(0, 5000, 0, 100)])
def test_a_view_that_is_too_large_asks_to_zoom_in(context, layers, held_jobs, messages, do, view):
    layers.viewport.visible_region.return_value = view
    do(context)
    assert "Zoom in" in messages[0]
    assert held_jobs.names() == []


def test_strokes_drawn_meanwhile_stay(context, annotation, held_jobs):
    draw(annotation, "edge", *SQUARE)
    ink_from_visible_edges(context)
    annotation.apply([("ink", 40, 40, np.ones((3, 3), np.uint8))], "papyrus")
    held_jobs.work()
    ink = annotated(annotation, "ink")
    assert (ink[40:43, 40:43] == 1).all()
    assert ink[30, 30] == 2
