"""Fill and grow: a region that edges enclose, or one grown from a stroke."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_ink.gui.tools.base import Pointer
from napari_ink.gui.tools.fill_grow import FillTool, GrowTool
from tests.gui.tools.pointing import HEIGHT, WIDTH, annotated, click, drag, draw, overlap

SQUARE = ((20, 20), (20, 60), (60, 60), (60, 20))


@pytest.fixture
def fill(context) -> FillTool:
    return FillTool(context)


@pytest.fixture
def grow(context) -> GrowTool:
    return GrowTool(context)


def test_a_closed_outline_is_filled_and_an_open_one_is_not(fill, annotation, messages, held_jobs):
    draw(annotation, "edge", *SQUARE)
    click(fill, (40, 40))
    held_jobs.work()
    assert annotated(annotation, "ink").max() == 0
    assert "not closed" in messages[-1]
    draw(annotation, "edge", SQUARE[-1], SQUARE[0])
    click(fill, (40, 40))
    assert held_jobs.names() == []  # a small region is filled immediately
    ink = annotated(annotation, "ink")
    assert (ink[20:61, 20:61] == 2).all()  # including the drawn edge around it
    assert (ink == 2).sum() == 41 * 41
    assert annotation.undo_name == "fill"


def test_shift_fills_with_papyrus(fill, annotation):
    draw(annotation, "edge", *SQUARE, SQUARE[0])
    click(fill, (40, 40), shift=True)
    assert set(np.unique(annotated(annotation, "ink"))) == {0, 1}


def test_pixels_with_another_label_are_a_border(fill, annotation):
    draw(annotation, "edge", *SQUARE, SQUARE[0])
    annotation.apply([("ink", 30, 21, np.ones((1, 39), np.uint8))], "papyrus")
    click(fill, (40, 40))
    ink = annotated(annotation, "ink")
    assert (ink[31:60, 21:60] == 2).all()
    assert (ink[30, 21:60] == 1).all()
    assert ink[21:30, 21:60].max() == 0


def test_a_region_is_closed_by_predicted_edges(fill, annotation, layers, messages, held_jobs):
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    plane[20:61, 20] = 255
    draw(annotation, "edge", *SQUARE)
    layers.overlay = SimpleNamespace(probabilities=lambda _: plane, level=lambda _: 128)
    click(fill, (40, 40))
    held_jobs.work()
    assert (annotated(annotation, "ink")[21:60, 21:60] == 2).all()
    assert messages == []


def test_a_large_region_is_filled_on_a_thread(fill, annotation, held_jobs, monkeypatch):
    monkeypatch.setattr("napari_ink.gui.tools.fill_grow._NEAR_PX", 30)
    draw(annotation, "edge", (10, 10), (10, 210), (150, 210), (150, 10), (10, 10))
    click(fill, (80, 100))
    assert not (annotated(annotation, "ink") == 2).any()
    held_jobs.work()
    assert (annotated(annotation, "ink") == 2).sum() == 141 * 201


def test_a_click_outside_the_segment_fills_nothing(fill, annotation, messages, held_jobs):
    click(fill, (-10, 20))
    assert held_jobs.names() == []
    assert messages == []
    assert not annotation.can_undo


def test_a_stroke_grows_to_the_edges(grow, context, annotation, disc, held_jobs):
    drag(grow, (80, 85), (80, 100), (85, 115))
    assert context.preview.is_empty
    held_jobs.work()
    assert overlap(annotated(annotation, "ink") == 2, disc) > 0.85
    assert annotation.undo_name == "grow"


def test_growing_stops_at_papyrus(grow, annotation, held_jobs):
    annotation.apply([("ink", 0, 95, np.ones((HEIGHT, 3), np.uint8))], "papyrus")
    drag(grow, (70, 105), (80, 120), (90, 105))
    held_jobs.work()
    ink = annotated(annotation, "ink")
    assert (ink[:, 95:98] == 1).all()
    assert not (ink[:, :95] == 2).any()
    assert (ink[:, 98:] == 2).sum() > 1000


def test_growing_to_the_border_of_the_box_is_reported(grow, annotation, messages, held_jobs):
    drag(grow, (80, 85), (80, 115))
    held_jobs.work()
    assert messages == []
    drag(grow, (5, 150), (0, 150))  # to the border of the segment
    held_jobs.work()
    assert "grew as far as it may reach" in messages[-1]
    assert annotated(annotation, "ink")[0, 150] == 2  # the found pixels are kept


def test_escape_and_another_tool_discard_the_stroke(grow, context, annotation, held_jobs):
    grow.press(Pointer(80, 85))
    grow.move(Pointer(80, 100), pressed=True)
    assert not context.preview.is_empty
    grow.drop()
    assert context.preview.is_empty
    grow.release(Pointer(80, 100))
    assert held_jobs.names() == []
    assert not annotation.can_undo
