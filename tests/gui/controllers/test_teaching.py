"""Teaching without a window: what is refused, progress, cancelling, and what can be done with taught models."""

from functools import partial
from pathlib import Path

import pytest

from napari_ink.annotation import create_project
from napari_ink.gui.controllers.teaching import ADAPT_CONTINUES
from napari_ink.gui.models.prediction import RunSettings, model_entry
from napari_ink.gui.models.state import Step
from napari_ink.model import load_model
from napari_ink.training import Scores, StepEnded, TrainingStarted, Validated
from napari_ink.training.teaching import adapt as adaptation
from napari_ink.training.teaching import replay
from tests.gui.controllers.conftest import make_editable
from tests.gui.lessons import save_lesson, strokes
from tests.gui.windowless import take_turns


@pytest.fixture
def lesson(session, held_jobs, tmp_path, checkpoint):
    """The session with a stack of bright ink, empty labels, and the random model chosen."""
    session.model_name = str(checkpoint)
    session.open_stack(save_lesson(tmp_path))
    held_jobs.work()
    make_editable(session, held_jobs)
    return session


@pytest.fixture
def labelled(lesson):
    """The same session, with eight strokes of ink and of papyrus."""
    lesson.labels.apply(strokes(8), "ink")
    return lesson


@pytest.fixture
def taught(labelled, held_jobs):
    """The same session, after a quick model was taught."""
    labelled.chosen = []
    labelled.teaching.model_chosen.connect(lambda entry: labelled.chosen.append(entry.name_or_path))
    labelled.teaching.learn(0)
    held_jobs.work()
    return labelled


def test_without_ink_or_papyrus_the_reason_is_given(lesson, held_jobs):
    lesson.teaching.learn(0)
    assert lesson.state.message(Step.LEARN) == "Paint some ink and some papyrus first."
    assert held_jobs.names() == []


def test_a_better_model_becomes_the_one_to_predict_with(taught, tmp_path):
    status = taught.state.teaching
    (row,) = status.rows
    assert (row.kind, row.is_better, status.in_use, status.progress) == ("quick", True, "quick-1", "")
    assert row.after.auc > 0.95
    assert "in use" in status.outcome[0]
    assert any(" of strokes" in note for note in status.notes)
    path = tmp_path / "lesson.ink" / "models" / "quick-1.safetensors"
    assert taught.chosen == [str(path)]
    assert load_model(path).provenance["taught"]["key"] == "quick-1"
    assert taught.state.is_done(Step.LEARN)


@pytest.fixture
def small_adaptation(monkeypatch):
    """Adaptations of one round of two steps, on small phantoms."""
    for name, value in (("_WORLD_SIDE_PX", 96), ("_WRITTEN", 1), ("_BLANK", 1)):
        monkeypatch.setattr(replay, name, value)
    request = partial(adaptation.AdaptRequest, rounds=1, steps=2, worlds=("tubes",))
    monkeypatch.setattr("napari_ink.training.AdaptRequest", request)


@pytest.mark.usefixtures("small_adaptation")
def test_a_model_is_adapted_without_strokes_and_chosen(lesson, held_jobs, tmp_path, monkeypatch):
    chosen, progress, noted = [], set(), []
    monkeypatch.setattr("napari_ink.gui.controllers.state_store.show_info", noted.append)
    lesson.teaching.model_chosen.connect(chosen.append)
    lesson.teaching.adapt()
    assert lesson.state.why_no_prediction  # both would need the processor
    while held_jobs.waiting:
        held_jobs.waiting[0].step()
        progress.add(lesson.state.teaching.progress)
    (entry,) = chosen
    digest = load_model(lesson.model_name).sha256[:8]
    assert (
        Path(entry.name_or_path) == tmp_path / "lesson.ink" / "models" / f"adapted-{digest}-1" / "adapted.safetensors"
    )
    assert entry.title == f"adapted-{digest}-1"
    assert {"Marking the segment…", "Round 1 of 1, step"} <= progress and not lesson.state.teaching.is_running
    assert "No label has judged it" in lesson.state.teaching.outcome[0]
    # The random network of this test marks nearly all.
    assert "more than pages have" in lesson.state.teaching.notes[0] and noted == list(lesson.state.teaching.notes)


