"""Settings changed while a prediction runs: the last choice counts, and little is left over."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_ink.predict import open_prediction
from tests.gui.driving import is_over, tiles_done

ROI = "Region of interest"


def _record(dock):
    return open_prediction(dock.session.state.prediction).provenance


@pytest.fixture
def running_dock(large_dock, click, wait):
    """The dock in the midst of a prediction, with all settings in sight."""
    large_dock.predict.more.expand()
    click(large_dock.predict.run_button)
    wait(lambda: tiles_done(large_dock) > 3)
    yield large_dock
    large_dock.session.prediction.cancel()
    wait(lambda: large_dock.session.state.run is None)


def test_the_second_of_two_changes_close_together_counts_too(running_dock, wait):
    panel, first = running_dock.predict, running_dock.session.state.prediction
    panel.direction_box.setCurrentText("Reversed")
    assert running_dock.session.state.run.cancelling
    panel.direction_box.setCurrentText("As stored")
    panel.direction_box.setCurrentText("Reversed")
    panel.offset_box.setValue(2)
    panel.offset_box.settled.emit()
    wait(lambda: running_dock.session.state.prediction != first and tiles_done(running_dock) > 0)
    assert _record(running_dock)["direction"] == "reversed"
    assert _record(running_dock)["contract"]["surface_offset"] == 2


def test_a_change_after_cancel_begins_nothing(running_dock, click, wait):
    panel, first = running_dock.predict, running_dock.session.state.prediction
    click(panel.cancel_button)
    panel.direction_box.setCurrentText("Reversed")
    wait(lambda: is_over(running_dock))
    assert running_dock.session.state.prediction == first and running_dock.session.state.can_continue


def test_cancel_takes_back_a_change_that_has_not_taken_effect(running_dock, wait):
    first = running_dock.session.state.prediction
    running_dock.predict.direction_box.setCurrentText("Reversed")
    running_dock.session.prediction.cancel()
    wait(lambda: is_over(running_dock))
    assert running_dock.session.state.prediction == first and running_dock.session.state.can_continue


def test_the_offset_goes_up_from_the_models_own_and_waits_for_the_last_step(running_dock, wait, qtbot):
    box, first = running_dock.predict.offset_box, running_dock.session.state.prediction
    assert box.text() == "0 layers, as the model has it" and box.offset() is None
    for step in range(3):
        qtbot.keyClick(box, Qt.Key.Key_Up)
        qtbot.wait(120)
        assert box.value() == step + 1
    assert box.text() == "3 layers" and not running_dock.session.state.run.cancelling
    wait(lambda: running_dock.session.state.prediction != first and tiles_done(running_dock) > 0)
    assert _record(running_dock)["contract"]["surface_offset"] == 3
    made = running_dock.session.state.prediction
    qtbot.wait(1000)
    assert running_dock.session.state.prediction == made


def test_only_offsets_that_the_stack_has_layers_for_are_offered(open_dock):
    box = open_dock.predict.offset_box  # 4 to 8 layers of 12
    assert (box.minimum(), box.maximum()) == (-6, 6)


def test_a_change_that_the_model_cannot_read_is_refused_and_the_run_goes_on(running_dock, wait, errors):
    first = running_dock.session.state.prediction
    running_dock.session.prediction.change(replace(running_dock.predict.settings(), offset=-64))
    assert "too few depth layers" in errors[0] and errors[0].endswith("The run goes on as it was.")
    assert not running_dock.session.state.run.cancelling and running_dock.session.state.prediction == first
    done = tiles_done(running_dock)
    wait(lambda: tiles_done(running_dock) > done)


def test_a_change_that_fails_later_leaves_what_was_stopped_to_go_on_with(running_dock, click, wait, monkeypatch):
    panel, first = running_dock.predict, running_dock.session.state.prediction

    def refuse(*_: object) -> None:
        from napari_ink.errors import BadInputError

        raise BadInputError("The device is gone; plug it in.")

    with monkeypatch.context() as patch:
        patch.setattr("napari_ink.predict.engine.choose_device", refuse)
        panel.direction_box.setCurrentText("Reversed")
        wait(lambda: is_over(running_dock))
    assert running_dock.session.state.prediction == first and panel.continue_button.isVisible()
    panel.direction_box.setCurrentIndex(0)
    click(panel.continue_button)
    wait(lambda: tiles_done(running_dock) > 0)
    assert running_dock.session.state.prediction == first


def test_what_a_change_supersedes_is_removed_if_nothing_was_predicted_in_it(running_dock, wait):
    panel = running_dock.predict
    folder = running_dock.session.state.prediction.parent
    for direction in ("Reversed", "As stored", "Reversed"):
        before = running_dock.session.state.prediction
        had_something = (before / "0" / "c").exists()
        panel.direction_box.setCurrentText(direction)
        wait(lambda before=before: running_dock.session.state.prediction != before)
        assert before.exists() >= had_something
    kept = [store for store in folder.glob("*.zarr") if store != running_dock.session.state.prediction]
    assert all((store / "0" / "c").exists() for store in kept)


def test_a_superseded_region_leaves_no_picture_of_it(large_dock, viewer, click, wait, qtbot):
    panel = large_dock.predict
    panel.area_box.setCurrentText(ROI)
    wait(lambda: ROI in viewer.layers)
    qtbot.wait(100)
    viewer.layers[ROI].add(np.array([[0.0, 0], [700, 0], [700, 700]]), shape_type="polygon")
    click(panel.run_button)
    wait(lambda: large_dock.session.state.prediction is not None)
    first = large_dock.session.state.prediction
    panel.direction_box.setCurrentText("Reversed")
    wait(lambda: large_dock.session.state.prediction != first)
    second = large_dock.session.state.prediction
    pictures = {path.name for path in first.parent.glob("*-region.*")}
    assert pictures == {f"{store.stem}-region.tif" for store in (first, second) if store.exists()}
    large_dock.session.prediction.cancel()
    wait(lambda: is_over(large_dock))


def test_the_visible_region_stays_that_of_the_first_run(large_dock, viewer, click, wait, qtbot, errors):
    panel = large_dock.predict
    viewer.scene.camera.zoom = 2
    viewer.scene.camera.center = (0, 200, 200)
    qtbot.wait(200)
    panel.area_box.setCurrentText("Visible region")
    click(panel.run_button)
    wait(lambda: tiles_done(large_dock) > 0)
    first, region = large_dock.session.state.prediction, _record(large_dock)["region"]
    viewer.scene.camera.center = (0, 5000, 5000)
    panel.direction_box.setCurrentText("Reversed")
    wait(lambda: large_dock.session.state.prediction != first and tiles_done(large_dock) > 0)
    assert _record(large_dock)["region"] == region and not errors
    large_dock.session.prediction.cancel()
    wait(lambda: is_over(large_dock))


def test_a_region_without_papyrus_is_said_to_have_none(open_dock, viewer, click, wait, qtbot, errors):
    open_dock.predict.area_box.setCurrentText(ROI)
    wait(lambda: ROI in viewer.layers)
    qtbot.wait(100)
    for corners in ([[5, 1], [90, 1], [90, 9], [5, 9]], [[5, 1], [90, 1], [90, 9]]):
        viewer.layers[ROI].data = []
        viewer.layers[ROI].add(corners, shape_type="polygon")
        click(open_dock.predict.run_button)
        wait(lambda: bool(errors) and open_dock.session.state.run is None)
        assert "no papyrus" in errors.pop() and not open_dock.session.state.has_prediction
    assert not list(open_dock.session.stack.project_folder(open_dock.session.state.stack).rglob("*-region.*"))
