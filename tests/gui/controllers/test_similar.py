"""Find similar without a window: one letter four times; the others are found, accepted, rejected or dismissed."""

import numpy as np
import pytest

from napari_ink.gui.layers.viewport import camera_of
from napari_ink.gui.models.state import Step
from napari_ink.region import Region
from tests.gui.controllers.conftest import make_editable
from tests.gui.letters import HALF, PLACES, SHAPE, letter, save_letters

FIRST = Region(PLACES[0][0] - HALF, PLACES[0][0] + HALF + 1, PLACES[0][1] - HALF, PLACES[0][1] + HALF + 1)


@pytest.fixture
def letters(session, held_jobs, tmp_path):
    """The session on a segment with one letter four times, the first of them labelled; without a prediction."""
    session.open_stack(save_letters(tmp_path))
    held_jobs.work()
    make_editable(session, held_jobs)
    y, x = PLACES[0]
    session.labels.apply([("ink", y - HALF, x - HALF, letter().astype(np.uint8) * 2)], "ink")
    return session


@pytest.fixture
def found(letters, held_jobs):
    """The same session, after the first letter has been boxed."""
    letters.similar.search(FIRST)
    held_jobs.work()
    return letters


def _ink(session) -> np.ndarray:
    return session.labels.annotation.read("ink", (0, SHAPE[0]), (0, SHAPE[1]))


def test_the_other_three_are_found_accepted_and_rejected(found, viewer_model):
    status = found.state.similar
    assert sorted((round(one.y / 10), round(one.x / 10)) for one in status.candidates) == [(9, 38), (30, 12), (32, 40)]
    first = status.candidates[0]
    center = camera_of(viewer_model).center[-2:]
    assert np.hypot(*(np.array(center) - (first.y, first.x))) < 1
    preview = found.labelling.context.preview
    assert len(preview.layer.data) > 10
    before = (_ink(found) == 2).sum()
    found.similar.accept()
    labels = _ink(found)
    added = (labels == 2).sum() - before
    assert 0.7 * letter().sum() < added < 1.3 * letter().sum()
    assert labels[int(first.y) - 40 : int(first.y) - 28, int(first.x) - 40 : int(first.x) + 40].max() == 0
    assert found.labels.annotation.undo_name == "find similar"
    found.similar.reject()
    found.similar.reject()
    status = found.state.similar
    assert (status.accepted, status.rejected, status.candidates) == (1, 2, ())
    assert "last candidate" in status.note
    assert preview.is_empty
    found.similar.accept()  # no candidate is left
    assert (_ink(found) == 2).sum() == before + added
    found.labelling.undo()
    assert (_ink(found) == 2).sum() == before


def test_a_candidate_is_shown_by_its_number(found, viewer_model):
    last = found.state.similar.candidates[2]
    found.similar.show(2)
    assert np.hypot(*(np.array(camera_of(viewer_model).center[-2:]) - (last.y, last.x))) < 1
    found.similar.show(3)
    assert found.state.similar.current == 2


def test_candidates_can_be_dismissed(found):
    found.similar.cancel()
    assert found.state.similar.candidates == ()
    assert found.labelling.context.preview.is_empty


def test_what_is_ink_already_is_not_offered(letters, held_jobs):
    y, x = PLACES[1]
    letters.labels.apply([("ink", y - HALF, x - HALF, letter().astype(np.uint8) * 2)], "ink")
    letters.similar.search(FIRST)
    held_jobs.work()
    left = letters.state.similar.candidates
    assert len(left) == 2 and all(abs(one.y - y) + abs(one.x - x) > HALF for one in left)
    later = left[1]
    top, leftmost = later.corner
    letters.labels.apply([("ink", top, leftmost, later.ink.astype(np.uint8) * 2)], "ink")
    letters.similar.accept()
    assert letters.state.similar.candidates == ()


def test_the_zoom_stays(letters, viewer_model, held_jobs):
    camera_of(viewer_model).zoom = 3.5
    letters.similar.search(FIRST)
    held_jobs.work()
    letters.similar.reject()
    assert camera_of(viewer_model).zoom == 3.5


def test_an_empty_box_gives_a_hint(letters, held_jobs):
    letters.similar.search(Region(200, 221, 200, 241))
    held_jobs.work()
    assert "no ink in the box" in letters.state.message(Step.CORRECT)
    assert letters.state.similar.done is None


def test_a_search_can_be_cancelled_and_its_result_is_dropped(letters, held_jobs):
    letters.similar.search(FIRST)
    assert letters.state.similar.done == 0
    letters.similar.cancel()
    held_jobs.work()
    assert letters.state.similar.candidates == ()
    assert letters.state.similar.done is None