@pytest.mark.usefixtures("small_adaptation")
def test_a_cancelled_adaptation_is_continued_and_the_next_has_a_folder_of_its_own(lesson, held_jobs, tmp_path):
    chosen = []
    lesson.teaching.model_chosen.connect(chosen.append)
    lesson.teaching.adapt()
    while "step" not in lesson.state.teaching.progress:
        held_jobs.waiting[0].step()
    lesson.teaching.cancel()
    held_jobs.work()
    assert lesson.state.teaching.outcome == (ADAPT_CONTINUES,) and chosen == []
    for number in (1, 2):
        lesson.teaching.adapt()
        held_jobs.work()
        assert chosen[-1].title.endswith(f"-{number}")


@pytest.mark.usefixtures("small_adaptation")
def test_nothing_is_adapted_during_a_prediction(lesson, held_jobs, checkpoint):
    lesson.prediction.predict(RunSettings(model_entry(checkpoint)))
    take_turns()
    lesson.teaching.adapt()
    assert "learning needs the processor" in lesson.state.message(Step.LEARN)
    lesson.prediction.cancel()
    held_jobs.work()


def test_the_start_model_comes_back_and_the_taught_one_again(taught, held_jobs, checkpoint):
    taught.teaching.use("")
    held_jobs.work()
    assert taught.state.teaching.in_use == ""
    assert taught.chosen[-1] == str(checkpoint)
    taught.teaching.use("quick-1")
    held_jobs.work()
    assert taught.state.teaching.in_use == "quick-1"
    assert taught.chosen[-1].endswith("quick-1.safetensors")


def test_a_lesson_on_a_taught_model_begins_with_its_start(taught, checkpoint):
    taught.model_name = taught.chosen[-1]
    assert taught.teaching.start_model == str(checkpoint)


def test_a_taught_model_is_renamed_and_exported(taught, held_jobs, tmp_path):
    taught.teaching.rename("quick-1", "my hand")
    held_jobs.work()
    assert taught.state.teaching.rows[0].name == "my hand"
    taught.teaching.export("quick-1", tmp_path / "copy.safetensors")
    held_jobs.work()
    assert load_model(tmp_path / "copy.safetensors").provenance["taught"]["labels_sha256"]
    taught.teaching.rename("quick-1", "no/slash")
    held_jobs.work()
    assert "cannot name a model" in taught.state.message(Step.LEARN)


def test_predictions_of_two_models_are_compared_in_the_view(taught, held_jobs, checkpoint, tmp_path):
    def predict(model):
        taught.prediction.predict(RunSettings(model_entry(model)))
        while taught.state.run is not None or held_jobs.waiting:
            held_jobs.work()
            take_turns()

    taught.teaching.compare("quick-1")
    assert "Predict with quick-1 first" in taught.state.message(Step.LEARN)
    predict(tmp_path / "lesson.ink" / "models" / "quick-1.safetensors")
    taught.teaching.compare("quick-1")
    assert "The shown prediction is by quick-1" in taught.state.message(Step.LEARN)
    predict(checkpoint)
    taught.teaching.compare("quick-1")
    held_jobs.work()
    compared = taught.state.predictions.row(taught.state.predictions.compared)
    assert compared.model == "quick-1" and compared.path != taught.state.prediction
    taught.teaching.compare("quick-1")
    assert taught.state.predictions.compared is None


def test_predicting_with_a_model_uses_it_first(taught, held_jobs):
    taught.teaching.use("")
    held_jobs.work()
    asked = []
    taught.teaching.prediction_requested.connect(lambda: asked.append(taught.chosen[-1]))
    taught.teaching.predict_with("quick-1")
    held_jobs.work()
    assert [path.rpartition("/")[2] for path in asked] == ["quick-1.safetensors"]


