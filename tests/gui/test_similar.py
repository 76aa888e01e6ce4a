"""Find similar in a real window: a letter is boxed, similar ones are found, and accepted or rejected by key."""

import numpy as np
import pytest

from napari_ink.gui.preferences import key_of
from tests.gui.letters import HALF, PLACES, letter, save_letters


@pytest.fixture
def letters_dock(dock, tmp_path, label_in_dock):
    """The dock on a segment with one letter four times, the first of them labelled; without a prediction."""
    label_in_dock(save_letters(tmp_path))
    y, x = PLACES[0]
    dock.session.labels.apply([("ink", y - HALF, x - HALF, letter().astype(np.uint8) * 2)], "ink")
    return dock


@pytest.fixture
def boxed_dock(letters_dock, press, stroke, qtbot):
    """The same dock, after the first letter has been boxed and similar ones have been found."""
    press(key_of("find_similar"))
    assert letters_dock.session.state.tool == "find similar"
    y, x = PLACES[0]
    stroke((y - HALF, x - HALF), (y, x), (y + HALF, x + HALF))
    qtbot.waitUntil(lambda: bool(letters_dock.session.state.similar.candidates), timeout=20000)
    return letters_dock


def test_the_other_three_are_found_accepted_and_rejected(boxed_dock, viewer, press):
    found = boxed_dock.session.state.similar.candidates
    assert sorted((round(one.y / 10), round(one.x / 10)) for one in found) == [(9, 38), (30, 12), (32, 40)]
    section = boxed_dock.correct.similar
    assert section.candidates.count() == 3
    assert not section.candidates.item(0).icon().isNull()
    assert "3 candidates left" in section.status.text()
    assert section.isVisible()  # although its key was pressed in another step
    assert section.candidates.item(0).icon().actualSize(section.candidates.iconSize()).height() >= 64
    first = found[0]
    assert np.hypot(*(np.array(viewer.scene.camera.center[-2:]) - (first.y, first.x))) < 1
    assert len(viewer.layers["Marks"].data) > 10
    before = (viewer.layers["Ink labels"].data == 2).sum()
    press("A", shift=True)
    labels = viewer.layers["Ink labels"].data
    added = (labels == 2).sum() - before
    assert 0.7 * letter().sum() < added < 1.3 * letter().sum()
    assert labels[first.y - 40 : first.y - 28, first.x - 40 : first.x + 40].max() == 0
    press("R", shift=True)
    press("R", shift=True)
    assert (viewer.layers["Ink labels"].data == 2).sum() == before + added
    assert "last candidate" in section.status.text()
    assert "1 accepted, 2 rejected" in section.status.text()
    assert not viewer.layers["Marks"].data.any()
    press("Z", control=True)
    assert (viewer.layers["Ink labels"].data == 2).sum() == before


def test_a_click_on_a_picture_shows_its_candidate(boxed_dock, viewer):
    section, last = boxed_dock.correct.similar, boxed_dock.session.state.similar.candidates[2]
    section.candidates.itemClicked.emit(section.candidates.item(2))
    assert np.hypot(*(np.array(viewer.scene.camera.center[-2:]) - (last.y, last.x))) < 1
    assert boxed_dock.session.state.similar.current == 2


def test_candidates_can_be_dismissed(boxed_dock, viewer, click):
    click(boxed_dock.correct.similar.cancel_button)
    assert boxed_dock.session.state.similar.candidates == ()
    assert not viewer.layers["Marks"].data.any()
    assert boxed_dock.session.state.tool == ""
    assert not boxed_dock.correct.similar.isVisible()


def test_an_added_layer_leaves_the_mouse_to_the_tool(letters_dock, viewer, press, stroke, qtbot):
    press(key_of("find_similar"))
    viewer.add_points(np.zeros((1, 2)), name="somebody's")
    centre = viewer.scene.camera.center
    y, x = PLACES[0]
    stroke((y - HALF, x - HALF), (y, x), (y + HALF, x + HALF))
    assert viewer.scene.camera.center == centre
    qtbot.waitUntil(lambda: len(letters_dock.session.state.similar.candidates) == 3, timeout=20000)
