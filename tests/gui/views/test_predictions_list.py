"""The list of predictions alone, without napari: rows, buttons, the trash, and a width of 320 pixels."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_ink.gui.models.predictions import PredictionsStatus
from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.status import RunProgress
from napari_ink.gui.views.predictions_list import PredictionsList
from napari_ink.predict import PredictionFolder
from tests.predict.stored_predictions import noise, write_prediction


@pytest.fixture
def folder(tmp_path: Path) -> PredictionFolder:
    """Three predictions, the newest unfinished."""
    made = PredictionFolder(tmp_path / "seg.ink")
    write_prediction(made.path / "a.zarr", noise(1), started="2026-11-21T04:05:06+00:00")
    write_prediction(made.path / "b.zarr", noise(2), started="2026-11-22T04:05:06+00:00")
    write_prediction(made.path / "c.zarr", noise(3), blocks=3, started="2026-11-23T04:05:06+00:00")
    made.rename(made.path / "a.zarr", "the first")
    return made


def status_of(folder: PredictionFolder, **changes) -> PredictionsStatus:
    found = folder.read()
    return PredictionsStatus(found.rows, found.faults, found.trash, **changes)


@pytest.fixture
def state(folder) -> InkState:
    """Prediction b is in use."""
    return InkState(prediction=folder.path / "b.zarr", has_prediction=True, predictions=status_of(folder))


@pytest.fixture
def view(state, qtbot):
    made = PredictionsList()
    qtbot.addWidget(made)
    made.show_state(state)
    made.resize(320, 300)
    made.show()
    return made


def texts(view):
    return [view.rows.data(view.rows.index(number)) for number in range(view.rows.rowCount())]


def select(view, number):
    view.list.setCurrentIndex(view.rows.index(number))


def asked(view, signal, act):
    """Return what a signal carried as something was done."""
    seen = []
    getattr(view, signal).connect(lambda *values: seen.append(values[0] if len(values) == 1 else values))
    act()
    return seen


def test_each_row_says_what_it_is_and_the_one_in_use_is_marked(view):
    names, facts = zip(*(text.split("\n") for text in texts(view)), strict=True)
    assert [name.partition(", ")[0] for name in names] == ["stand-in", "● stand-in", "the first"]
    assert re.fullmatch(r"the first, 2[01] Nov \d\d:05", names[2])  # in the time zone of the machine
    assert facts == ("whole segment, 50 % done", "whole segment", "whole segment")
    assert view.list.currentIndex().row() == 1
    assert view.rows.data(view.rows.index(1), Qt.ItemDataRole.FontRole).bold()


def test_buttons_follow_the_selected_row(view, folder):
    assert not view.use_button.isEnabled() and not view.compare_button.isEnabled()
    assert view.rename_button.isEnabled() and view.discard_button.isEnabled()
    select(view, 2)
    assert asked(view, "use_requested", view.use_button.click) == [folder.path / "a.zarr"]
    assert asked(view, "compare_requested", view.compare_button.click) == [folder.path / "a.zarr"]
    assert asked(view, "discard_requested", view.discard_button.click) == [folder.path / "a.zarr"]


def test_a_greyed_button_says_why(view, state, folder):
    assert "select another prediction than the one in use" in view.legend.text()
    assert view.compare_button.toolTip() == view.legend.text()
    assert view.use_button.toolTip() == "This prediction is in use"
    select(view, 2)
    assert view.legend.text() == "" and "differs" in view.compare_button.toolTip()
    assert "press Compare first" in view.flicker_button.toolTip()
    for name in ("a", "c"):
        folder.discard(folder.path / f"{name}.zarr")
    view.show_state(replace(state, predictions=status_of(folder)))
    assert "Compare and Flicker need two predictions" in view.legend.text()
    assert view.compare_button.toolTip() == view.flicker_button.toolTip() == view.legend.text()
    assert not view.compare_button.isEnabled() and not view.flicker_button.isEnabled()


def test_keys_of_the_list_use_and_delete(view, folder, qtbot):
    view.activateWindow()
    view.list.setFocus()
    qtbot.waitUntil(view.list.hasFocus)
    select(view, 0)
    press = [lambda key=key: qtbot.keyClick(view.list, key) for key in (Qt.Key.Key_Return, Qt.Key.Key_Delete)]
    assert asked(view, "use_requested", press[0]) == [folder.path / "c.zarr"]
    assert asked(view, "discard_requested", press[1]) == [folder.path / "c.zarr"]


def test_a_row_is_renamed_in_place(view, folder):
    select(view, 0)
    index = view.list.currentIndex()
    assert view.rows.data(index, Qt.ItemDataRole.EditRole) == "stand-in"
    renamed = asked(view, "rename_requested", lambda: view.rows.setData(index, "  mine "))
    assert renamed == [(folder.path / "c.zarr", "mine")]
    assert asked(view, "rename_requested", lambda: view.rows.setData(index, "stand-in")) == []
    assert asked(view, "rename_requested", lambda: view.rows.setData(index, " ")) == []


def test_a_new_prediction_is_selected_and_a_renamed_one_stays_selected(view, state, folder):
    select(view, 2)
    folder.rename(folder.path / "a.zarr", "again")
    view.show_state(replace(state, predictions=status_of(folder)))
    assert view.list.currentIndex().row() == 2 and texts(view)[2].startswith("again, ")
    new = write_prediction(folder.path / "d.zarr", noise(4), started="2026-11-24T04:05:06+00:00")
    view.show_state(replace(state, predictions=status_of(folder)))
    assert view.list.currentIndex().row() == 3  # still the first
    view.show_state(replace(state, prediction=new, predictions=status_of(folder)))
    assert view.list.currentIndex().row() == 0


def test_during_a_run_another_one_can_be_renamed_and_deleted_but_not_used(view, state):
    view.show_state(replace(state, run=RunProgress(1, 9)))
    assert not view.discard_button.isEnabled()  # the running one
    select(view, 0)
    assert view.discard_button.isEnabled() and view.rename_button.isEnabled()
    assert not view.use_button.isEnabled() and not view.compare_button.isEnabled()


def test_a_comparison_has_a_legend_and_is_ended_by_the_same_button(view, state, folder):
    view.show_state(replace(state, predictions=status_of(folder, compared=folder.path / "a.zarr")))
    assert view.legend.text().startswith("Yellow: more ink in stand-in, 22 Nov")
    assert view.legend.text().endswith("Purple: more ink in the first.")
    assert view.compare_button.text() == "Stop comparing" and view.flicker_button.isEnabled()
    assert asked(view, "compare_requested", view.compare_button.click) == [None]
    assert asked(view, "action_requested", view.flicker_button.click) == ["flicker"]
    other = status_of(folder, compared=folder.path / "a.zarr", is_other_shown=True)
    view.show_state(replace(state, predictions=other))
    assert view.legend.text().startswith("Shown now: the first. ")


def test_the_trash_shows_its_size_and_is_emptied_after_a_question(view, state, folder, monkeypatch):
    assert view.trash_button.text() == "Trash: empty" and not view.undo_button.isEnabled()
    trashed = folder.discard(folder.path / "a.zarr")
    view.show_state(replace(state, predictions=status_of(folder)))
    assert view.trash_button.text() == "Trash: 1, 0.3 MB ▾"
    assert asked(view, "restore_requested", view.undo_button.click) == [None]
    restore, _, empty = view.trash_menu.actions()
    assert restore.text().startswith("Restore the first, deleted ")
    assert asked(view, "restore_requested", restore.trigger) == [trashed]
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    assert asked(view, "empty_requested", empty.trigger) == []
    seen = []
    view.empty_requested.connect(lambda: seen.append(True))
    empty.trigger()
    assert seen == [True]


def test_a_damaged_prediction_is_a_sentence_that_cannot_be_selected(view, state, folder):
    (folder.path / "c.zarr" / "zarr.json").write_text("{")
    view.show_state(replace(state, predictions=status_of(folder)))
    assert view.rows.rowCount() == 3
    index = view.rows.index(2)
    assert view.rows.flags(index) == Qt.ItemFlag.NoItemFlags and "c.zarr is not listed" in view.rows.data(index)
    assert view.rows.row_at(index) is None


def test_the_list_fits_a_panel_of_320_pixels_and_moves_nothing_with_its_rows(view, state, folder):
    assert view.minimumSizeHint().width() <= 320
    height = view.list.height()
    for number in range(4, 12):
        write_prediction(folder.path / f"{number}.zarr", noise(number), started="2026-11-25T04:05:06+00:00")
        folder.rename(folder.path / f"{number}.zarr", "a very long name for a prediction " * 2 + "x")
    view.show_state(replace(state, predictions=status_of(folder)))
    assert view.list.height() == height and view.minimumSizeHint().width() <= 320


def test_without_predictions_the_list_keeps_its_place_and_nothing_can_be_done(view):
    height = view.sizeHint().height()
    view.show_state(InkState())
    assert view.rows.rowCount() == 0 and view.sizeHint().height() == height
    buttons = (view.use_button, view.compare_button, view.flicker_button, view.rename_button, view.discard_button)
    assert not any(button.isEnabled() for button in (*buttons, view.undo_button, view.trash_button))
