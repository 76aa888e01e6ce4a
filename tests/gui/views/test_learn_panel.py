"""The panel of step Learn alone: reasons, progress in words, and the list of taught models."""

from dataclasses import replace

import pytest
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.status import LabelCounts, LiveStatus, RunProgress, TeachingStatus
from napari_ink.gui.views import LearnPanel
from napari_ink.gui.views.lesson_plot import smoothed
from napari_ink.gui.views.models_section import PicturesDialog
from napari_ink.stack import open_stack
from tests.gui.lessons import taught_model


@pytest.fixture
def panel(qtbot) -> LearnPanel:
    panel = LearnPanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


@pytest.fixture
def state(segment) -> InkState:
    """A state with labels of both kinds."""
    return InkState(stack=open_stack(segment), labels=True, counts=LabelCounts(ink=9, papyrus=9))


@pytest.fixture
def listed(panel, state, tmp_path) -> InkState:
    """A state with two models, of which the first is in use."""
    rows = (taught_model("quick-1"), taught_model("deep-1", False, known="F0.5 0.500 before"))
    return replace(state, teaching=TeachingStatus(rows=rows, in_use="quick-1", folder=tmp_path))


def test_the_reason_stands_where_learning_is_impossible(panel, state):
    panel.show_state(replace(state, counts=LabelCounts(ink=9)))
    assert panel.status.text() == "Paint some papyrus first."
    assert not panel.learn_button.isEnabled()
    panel.show_state(state)
    assert panel.learn_button.isEnabled()
    assert not panel.status.text()


def test_progress_is_told_in_words_and_can_be_cancelled(panel, state):
    running = TeachingStatus(progress="Step", done=60, total=180, seconds_left=118.0)
    panel.show_state(replace(state, teaching=running))
    assert panel.status.text() == "Step 60 of 180, about 2 min left"
    assert panel.cancel_button.isEnabled()
    assert not panel.learn_button.isEnabled()
    panel.show_state(replace(state, teaching=replace(running, cancelling=True)))
    assert "Stopping" in panel.status.text()
    assert not panel.cancel_button.isEnabled()


def test_a_lesson_is_paused_and_continued(panel, state, qtbot):
    running = TeachingStatus(progress="Step", done=60, total=180)
    panel.show_state(replace(state, teaching=running))
    with qtbot.waitSignal(panel.pause_requested):
        panel.pause_button.click()
    panel.show_state(replace(state, teaching=replace(running, paused=True)))
    assert panel.pause_button.text() == "Resume"
    assert panel.status.text().startswith("Paused at step 60 of 180")
    with qtbot.waitSignal(panel.continue_requested):
        panel.pause_button.click()
    panel.show_state(state)
    assert not panel.pause_button.isEnabled() and not panel.cancel_button.isEnabled()


def test_no_button_moves_when_a_lesson_begins_or_ends(panel, listed, qtbot):
    panel.resize(340, 540)
    panel.show_state(listed)
    qtbot.wait(20)
    buttons = [one for one in panel.findChildren(QPushButton) if one.isVisible()]
    before = [one.geometry() for one in buttons]
    running = replace(listed.teaching, progress="Step", done=60, total=180, losses=((30, 1.2), (60, 0.8)))
    for status in (running, replace(running, paused=True), listed.teaching):
        panel.show_state(replace(listed, teaching=status))
        qtbot.wait(20)
        assert [one.geometry() for one in buttons] == before


def test_a_long_outcome_ends_in_dots_and_is_whole_in_the_tooltip(panel, listed, qtbot):
    outcome = ("quick-1: in use. Do not rely on these scores.",)
    notes = ("Learns from 10,037 pixels of ink and 22,731 of papyrus in 1 group of strokes.",) * 4
    panel.resize(340, 540)
    panel.show_state(replace(listed, teaching=replace(listed.teaching, outcome=outcome, notes=notes)))
    qtbot.wait(20)
    assert panel.outcome.text().startswith("quick-1: in use.")  # what matters most is read first
    assert panel.outcome.toolTip() == panel.outcome.text() == " ".join((*outcome, *notes))
    assert panel.outcome.height() <= 5 * panel.outcome.fontMetrics().lineSpacing()


def test_an_interrupted_lesson_is_offered(panel, state):
    panel.show_state(replace(state, teaching=TeachingStatus(interrupted=True)))
    assert "Learn continues it" in panel.status.text()


def test_projects_are_added_and_cleared(panel, state, qtbot, monkeypatch, tmp_path):
    panel.show_state(state)
    assert not panel.clear_button.isVisible()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "b.ink"))
    with qtbot.waitSignal(panel.project_added) as added:
        panel.add_button.click()
    assert added.args == [tmp_path / "b.ink"]
    panel.show_state(replace(state, teaching=TeachingStatus(others=(tmp_path / "b.ink",))))
    assert panel.others_text.text() == "Learns from b.ink, too."
    with qtbot.waitSignal(panel.projects_cleared):
        panel.clear_button.click()


