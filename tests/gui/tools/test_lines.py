"""Edge lines: one is removed by a click, a gap is bridged by a drag."""

import numpy as np
import pytest
from scipy import ndimage

from napari_ink.gui.tools.base import Pointer
from napari_ink.gui.tools.lines import EraseFragmentTool, JoinTool
from tests.gui.tools.pointing import annotated, click, drag, draw


@pytest.fixture
def join(context) -> JoinTool:
    return JoinTool(context)


def _lines(annotation) -> int:
    return ndimage.label(annotated(annotation, "edge") == 1, np.ones((3, 3)))[1]


def test_an_edge_line_is_removed_by_a_click(context, annotation, messages):
    erase = EraseFragmentTool(context)
    draw(annotation, "edge", (20, 20), (20, 60))
    draw(annotation, "edge", (50, 20), (50, 60))
    click(erase, (100, 150))
    assert "no edge line" in messages[-1]
    assert _lines(annotation) == 2
    click(erase, (22, 40))
    edge = annotated(annotation, "edge")
    assert not edge[:40].any()
    assert (edge[50, 20:61] == 1).all()
    assert annotation.undo_name == "erase fragment"


def test_a_gap_is_bridged_from_end_to_end(join, context, annotation):
    draw(annotation, "edge", (20, 20), (20, 60))
    draw(annotation, "edge", (20, 80), (20, 120))
    assert _lines(annotation) == 2
    drag(join, (22, 58), (22, 70), (18, 82))
    assert _lines(annotation) == 1
    assert annotation.undo_name == "join"
    assert context.preview.is_empty


def test_control_bridges_with_a_straight_line(join, annotation, layers):
    layers.viewport.image.side_effect = lambda part: np.random.default_rng(0).normal(0, 1, part.shape)
    draw(annotation, "edge", (20, 20), (20, 60))
    draw(annotation, "edge", (20, 80), (20, 120))
    drag(join, (20, 60), (20, 80), control=True)
    assert (annotated(annotation, "edge")[20, 20:121] == 1).all()
    assert (annotated(annotation, "edge") == 1).sum() == 101


def test_escape_keeps_the_gap(join, context, annotation):
    draw(annotation, "edge", (20, 20), (20, 60))
    join.press(Pointer(20, 60))
    join.move(Pointer(30, 80), pressed=True)
    assert not context.preview.is_empty
    join.key("Escape")
    assert context.preview.is_empty
    join.release(Pointer(30, 80))
    assert (annotated(annotation, "edge") == 1).sum() == 41


def test_a_bridge_from_outside_the_segment_or_without_length_is_ignored(join, annotation):
    drag(join, (-10, 20), (20, 20))
    drag(join, (20, 20))
    assert not annotation.can_undo
