"""Review without a window: regions are ranked, visited, marked and undone; notes are written; statistics are shown."""

from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from napari_ink.annotation import ReviewState, open_project
from napari_ink.annotation.review.notes import Notes
from napari_ink.errors import OutputError
from napari_ink.gui.layers.viewport import camera_of
from napari_ink.gui.models.review_marks import pattern
from napari_ink.gui.models.status import RunProgress
from tests.gui.controllers.conftest import make_editable
from tests.gui.doubtful import SIDE, doubtful_ink, save_wide
from tests.gui.windowless import take_turns


@pytest.fixture
def wide(session, held_jobs, tmp_path):
    """The session with empty labels on nine regions, and a prediction that is doubtful in one of them."""
    session.open_stack(save_wide(tmp_path))
    held_jobs.work()
    make_editable(session, held_jobs)
    session.prediction.shown.begin((SIDE, SIDE), False)
    ink = doubtful_ink()
    session._layers.overlay.put(slice(None), slice(None), ink, np.zeros_like(ink))
    session.store.update(has_prediction=True)
    take_turns()
    return session


def _go(session, held_jobs, name: str = "next_region") -> None:
    session.do(name)
    held_jobs.work()
    take_turns()


def test_the_queue_starts_with_the_most_doubtful_region(wide, viewer_model, held_jobs):
    _go(wide, held_jobs)
    assert wide.review.region == (1, 1)
    view = wide._layers.viewport.visible_region()
    assert view.y0 <= 260 < 508 <= view.y1 + 8
    assert "Region" in viewer_model.layers
    assert "Uncertain" in wide.state.review.region
    _go(wide, held_jobs)
    assert wide.review.region == (0, 0)
    _go(wide, held_jobs, "previous_region")
    assert wide.review.region == (1, 1)
    assert wide.state.review.queued == 9


def test_a_new_prediction_makes_a_new_queue(wide, held_jobs, tmp_path):
    _go(wide, held_jobs)
    assert wide.review.region == (1, 1)
    wide._layers.overlay.put(slice(0, 256), slice(256, 512), np.full((256, 256), 128, np.uint8), np.zeros((256, 256)))
    wide.store.update(prediction=tmp_path / "next.zarr", run=RunProgress())
    _go(wide, held_jobs)
    assert wide.review.region == (0, 0)  # while it runs, the queue stays
    wide.store.update(run=None)
    _go(wide, held_jobs)
    assert wide.review.region == (0, 1)
    assert "The prediction is unsure. Uncertainty 100%, disagreement" in wide.state.review.region


def test_a_mark_is_stored_with_author_and_time_and_the_next_region_opens(wide, viewer_model, held_jobs, tmp_path):
    _go(wide, held_jobs)
    wide.do("reviewed")
    assert wide.review.region == (0, 0)
    wide.do("flagged")
    take_turns()
    status = wide.state.review
    assert (status.reviewed, status.flagged, status.regions, status.queued) == (1, 1, 9, 7)
    assert status.seconds_left is not None
    layer = viewer_model.layers["Review"]
    reviewed, flagged = pattern(ReviewState.REVIEWED, 64), pattern(ReviewState.FLAGGED, 64)
    assert (layer.data[64:128, 64:128] == reviewed).all()
    assert (layer.data[:64, :64] == flagged).all()
    assert (layer.data > 0).sum() == (reviewed > 0).sum() + (flagged > 0).sum()
    assert tuple(layer.data_to_world((64, 64))) == (257.5, 257.5)  # the middle of 256…259
    assert (flagged == 0).mean() > 0.7 and (reviewed == 0).mean() > 0.85  # the papyrus stays visible
    assert viewer_model.layers.index("Review") < viewer_model.layers.index("Ink labels")
    wide.labels.annotation.flush()
    stored = open_project(tmp_path / "wide.ink")
    assert stored.annotation.read("review", (0, 3), (0, 3)).tolist() == [[3, 0, 0], [0, 2, 0], [0, 0, 0]]
    assert stored.annotation.history()[-1].author
    stored.close()
    _go(wide, held_jobs, "previous_region")
    assert "flagged" in wide.state.review.region
    assert "UTC" in wide.state.review.region


