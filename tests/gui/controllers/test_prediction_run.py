"""One run from its events to its outcome: its signals, their rate, and the effect of a pause on the time left."""

from unittest.mock import Mock

import pytest

from napari_ink.gui.controllers import prediction_run
from napari_ink.gui.controllers.prediction_run import PredictionRun, seconds_left
from napari_ink.gui.jobs.prediction import RunRequest
from napari_ink.predict import PredictionEnded, PredictionNote, PredictionStarted, TilePredicted

KEPT = "Finished tiles are kept, and Continue resumes the run."


class Clock:
    """A clock that advances only when a test asks for it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(prediction_run, "time", made)
    return made


def _started(total: int = 10) -> Mock:
    return Mock(spec=PredictionStarted, tiles=total)


def _tile(done: int, total: int = 10) -> Mock:
    return Mock(spec=TilePredicted, done=done, total=total)


@pytest.fixture
def events(monkeypatch):
    """The engine's events; a test appends to them before it steps."""
    pending = []

    def job(request, looking_at):
        while pending:
            event = pending.pop(0)
            if isinstance(event, Exception):
                raise event
            yield event

    monkeypatch.setattr(prediction_run, "predict_job", job)
    return pending


@pytest.fixture
def run(held_jobs, events, clock, tmp_path, qapp):
    made = PredictionRun(Mock(spec=RunRequest, out=tmp_path / "out.zarr"))
    made.reported, made.ends, made.failures = [], [], []
    made.progressed.connect(made.reported.append)
    made.ended.connect(made.ends.append)
    made.failed.connect(made.failures.append)
    made.start()
    return made


def test_a_run_to_its_end(run, events, held_jobs):
    ended = Mock(spec=PredictionEnded, complete=True, seconds=4.4)
    events += [_started(2), _tile(1, 2), _tile(2, 2), ended]
    held_jobs.work()
    assert run.ends == ["Predicted 2 tiles in 4 s."]
    assert run.is_whole and run.has_started


@pytest.mark.parametrize(
    ("before", "is_kept", "outcome"),
    [
        ([], False, "Cancelled before the first tile."),
        ([_started(), _tile(1)], False, "Cancelled after 1 of 10 tiles."),
        ([_started(), _tile(1)], True, f"Cancelled after 1 of 10 tiles. {KEPT}"),
    ],
)
def test_a_cancelled_run_reports_its_progress(run, events, held_jobs, before, is_kept, outcome):
    if is_kept:
        run.path.mkdir()
    events += before
    for _ in before:
        held_jobs.waiting[0].step()
    run.cancel()
    assert run.progress.cancelling
    held_jobs.work()
    assert run.ends == [outcome] and not run.is_whole and not run.failures


def test_a_failed_run_reports_its_reason_once(run, events, held_jobs):
    events += [_started(), _tile(1)]
    held_jobs.waiting[0].step()
    held_jobs.waiting[0].step()
    held_jobs.waiting[0].fail("The disk is full.")
    assert run.ends == ["Stopped after 1 of 10 tiles: The disk is full."]
    assert run.failures == ["The disk is full."]


def test_a_run_that_ends_early_is_incomplete(run, events, held_jobs):
    events += [_started(), Mock(spec=PredictionEnded, complete=False, seconds=1)]
    held_jobs.work()
    assert not run.is_whole and run.ends == ["Cancelled after 0 of 10 tiles."]


def test_progress_is_signalled_a_few_times_a_second(run, events, held_jobs, clock):
    events += [_started(100), *(_tile(n, 100) for n in range(1, 41))]
    for _ in range(41):
        clock.now += 0.05
        held_jobs.waiting[0].step()
    tiles = [progress.done for progress in run.reported if progress.done]
    assert tiles[0] == 1  # immediately
    assert 8 <= len(tiles) <= 11  # in 2 s, instead of 40
    assert run.progress.done == 40


def test_the_time_left_follows_the_pace_without_pauses(run, events, held_jobs, clock):
    events += [_started(), _tile(2), _tile(4)]
    held_jobs.waiting[0].step()
    clock.now += 4
    held_jobs.waiting[0].step()
    assert run.progress.seconds_left == 16
    run.pause()
    assert run.progress.paused and held_jobs.waiting[0].is_paused
    clock.now += 600
    run.pause()
    assert not run.progress.paused and not held_jobs.waiting[0].is_paused
    clock.now += 4
    held_jobs.waiting[0].step()
    assert run.progress.seconds_left == 12


def test_no_time_left_is_shown_before_the_first_tile():
    assert seconds_left(5.0, 0, 10) is None
    assert seconds_left(5.0, 5, 10) == 5.0


def test_notes_during_a_run_are_forwarded(run, events, held_jobs):
    notes = []
    run.noted.connect(notes.append)
    events.append(PredictionNote("Half the batch fits."))
    held_jobs.work()
    assert notes == [PredictionNote("Half the batch fits.")]


def test_a_run_can_be_cancelled_and_paused_before_its_start(qapp, tmp_path):
    run = PredictionRun(Mock(spec=RunRequest, out=tmp_path / "out.zarr"))
    run.pause()
    assert not run.progress.paused
    run.cancel()
    assert run.progress.cancelling