def test_curves_and_examples_are_drawn_while_a_model_learns(panel, state, tmp_path):
    panel.show_state(state)
    assert not panel.plot.isVisible() and not panel.examples.isVisible()
    picture = tmp_path / "examples.png"
    panel.grab().save(str(picture))
    running = TeachingStatus(progress="Step", done=60, total=180, losses=((30, 1.2), (60, 0.8)))
    panel.show_state(replace(state, teaching=running))
    assert panel.plot.isVisible() and not panel.examples.isVisible()
    empty = panel.plot.grab().toImage()
    width = panel.width()
    panel.show_state(replace(state, teaching=replace(running, scores=((0, 0.2), (60, 0.7)), examples=picture)))
    assert panel.plot.grab().toImage() != empty
    assert panel.examples.isVisible() and not panel.examples.crops.pixmap().isNull()
    assert panel.width() == width
    panel.show_state(replace(state, teaching=replace(running, scores=((0, 0.2),), examples=tmp_path / "no.png")))
    assert not panel.examples.isVisible()


def test_a_curve_is_smoothed_from_its_first_point():
    assert smoothed([(1, 1.0), (2, 0.0), (3, 0.0)]) == [(1, 1.0), (2, 0.8), (3, pytest.approx(0.64))]
    assert smoothed([]) == []


def test_the_minutes_are_requested(panel, state, qtbot):
    panel.show_state(state)
    panel.minutes_box.setValue(0)
    assert panel.minutes_box.text() == "none"
    with qtbot.waitSignal(panel.learn_requested) as asked:
        panel.learn_button.click()
    assert asked.args == [0.0]


def test_models_are_listed_with_their_scores_newest_first(panel, listed):
    panel.show_state(listed)
    rows = [panel.models.list.item(number).text() for number in range(2)]
    assert rows[0].startswith("deep-1, candidate\ndeep, ")
    assert rows[1].startswith("quick-1, in use\nquick, ")
    assert rows[1].endswith("AUC 0.61 → 0.88")
    assert "not better than before, kept as a candidate" in panel.models.details.text()
    assert "known: F0.5 0.500 before" in panel.models.details.text()


def test_requests_name_the_selected_taught_model(panel, listed, qtbot):
    panel.show_state(listed)
    with qtbot.waitSignal(panel.models.use_requested) as used:
        panel.models.use_button.click()
    assert used.args == ["deep-1"]
    with qtbot.waitSignal(panel.models.compare_requested) as compared:
        panel.models.compare_button.click()
    assert compared.args == ["deep-1"]
    panel.models.list.setCurrentRow(1)
    assert "edges are those of the start model" in panel.models.details.text()
    assert not panel.models.use_button.isEnabled()  # it is in use
    with qtbot.waitSignal(panel.models.use_requested) as back:
        panel.models.back_button.click()
    assert back.args == [""]
    with qtbot.waitSignal(panel.predict_requested) as predicted:
        panel.predict_button.click()
    assert predicted.args == ["quick-1"]


def test_no_model_can_be_chosen_during_a_run(panel, listed):
    panel.show_state(replace(listed, run=RunProgress()))
    panel.models.list.setCurrentRow(1)
    panel.models.list.setCurrentRow(0)
    assert not panel.models.use_button.isEnabled()
    assert not panel.models.back_button.isEnabled()


def test_an_exported_model_gets_its_suffix_after_the_whole_name(panel, listed, qtbot, monkeypatch, tmp_path):
    panel.show_state(listed)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "v1.2"), ""))
    with qtbot.waitSignal(panel.models.export_requested) as exported:
        panel.models.export_button.click()
    assert exported.args == ["deep-1", tmp_path / "v1.2.safetensors"]


def test_curves_are_offered_where_there_are_some(panel, listed, tmp_path, qtbot):
    panel.show_state(listed)
    assert not panel.models.pictures_button.isEnabled()
    panel.grab().save(str(tmp_path / "deep-1-curves.png"))
    panel.show_state(listed)
    panel.models.pictures_button.click()
    dialog = panel.models.findChild(PicturesDialog)
    assert dialog.isVisible()
    dialog.close()


def test_the_live_mode_is_shown_and_switched(panel, state, qtbot):
    panel.show_state(replace(state, live=LiveStatus(True, "Answered in 0.9 s.")))
    assert panel.live_button.isChecked()
    assert panel.live_text.text() == "Answered in 0.9 s."
    with qtbot.waitSignal(panel.live_requested) as switched:
        panel.live_button.click()
    assert switched.args == [False]
