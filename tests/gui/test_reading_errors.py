"""Errors of reading a visible stack, without a window: they are reported once, and stay in the panel."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_ink.errors import StackError
from napari_ink.gui.layers.reading_errors import ReadingErrors
from napari_ink.gui.layers.stack_layer import errors_of
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.views.status_area import StatusArea
from tests.gui.driving import damaged_layers
from tests.gui.windowless import take_turns


@pytest.fixture
def reading_errors(qapp) -> ReadingErrors:
    return ReadingErrors()


@pytest.fixture
def other(tmp_path: Path) -> Path:
    np.save(tmp_path / "other.npy", np.zeros((12, 60, 80), np.uint8))
    return tmp_path / "other.npy"


def _open(session, held_jobs, source: Path) -> None:
    session.open_stack(source)
    held_jobs.work()
    take_turns()


def test_only_the_first_of_many_errors_is_reported(reading_errors, errors):
    reported: list[str] = []
    reading_errors.failed.connect(reported.append)
    for message in ("one", "one", "another"):
        reading_errors.report(message)
        take_turns()
    assert reported == errors == ["one"] == [reading_errors.first]


def test_errors_that_arrive_after_closing_are_ignored(reading_errors, errors):
    reading_errors.report("late")
    reading_errors.close()
    take_turns()
    assert (errors, reading_errors.first) == ([], "")
    reading_errors.open()
    reading_errors.report("again")
    take_turns()
    assert errors == ["again"]


def test_only_the_window_gets_black_for_unreadable_parts(reading_errors, errors):
    def fail(*_) -> None:
        raise StackError("broken.tif is damaged.")

    read = reading_errors.black_instead(fail, np.dtype(np.uint16))
    shown = read(slice(3, 4), slice(0, 5), slice(2, 9), 2)
    assert (shown.shape, shown.dtype, shown.max()) == ((1, 3, 4), np.uint16, 0)
    with pytest.raises(StackError):  # other code reads the array
        read(slice(3, 5), slice(0, 5), slice(2, 9))
    take_turns()
    assert errors == ["broken.tif is damaged."]
    reading_errors.close()
    with pytest.raises(StackError):  # no one would see the report
        read(slice(3, 4), slice(0, 5), slice(2, 9))


@pytest.mark.parametrize("size", [(160, 200), (1100, 1200)], ids=["small", "in tiles"])
@pytest.mark.parametrize("damaged", [3, 6], ids=["while browsing", "the surface"])
def test_a_damaged_layer_is_shown_until_another_stack_is_opened(
    session, held_jobs, viewer_model, other, tmp_path, errors, qtbot, size, damaged
):
    _open(session, held_jobs, damaged_layers(tmp_path / "damaged", size, damaged))
    assert session.state.stack is not None and not session.state.busy
    viewer_model.dims.set_point(0, damaged)
    qtbot.waitUntil(lambda: bool(session.state.reading_error), timeout=10000)
    for z in (0, damaged, 1):
        viewer_model.dims.set_point(0, z)
        qtbot.wait(100)
    assert f"{damaged:02}.tif" in session.state.reading_error
    session.store.succeed(Step.STACK)
    assert session.state.reading_error and errors == [session.state.reading_error]
    _open(session, held_jobs, other)
    assert session.state.stack.name == "other" and not session.state.reading_error


def test_an_error_before_the_panel_was_opened_is_in_it(open_session, viewer_model):
    (layer,) = viewer_model.layers
    errors_of(layer).report("00.tif is damaged.")
    take_turns()
    open_session.stack.adopt(layer)
    assert open_session.state.reading_error == "00.tif is damaged."


def test_a_projection_reports_to_its_stack(open_session, segment, viewer_model, errors, qtbot):
    for z in range(3, 9):
        tifffile.imwrite(segment / "layers" / f"{z:02}.tif", np.zeros((4, 4), np.uint16))
    open_session.projection.toggle()
    take_turns()
    qtbot.waitUntil(lambda: bool(open_session.state.reading_error), timeout=10000)
    assert errors == [open_session.state.reading_error]


def test_the_panel_shows_the_error_in_full(qtbot):
    area = StatusArea()
    qtbot.addWidget(area)
    message = "/a/very/long/path/" + "x" * 200 + "/03.tif is damaged (strip 2 cannot be decoded); copy it again."
    area.show_state(InkState(reading_error=message))
    assert area.message.toPlainText() == message
    area.show_state(InkState())
    assert area.message.toPlainText() == ""
