"""Live mode without a window: the visible region is predicted after each stroke, in a layer of its own."""

import numpy as np
import pytest

from napari_ink.gui.jobs.teaching import LIVE_SIDE_PX, live_area
from napari_ink.gui.layers.viewport import camera_of
from napari_ink.region import Region
from napari_ink.training.teaching.blocks import BLOCK_PX
from tests.gui.controllers.conftest import make_editable
from tests.gui.lessons import SHAPE, save_lesson, strokes, truth
from tests.gui.windowless import take_turns


@pytest.fixture
def live(session, held_jobs, tmp_path, checkpoint):
    """The session with the live mode on, and labels that are still empty."""
    session.model_name = str(checkpoint)
    session.open_stack(save_lesson(tmp_path))
    held_jobs.work()
    make_editable(session, held_jobs)
    session.live.switch(True)
    held_jobs.work()
    take_turns()
    return session


def _layer(session):
    return session._layers.auxiliary("live")


def _answer(session, held_jobs) -> np.ndarray:
    take_turns()
    held_jobs.work()
    take_turns()
    return _layer(session).data


def test_it_is_off_at_first(open_session):
    assert not open_session.state.live.is_on
    assert _layer(open_session) is None


def test_without_ink_and_papyrus_a_sentence_asks_for_them(live, held_jobs):
    assert "paint some ink and some papyrus" in live.state.live.text
    live.labels.apply(strokes(4)[:4], "ink")
    assert not _answer(live, held_jobs).any()
    assert "paint some ink and some papyrus" in live.state.live.text


def test_a_stroke_is_answered_below_the_labels_and_the_brush_stays(live, held_jobs, viewer_model):
    live.labelling.activate_tool("ink")
    active = viewer_model.layers.selection.active
    live.labels.apply(strokes(6), "ink")
    seen = _answer(live, held_jobs)
    assert seen.shape == SHAPE
    assert seen[truth()].mean() > seen[~truth()].mean() + 100
    assert "Answered in" in live.state.live.text
    assert viewer_model.layers.selection.active == active
    names = [layer.name for layer in viewer_model.layers]
    assert names.index("live ink") < names.index("Ink labels")
    assert not (live.labels.annotation.read("ink", (0, 1), (0, 1))).any()


def test_a_newer_stroke_drops_the_older_answer(live, held_jobs):
    live.labels.apply(strokes(2), "ink")
    take_turns()
    first = held_jobs.one("answer_job")
    first.step()
    live.labels.apply(strokes(6), "ink")
    take_turns()
    assert held_jobs.one("answer_job") is not first
    held_jobs.work()
    assert live.live._head >= 1
    assert _layer(live).data[truth()].mean() > 128


def test_a_moved_view_keeps_what_was_answered(live, held_jobs, viewer_model):
    live.labels.apply(strokes(6), "ink")
    before = _answer(live, held_jobs).copy()
    camera_of(viewer_model).center = (0, 120, 150)
    assert np.array_equal(_answer(live, held_jobs), before)


def test_it_can_be_turned_off_and_removed_by_hand(live, held_jobs, viewer_model):
    live.labels.apply(strokes(6), "ink")
    _answer(live, held_jobs)
    live.do("live")
    assert _layer(live) is None
    live.labels.apply([("ink", 0, 0, np.full((4, 4), 2, np.uint8))], "ink")
    take_turns()
    assert held_jobs.names() == []
    live.live.switch(True)
    _answer(live, held_jobs)
    viewer_model.layers.remove("live ink")
    assert not live.state.live.is_on


def test_the_area_is_whole_blocks_around_the_middle_of_the_view():
    assert live_area(Region(10, 300, 700, 900), (1000, 1000)) == Region(0, 512, 512, 1000)
    area = live_area(Region(0, 9000, 0, 9000), (9000, 9000))
    assert area == Region(3584, 5376, 3584, 5376)
    assert area.height <= LIVE_SIDE_PX + 2 * BLOCK_PX
