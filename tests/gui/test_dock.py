"""The dock on a viewer model, as a separate widget: the steps together, without napari's window."""

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_ink.gui.dock import InkDock
from napari_ink.gui.models.prediction import model_entry
from napari_ink.gui.models.state import Step
from tests.gui.windowless import take_turns


@pytest.fixture
def bare_dock(viewer_model, held_jobs, checkpoint, qtbot):
    """The dock with the random model chosen; its jobs are held."""
    made = InkDock(viewer_model)
    qtbot.addWidget(made)
    made.predict.add_model(model_entry(checkpoint))
    made.show()
    yield made
    made.session.shut_down()
    for job in held_jobs.waiting:
        job.quit()
    held_jobs.work()


def test_at_first_only_the_stack_step_is_open(bare_dock):
    assert bare_dock.stack.folder_button.isEnabled()
    assert bare_dock.predict.hint.text() == "Open a stack first."
    for button in (
        bare_dock.predict.run_button,
        bare_dock.correct.editable_button,
        bare_dock.review.statistics_button,
        bare_dock.export.export_button,
    ):
        assert not button.isEnabled()


def test_the_folder_button_opens_a_segment(bare_dock, segment, held_jobs, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(segment))
    bare_dock.stack.folder_button.click()
    held_jobs.work()
    take_turns()
    summary = bare_dock.stack.summary.text().replace("\u00a0", " ")
    assert "seg-1" in summary and "12 depth layers · 96 × 128 px (height × width) · 16 bit" in summary
    assert "seg-1_mask.png" in summary
    assert "surface is layer 6" in bare_dock.stack.depth_hint.text()
    assert bare_dock.predict.run_button.isEnabled()


def test_removing_the_stack_leads_back_to_the_first_step(bare_dock, segment, held_jobs, viewer_model):
    bare_dock.open_stack(segment)
    held_jobs.work()
    take_turns()
    assert bare_dock.predict.hint.text() != "Open a stack first."
    viewer_model.layers.remove("seg-1")
    take_turns()
    assert bare_dock.predict.hint.text() == "Open a stack first."


def test_opening_a_stack_preloads_the_chosen_model(bare_dock, segment, held_jobs):
    bare_dock.open_stack(segment)
    held_jobs.work("open_job", "project_job", "list_job")
    take_turns()
    assert held_jobs.names() == ["warm_up_job"]


def test_a_false_checkpoint_is_refused_and_a_valid_one_clears_the_message(
    bare_dock, tmp_path, checkpoint, errors, monkeypatch
):
    (tmp_path / "holiday.safetensors").write_bytes(b"no weights here")
    before = bare_dock.predict.model_box.count()
    bare_dock.predict.model_file_requested.emit(tmp_path / "holiday.safetensors")
    assert "checkpoint" in errors[0] and bare_dock.session.state.message(Step.PREDICT) == errors[0]
    assert bare_dock.predict.model_box.count() == before
    bare_dock.predict.model_file_requested.emit(checkpoint)
    assert not bare_dock.session.state.message(Step.PREDICT)


def test_a_moved_stack_is_asked_for(bare_dock, segment, tmp_path, held_jobs, monkeypatch, errors):
    bare_dock.open_stack(segment)
    held_jobs.work()
    bare_dock.session.labelling.make_editable()
    held_jobs.work()
    take_turns()
    project = bare_dock.session.labels.project.folder
    bare_dock.session._viewer.layers.remove("seg-1")
    (moved := tmp_path / "elsewhere").mkdir()
    segment.rename(moved / segment.name)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(moved / segment.name))
    bare_dock.open_stack(project)
    held_jobs.work()
    take_turns()
    assert len(errors) == 1 and bare_dock.session.state.stack.name == "seg-1"
    assert bare_dock.session.state.labels
