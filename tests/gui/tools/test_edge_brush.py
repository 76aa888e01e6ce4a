"""The edge brush: it paints up to edges, drawn or predicted, and one stroke is one undo step."""

from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from napari_ink.gui.layers.label_layers import LabelLayers
from napari_ink.gui.tools.edge_brush import EdgeBrushTool
from napari_ink.region import Region
from tests.gui.tools.pointing import HEIGHT, WIDTH, annotated, drag, draw


@pytest.fixture
def brush(context, layers, qapp) -> EdgeBrushTool:
    values = {what: np.zeros((HEIGHT, WIDTH), np.uint8) for what in ("ink", "edge")}
    layers.editable = LabelLayers(Region(0, HEIGHT, 0, WIDTH), values)
    layers.editable.layers["ink"].brush_size = 30
    return EdgeBrushTool(context)


def test_the_brush_stops_at_a_drawn_edge(brush, annotation, layers):
    draw(annotation, "edge", (5, 110), (155, 110))
    drag(brush, (60, 102), (70, 102), (90, 102))
    painted = np.argwhere(annotated(annotation, "ink") == 2)
    assert painted[:, 1].max() < 110
    assert painted[:, 1].max() >= 108
    assert painted[:, 1].min() <= 90
    assert annotation.undo_name == "edge brush"
    assert np.array_equal(layers.editable.values("ink"), annotated(annotation, "ink"))  # the layer equals the store
    annotation.undo()
    assert annotated(annotation, "ink").max() == 0


def test_the_brush_stops_at_a_predicted_edge(brush, annotation, layers):
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    plane[:, 110] = 255
    layers.overlay = SimpleNamespace(probabilities=lambda _: plane, level=lambda _: 128)
    drag(brush, (60, 102), (90, 102))
    assert np.argwhere(annotated(annotation, "ink") == 2)[:, 1].max() < 110
    layers.overlay.level = lambda _: 256  # an edge below the threshold does not stop the brush
    drag(brush, (60, 102), (90, 102))
    assert np.argwhere(annotated(annotation, "ink") == 2)[:, 1].max() > 112


def test_shift_paints_papyrus(brush, annotation):
    drag(brush, (60, 130), shift=True)
    ink = annotated(annotation, "ink")
    assert ink[60, 130] == 1
    assert set(np.unique(ink)) == {0, 1}
    assert abs((ink == 1).sum() - np.pi * 15**2) < 60  # one disc of the brush


def test_a_long_stroke_is_complete_although_the_barrier_is_read_in_parts(brush, annotation, context, layers):
    layers.editable.layers["ink"].brush_size = 4
    read = context.labels
    context.labels = Mock(side_effect=read)
    drag(brush, (10, 5), (10, 100), (10, 214), (150, 214))
    ink = annotated(annotation, "ink")
    assert (ink[10, 5:215] == 2).all()
    assert (ink[10:151, 214] == 2).all()
    assert sum(call.args[0] == "edge" for call in context.labels.call_args_list) > 1
    assert len(annotation.history()) == 1


def test_nothing_is_painted_outside_the_segment(brush, annotation):
    drag(brush, (-20, 50), (-30, 60))
    assert not annotation.can_undo


@pytest.mark.parametrize("start", [(-2, 50), (-20, 50), (-400, 50)])
def test_a_stroke_that_enters_the_segment_starts_at_its_border(brush, annotation, layers, start):
    layers.editable.layers["ink"].brush_size = 2
    drag(brush, start, (30, 50))
    ink = annotated(annotation, "ink")
    assert (ink[:31, 50] == 2).all()
    assert ink[33:].max() == 0
    assert ink[:, :48].max() == ink[:, 53:].max() == 0


def test_a_stroke_that_leaves_the_segment_reenters_at_the_mouse(brush, annotation, layers):
    layers.editable.layers["ink"].brush_size = 2
    drag(brush, (30, 20), (-20, 20), (-20, 200), (30, 200))
    ink = annotated(annotation, "ink")
    assert (ink[:31, 200] == 2).all()
    assert ink[:, 25:195].max() == 0  # no straight line between the two positions on the segment
    assert len(annotation.history()) == 1


def test_a_quick_stroke_from_outside_to_the_far_end_is_complete(brush, annotation, layers):
    layers.editable.layers["ink"].brush_size = 2
    drag(brush, (10, -10), (10, 210))  # longer than the part of the barrier read around the mouse
    assert (annotated(annotation, "ink")[10, :211] == 2).all()