def test_marks_are_undone_like_strokes_and_the_mask_follows(wide, viewer_model, held_jobs, tmp_path):
    _go(wide, held_jobs)
    wide.do("reviewed")
    take_turns()
    assert wide.state.review.reviewed == 1
    wide.export.export("supervision", "labels", tmp_path / "seen.png")
    held_jobs.work()
    with Image.open(tmp_path / "seen.png") as picture:
        seen = np.asarray(picture)
    assert (seen[256:512, 256:512] == 255).all()
    assert seen.sum() == 255 * 256 * 256
    wide.labelling.undo()
    assert wide.state.review.reviewed == 0
    assert viewer_model.layers["Review"].data.max() == 0


def test_without_a_queue_the_region_in_the_middle_of_the_view_is_marked(wide, viewer_model):
    camera_of(viewer_model).center = (0, 550.0, 100.0)
    wide.do("in_progress")
    assert wide.review.region == (2, 0)
    assert wide.state.review.in_progress == 1


def test_an_outline_out_of_sight_is_not_marked_but_the_region_under_the_mouse(wide, viewer_model, monkeypatch):
    wide.do("in_progress")
    outlined = wide.review.region
    assert f"Region {outlined[0] + 1}, {outlined[1] + 1} (in the middle) was marked" in wide.state.review.note
    wide.do("flagged")
    assert "(outlined)" in wide.state.review.note and wide.review.region == outlined
    monkeypatch.setattr(wide._layers.viewport, "has_mouse", lambda: True)
    camera_of(viewer_model).zoom = 20.0
    camera_of(viewer_model).center = (0, 560.0, 570.0)
    viewer_model.cursor.position = (0, 555.0, 565.0)
    wide.do("reviewed")
    assert wide.review.region == (2, 2)
    assert "Region 3, 3 (under the mouse) was marked reviewed." in wide.state.review.note


def test_the_end_of_the_queue_is_reported(wide, held_jobs):
    _go(wide, held_jobs)
    for _ in range(9):
        wide.do("reviewed")
    assert "reached the end of the queue" in wide.state.review.note
    _go(wide, held_jobs)
    assert "Every region" in wide.state.review.note


def test_statistics_are_shown(wide, held_jobs):
    wide.labels.apply([("ink", 20, 20, np.full((20, 20), 2, np.uint8))], "ink")
    wide.labels.apply([("ink", 100, 100, np.full((20, 20), 2, np.uint8))], "ink")
    wide.review.count()
    held_jobs.work()
    for words in ("Ink: 800 px", "0 of 9 regions", "2 today, 2 in all", "agree on 50.0%"):
        assert words in wide.state.review.statistics


def test_ranking_can_be_cancelled_and_its_result_is_dropped(wide, held_jobs):
    wide.do("next_region")
    assert wide.state.review.busy
    wide.review.cancel()
    held_jobs.work()
    assert wide.review.region is None
    assert not wide.state.review.busy


def test_statistics_of_one_segment_are_not_shown_for_the_next(wide, held_jobs, segment):
    wide.review.count()
    wide.open_stack(segment)
    held_jobs.work("open_job", "project_job")
    assert "statistics_job" in held_jobs.names()
    make_editable(wide, held_jobs)  # the statistics arrive meanwhile
    assert not held_jobs.waiting
    assert wide.state.review.statistics == ""


def test_an_empty_note_is_not_stored(wide, viewer_model, held_jobs):
    wide.review.add_note(10.4, 20.6, "  ")
    assert len(wide.labels.project.notes) == 0 and not held_jobs.waiting
    wide.review.add_note(10.4, 20.6, " a fibre ")
    assert len(wide.labels.project.notes) == 0  # the GUI thread does not wait for the disk
    held_jobs.work()
    take_turns()
    (note,) = wide.state.review.notes
    assert (note.y, note.x, note.text) == (10, 21, "a fibre")
    assert len(viewer_model.layers["Notes"].data) == 1


def test_notes_that_wait_for_a_thread_are_written_before_the_project_is_closed(wide, held_jobs, tmp_path):
    folder = wide.labels.project.folder
    for text in ("one", "two", "three"):
        wide.review.add_note(10, 20, text)
    held_jobs.waiting[0].step()
    wide.labels.end()
    assert [note.text for note in Notes(folder / "notes.json")] == ["one", "two", "three"]
    held_jobs.work()
    assert [note.text for note in Notes(folder / "notes.json")] == ["one", "two", "three"]


def test_a_note_that_cannot_be_written_is_reported(wide, held_jobs, monkeypatch, errors):
    monkeypatch.setattr(Notes, "add", Mock(side_effect=OutputError("The disk is full; free some space.")))
    wide.review.add_note(10, 20, "one")
    held_jobs.work()
    assert errors == ["The disk is full; free some space."]
