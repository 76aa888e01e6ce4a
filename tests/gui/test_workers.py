import threading
import time
import warnings

import pytest

from napari_ink.errors import OutputError
from napari_ink.gui.jobs.worker import JobFailed, start_worker


@pytest.fixture
def run(qtbot):
    """Run a generator on a worker to its end and return the events that arrived."""

    def go(events, on_event=lambda worker, event: None):
        arrived, over = [], []

        def see(event):
            assert threading.current_thread() is threading.main_thread()
            arrived.append(event)
            on_event(worker, event)

        worker = start_worker(events, see, lambda: over.append(True))
        qtbot.waitUntil(lambda: bool(over))
        return arrived

    return go


def test_events_arrive_on_the_main_thread(run):
    def work():
        assert threading.current_thread() is not threading.main_thread()
        yield 1
        yield 2

    assert run(work()) == [1, 2]


@pytest.mark.parametrize("error", [OutputError("The disk is full."), RuntimeError("CUDA error:\n out of memory")])
def test_errors_become_an_event_and_the_worker_ends(run, error):
    def work():
        yield 1
        raise error

    first, failed = run(work())
    assert first == 1
    assert isinstance(failed, JobFailed)
    assert " ".join(str(error).split()) in failed.message


def test_quitting_closes_the_generator_on_its_own_thread(run):
    closed_on = []

    def work():
        try:
            for step in range(1000):
                time.sleep(0.002)  # simulates the time of a tile
                yield step
        finally:
            closed_on.append(threading.current_thread())

    arrived = run(work(), lambda worker, _: worker.quit())
    assert len(arrived) < 1000
    assert closed_on != [threading.main_thread()]
    assert len(closed_on) == 1


def test_an_error_while_closing_is_reported(run):
    def work():
        try:
            while True:
                yield "tile"
        finally:
            raise OutputError("The disk is full.")

    arrived = run(work(), lambda worker, _: worker.quit())
    assert arrived[-1] == JobFailed("The disk is full.")


def test_warning_filters_of_the_window_are_left_unchanged(run):
    before = (warnings.showwarning, list(warnings.filters))

    def work():
        yield (warnings.showwarning, list(warnings.filters))

    assert run(work()) == [before]