def test_cancelling_keeps_what_is_there_and_a_prediction_waits_meanwhile(labelled, held_jobs):
    labelled.teaching.learn(0)
    job = held_jobs.one("teach_job")
    job.step()
    assert "A model is learning" in labelled.state.why_no_prediction
    labelled.teaching.cancel()
    assert labelled.state.teaching.cancelling
    labelled.teaching.learn(0)  # not until the first one has saved its state
    assert held_jobs.names() == ["teach_job"]
    held_jobs.work()
    status = labelled.state.teaching
    assert (status.cancelling, status.progress, status.rows) == (False, "", ())
    assert "Learn continues" in status.outcome[-1]


def test_a_paused_lesson_lets_predictions_run_and_continues_after_them(labelled, held_jobs, checkpoint):
    labelled.teaching.learn(0)
    job = held_jobs.one("teach_job")
    job.step()
    labelled.teaching.pause()
    assert labelled.state.teaching.paused and job.is_paused
    assert labelled.state.why_no_prediction == ""
    labelled.prediction.predict(RunSettings(model_entry(checkpoint)))
    assert labelled.state.run is not None
    labelled.teaching.resume()
    assert labelled.state.teaching.paused
    assert "Wait for the prediction" in labelled.state.message(Step.LEARN)
    labelled.prediction.cancel()
    while labelled.state.run is not None:
        held_jobs.work()
        take_turns()
    labelled.teaching.resume()
    assert not labelled.state.teaching.paused
    held_jobs.work()
    assert [row.key for row in labelled.state.teaching.rows] == ["quick-1"]


def test_a_paused_lesson_can_be_cancelled(labelled, held_jobs):
    labelled.teaching.learn(0)
    held_jobs.one("teach_job").step()
    labelled.teaching.pause()
    labelled.teaching.cancel()
    held_jobs.work()
    status = labelled.state.teaching
    assert (status.is_running, status.paused) == (False, False)


def test_a_pause_does_not_count_as_time(labelled, monkeypatch):
    labelled.teaching.learn(3)
    teaching, now = labelled.teaching, [1000.0]
    monkeypatch.setattr("napari_ink.gui.controllers.teaching.time.monotonic", lambda: now[0])
    teaching._on_event(TrainingStarted(None, 0, 100, 1, "cpu", "fp32", ()), 3)
    now[0] += 10
    teaching.pause()
    now[0] += 500
    teaching.resume()
    now[0] += 10
    teaching._on_event(StepEnded(40, 0.1, 0.1, 1.0, 1e-3, 1.0), 3)
    assert labelled.state.teaching.seconds_left == pytest.approx(30)
    teaching.reset()


def test_other_projects_teach_too(labelled, held_jobs, tmp_path):
    other = tmp_path / "other.ink"
    labelled.teaching.add_project(tmp_path)
    assert "is no project" in labelled.state.message(Step.LEARN)
    labelled.teaching.add_project(tmp_path / "lesson.ink")
    assert "is the open project" in labelled.state.message(Step.LEARN)
    project = create_project(other, labelled.state.stack, "someone")
    project.annotation.apply(strokes(8), "ink")
    project.close()
    labelled.teaching.add_project(other)
    labelled.teaching.add_project(other)
    assert labelled.state.teaching.others == (other,)
    labelled.teaching.learn(0)
    held_jobs.work()
    (row,) = labelled.state.teaching.rows
    assert row.projects == ("lesson.ink", "other.ink")
    assert row.strokes == 4  # two groups of each project
    labelled.teaching.clear_projects()
    assert labelled.state.teaching.others == ()


