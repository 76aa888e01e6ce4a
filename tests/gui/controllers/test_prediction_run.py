"""One run from its events to its last sentence: what is told, how often, and what a pause does to the time left."""

from unittest.mock import Mock

import pytest

from napari_ink.gui.controllers import prediction_run
from napari_ink.gui.controllers.prediction_run import PredictionRun, seconds_left
from napari_ink.gui.jobs.prediction import RunRequest
from napari_ink.predict import PredictionEnded, PredictionNote, PredictionStarted, TilePredicted

KEPT = "Finished tiles are kept, and Continue resumes the run."


class Clock:
    """The time, which goes on when a test says so."""

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
    """What the engine tells; a test appends to it before it steps."""
    told = []

    def job(request, looking_at):
        while told:
            event = told.pop(0)
            if isinstance(event, Exception):
                raise event
            yield event

    monkeypatch.setattr(prediction_run, "predict_job", job)
    return told


@pytest.fixture
def run(held_jobs, events, clock, tmp_path, qapp):
    made = PredictionRun(Mock(spec=RunRequest, out=tmp_path / "out.zarr"))
    made.told, made.ends, made.failures = [], [], []
    made.progressed.connect(made.told.append)
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
def test_a_run_that_is_cancelled_says_how_far_it_came(run, events, held_jobs, before, is_kept, outcome):
    if is_kept:
        run.path.mkdir()
    events += before
    for _ in before:
        held_jobs.waiting[0].step()
    run.cancel()
    assert run.progress.cancelling
    held_jobs.work()
    assert run.ends == [outcome] and not run.is_whole and not run.failures


def test_a_run_that_fails_says_why_and_tells_it_once(run, events, held_jobs):
    events += [_started(), _tile(1)]
    held_jobs.waiting[0].step()
    held_jobs.waiting[0].step()
    held_jobs.waiting[0].fail("The disk is full.")
    assert run.ends == ["Stopped after 1 of 10 tiles: The disk is full."]
    assert run.failures == ["The disk is full."]


def test_a_run_that_ends_early_is_not_whole(run, events, held_jobs):
    events += [_started(), Mock(spec=PredictionEnded, complete=False, seconds=1)]
    held_jobs.work()
    assert not run.is_whole and run.ends == ["Cancelled after 0 of 10 tiles."]


def test_panels_are_told_a_few_times_a_second(run, events, held_jobs, clock):
    events += [_started(100), *(_tile(n, 100) for n in range(1, 41))]
    for _ in range(41):
        clock.now += 0.05
        held_jobs.waiting[0].step()
    tiles = [progress.done for progress in run.told if progress.done]
    assert tiles[0] == 1  # at once
    assert 8 <= len(tiles) <= 11  # of 2 s, and not 40
    assert run.progress.done == 40


def test_the_time_left_is_at_the_pace_so_far_without_pauses(run, events, held_jobs, clock):
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


def test_nothing_done_says_nothing_of_the_time_left():
    assert seconds_left(5.0, 0, 10) is None
    assert seconds_left(5.0, 5, 10) == 5.0


def test_notes_on_the_way_are_passed_on(run, events, held_jobs):
    said = []
    run.changed.connect(said.append)
    events.append(PredictionNote("Half the batch fits."))
    held_jobs.work()
    assert said == ["Half the batch fits."]


def test_it_can_be_cancelled_and_paused_before_it_is_started(qapp, tmp_path):
    run = PredictionRun(Mock(spec=RunRequest, out=tmp_path / "out.zarr"))
    run.pause()
    assert not run.progress.paused
    run.cancel()
    assert run.progress.cancelling
