"""The box of Find similar: visible during a drag, delivered on release, clipped to the segment."""

import pytest

from napari_ink.gui.tools.base import Pointer
from napari_ink.gui.tools.box import BoxTool
from napari_ink.region import Region
from tests.gui.tools.pointing import HEIGHT, WIDTH, drag


@pytest.fixture
def box(context) -> BoxTool:
    return BoxTool(context)


@pytest.fixture
def drawn(box) -> list[Region]:
    """The delivered boxes."""
    boxes: list[Region] = []
    box.box_drawn.connect(boxes.append)
    return boxes


@pytest.mark.parametrize("places", [((20, 30), (40, 70)), ((40, 70), (20, 30)), ((20, 70), (30, 50), (40, 30))])
def test_the_box_includes_both_corners_in_any_order(box, drawn, context, places):
    drag(box, *places)
    assert drawn == [Region(20, 41, 30, 71)]
    assert context.preview.is_empty


def test_the_box_is_visible_during_a_drag(box, context):
    box.press(Pointer(20, 30))
    box.move(Pointer(40, 70), pressed=True)
    data = context.preview.layer.data
    assert data[:, 0].min(axis=0).tolist() == [19.5, 29.5]
    assert data[:, 0].max(axis=0).tolist() == [40.5, 70.5]


def test_the_box_is_clipped_to_the_segment(box, drawn):
    drag(box, (-20, -30), (HEIGHT + 50, WIDTH + 60))
    assert drawn == [Region(0, HEIGHT, 0, WIDTH)]


def test_a_click_a_line_and_a_box_outside_the_segment_are_ignored(box, drawn):
    drag(box, (20, 30))
    drag(box, (20, 30), (20, 70))
    drag(box, (-20, -30), (-5, -6))
    assert drawn == []


@pytest.mark.parametrize("key", ["Escape", "Enter"])
def test_keys_cancel_the_box(box, drawn, context, key):
    box.press(Pointer(20, 30))
    box.move(Pointer(40, 70), pressed=True)
    box.key(key)
    assert context.preview.is_empty
    box.release(Pointer(40, 70))
    assert drawn == []


def test_escape_without_a_box_gives_the_tool_up(box):
    given_up = []
    box.given_up.connect(lambda: given_up.append(True))
    box.press(Pointer(20, 30))
    box.key("Escape")
    assert given_up == []
    box.key("Enter")
    assert given_up == []
    box.key("Escape")
    assert given_up == [True]
