"""The livewire: anchors along the disc's edge, removed, moved, straight; closing makes ink and an edge."""

import numpy as np
import pytest

from napari_ink.gui.tools.base import Pointer
from napari_ink.gui.tools.livewire import LivewireTool
from tests.gui.tools.pointing import CENTRE, HEIGHT, RADIUS, WIDTH, annotated, click, on_circle, overlap


@pytest.fixture
def livewire(context) -> LivewireTool:
    return LivewireTool(context)


def _drawn(context) -> np.ndarray:
    data = context.preview.layer.data
    return np.concatenate([data[:, 0], data[:, 0] + data[:, 1]])


@pytest.mark.parametrize(("finish", "value"), [("Enter", 2), ("double click", 2), ("double click with Shift", 1)])
def test_four_clicks_follow_the_disc(livewire, context, annotation, disc, finish, value):
    for degrees in (0, 90, 180):
        click(livewire, on_circle(degrees))
    assert len(context.preview.layer.data) > 10
    assert annotated(annotation, "ink").max() == 0
    click(livewire, on_circle(270))
    if finish == "Enter":
        livewire.key("Enter")
    else:
        livewire.double_click(Pointer(*on_circle(270), shift="Shift" in finish))
    ink, edge = annotated(annotation, "ink"), annotated(annotation, "edge")
    assert set(np.unique(ink)) == {0, value}
    assert overlap(ink == value, disc) > 0.93
    polygon_of_the_same_clicks = 2 / np.pi
    assert overlap(ink == value, disc) > polygon_of_the_same_clicks + 0.2
    assert abs(np.hypot(*(np.argwhere(edge == 1) - CENTRE).T) - RADIUS).mean() < 1.5
    assert context.preview.is_empty
    assert annotation.undo_name == ("outline ink" if value == 2 else "outline papyrus")
    annotation.undo()
    assert annotated(annotation, "ink").max() == annotated(annotation, "edge").max() == 0


def test_control_draws_a_straight_line_through_the_middle(livewire, context):
    click(livewire, on_circle(0))
    click(livewire, on_circle(180), control=True)
    drawn = _drawn(context)
    across = drawn[np.abs(drawn[:, 1] - CENTRE[1]) < 30]
    assert np.abs(across[:, 0] - CENTRE[0]).max(initial=0) < 6
    assert np.abs(drawn[:, 1] - CENTRE[1]).max() <= RADIUS + 6  # it is drawn, from anchor to anchor


def test_a_right_click_removes_the_last_anchor(livewire):
    click(livewire, on_circle(0))
    click(livewire, on_circle(90))
    click(livewire, (20, 20), button="right")
    assert len(livewire._wire.anchors) == 1
    click(livewire, (20, 20), button="right")
    click(livewire, (20, 20), button="right")  # no anchor is left
    assert livewire._wire.anchors == []


def test_escape_discards_the_outline(livewire, context, annotation, messages):
    for degrees in (0, 90, 180):
        click(livewire, on_circle(degrees))
    livewire.key("Escape")
    assert context.preview.is_empty
    livewire.key("Enter")
    assert "at least three anchors" in messages[-1]
    assert annotated(annotation, "ink").max() == 0


def test_two_anchors_enclose_nothing(livewire, annotation, messages):
    click(livewire, on_circle(0))
    click(livewire, on_circle(90))
    assert messages == []
    livewire.key("Enter")
    assert "at least three anchors" in messages[-1]
    assert annotated(annotation, "ink").max() == 0
    assert len(livewire._wire.anchors) == 2  # the outline is unchanged


def test_an_anchor_moved_outside_the_segment_stays_on_its_border(livewire, annotation, disc):
    for place in ((140, 200), (20, 20), (20, 200)):
        click(livewire, place)
    click(livewire, livewire._wire.anchors[0])
    click(livewire, (HEIGHT + 500, WIDTH + 500))
    y, x = livewire._wire.anchors[0]
    assert HEIGHT - 20 < y < HEIGHT and WIDTH - 20 < x < WIDTH


def test_an_anchor_snaps_to_the_edge_and_can_be_moved(livewire, annotation, disc):
    def off_the_edge(anchor) -> float:
        return abs(np.hypot(anchor[0] - CENTRE[0], anchor[1] - CENTRE[1]) - RADIUS)

    click(livewire, on_circle(0, RADIUS + 3))
    anchors = livewire._wire.anchors
    assert off_the_edge(anchors[0]) <= 2
    for place in ((140, 200), on_circle(120), on_circle(240)):
        click(livewire, place)
    click(livewire, anchors[1])
    assert len(anchors) == 4  # an anchor is moved, not added
    click(livewire, on_circle(60, RADIUS + 3))
    assert off_the_edge(livewire._wire.anchors[1]) <= 2
    livewire.key("Enter")
    assert overlap(annotated(annotation, "ink") == 2, disc) > 0.93


def test_a_click_outside_the_segment_sets_no_anchor(livewire):
    click(livewire, (-5, 50))
    click(livewire, (50, 500))
    assert livewire._wire.anchors == []


def test_the_livewire_prefers_a_predicted_edge_to_the_picture(livewire, layers, annotation):
    plane = np.zeros((160, 220), np.uint8)
    plane[20:141, (150, 200)] = plane[(20, 140), 150:201] = 255  # a rectangle that is not in the picture
    layers.overlay = _Overlay(plane)
    for place in ((20, 150), (20, 200), (140, 200), (140, 150)):
        click(livewire, place)
    livewire.key("Enter")
    inside = np.zeros_like(plane, bool)
    inside[20:141, 150:201] = True
    assert overlap(annotated(annotation, "ink") == 2, inside) > 0.95
    layers.viewport.image.assert_not_called()


class _Overlay:
    """A prediction of edges."""

    def __init__(self, edges: np.ndarray) -> None:
        self._edges = edges

    def probabilities(self, what: str) -> np.ndarray:
        return self._edges if what == "edge" else np.zeros_like(self._edges)

    def level(self, _what: str) -> int:
        return 128