def test_an_interrupted_lesson_is_told_when_models_are_listed(taught, held_jobs, tmp_path):
    lesson = tmp_path / "lesson.ink" / "teaching" / "a-b-0-360"
    lesson.mkdir(parents=True)
    (lesson / "request.json").write_text("{}")
    taught.teaching.use("")
    held_jobs.work()
    assert taught.state.teaching.interrupted
    taught.teaching.learn(0)
    assert not taught.state.teaching.interrupted
    held_jobs.work()


def test_curves_and_examples_are_shown_while_a_model_learns(labelled, tmp_path):
    labelled.teaching.learn(3)
    teaching = labelled.teaching
    teaching._on_event(TrainingStarted(tmp_path, 0, 1000, 1, "cpu", "fp32", ()), 3)
    for step in range(1, 8):
        teaching._on_event(StepEnded(step, 0.5 / step, 0.1, 1.0, 1e-3, 1.0), 3)
    # Of a thousand steps every third is a point of the curve.
    assert labelled.state.teaching.losses == ((3, 0.5 / 3), (6, 0.5 / 6))
    scores = Scores(0.6, 0.5, 0.7, 0.1, 0.5)
    teaching._on_event(Validated(7, scores, True, 1.0), 3)
    assert labelled.state.teaching.examples is None
    (tmp_path / "examples.png").write_bytes(b"")
    teaching._on_event(Validated(9, scores, True, 1.0), 3)
    assert labelled.state.teaching.scores == ((7, 0.6), (9, 0.6))
    assert labelled.state.teaching.examples == tmp_path / "examples.png"
    teaching._on_end()
    assert (labelled.state.teaching.losses, labelled.state.teaching.examples) == ((), None)
    teaching.reset()


def test_a_prediction_is_refused_while_a_model_learns(labelled, held_jobs, checkpoint):
    labelled.teaching.learn(0)
    labelled.prediction.predict(RunSettings(model_entry(checkpoint)))
    assert labelled.state.run is None
    assert "A model is learning" in labelled.state.message(Step.PREDICT)
    held_jobs.work()
    labelled.prediction.predict(RunSettings(model_entry(checkpoint)))
    assert labelled.state.run is not None
    labelled.teaching.learn(0)
    assert "Wait for the prediction" in labelled.state.message(Step.LEARN)


def test_an_error_is_shown_and_ends_the_progress(labelled, held_jobs):
    labelled.teaching.learn(0)
    held_jobs.one("teach_job").fail("The disk is full.")
    assert labelled.state.message(Step.LEARN) == "The disk is full."
    assert not labelled.state.teaching.is_running


def test_the_models_of_a_project_are_listed_when_it_is_opened_again(taught, held_jobs, tmp_path):
    taught.labels.annotation.flush()
    taught.open_stack(tmp_path / "lesson.npy")
    held_jobs.work()
    take_turns()
    held_jobs.work()
    assert [row.key for row in taught.state.teaching.rows] == ["quick-1"]
    assert len(taught.chosen) == 2


def test_steps_and_time_left_are_told(labelled, held_jobs):
    labelled.teaching.learn(3)
    teaching = labelled.teaching
    teaching._on_event(TrainingStarted(None, 0, 180, 1, "cpu", "fp32", ()), 3)
    teaching._on_event(StepEnded(60, 0.1, 0.1, 1.0, 1e-3, 1.0), 3)
    status = labelled.state.teaching
    assert (status.progress, status.done, status.total) == ("Step", 60, 180)
    assert 0 <= status.seconds_left < 180
    teaching._on_event(StepEnded(180, 0.1, 0.1, 1.0, 1e-3, 1.0), 3)
    assert labelled.state.teaching.progress == "Judging the deep model…"
    labelled.teaching.reset()


def test_checks_are_added_to_the_row(taught, held_jobs):
    taught.teaching.check("quick-1")
    assert "Checking quick-1" in taught.state.teaching.checking
    held_jobs.work()
    status = taught.state.teaching
    assert status.checking == ""
    assert set(status.rows[0].checks) == {"moved labels", "reversed depth", "known phantoms"}
