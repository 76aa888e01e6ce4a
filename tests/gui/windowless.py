"""Sessions without a window: a viewer model with real layers, jobs that run only when a test asks, a session on both.

`ViewerModel` is napari's viewer without its window: layers, depth slider, camera, cursor and keys are real, and nothing
is drawn. `Jobs` holds jobs that would run on a thread, until a test runs them on its own thread.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

from napari_ink.errors import NapariInkError
from napari_ink.gui.controllers import compare, contrast, depth, live, prediction_run, profile, projection
from napari_ink.gui.controllers.state_store import StateStore
from napari_ink.gui.jobs import runner
from napari_ink.gui.jobs.runner import JobRunner
from napari_ink.gui.jobs.worker import Events, JobFailed
from napari_ink.gui.layers import label_layers, layer_list, roi_layer, viewport
from napari_ink.gui.session import InkSession
from tests.gui.driving import settle

CANVAS = (600, 800)
# Seconds that each part waits for the last of several changes.
_RESTS = {
    layer_list: "_TURN_MS",
    viewport: "_REST_MS",
    roi_layer: "_SETTLE_MS",
    label_layers: "_SETTLE_MS",
    compare: "_SETTLE_MS",
    contrast: "_SETTLE_MS",
    projection: "_SETTLE_MS",
    depth: "_REST_MS",
    live: "_SETTLE_MS",
    profile: "_REST_MS",
}


class HeldJob:
    """A job that does nothing until a test asks for it: the return value of `start_worker`, without the thread.

    Attributes
    ----------
    name : str
        The name of the generator, such as ``export_job``.
    is_running, is_paused : bool
        Whether it has not ended yet, and whether a pause was requested.
    """

    def __init__(self, events: Events, on_event: Callable, on_end: Callable) -> None:
        self.name = events.__name__
        self.is_running, self.is_paused = True, False
        self._events, self._on_event, self._on_end = events, on_event, on_end
        self._is_asked_to_quit = False

    def quit(self) -> None:
        """Request an end at the next event."""
        self._is_asked_to_quit, self.is_paused = True, False

    def pause(self) -> None:
        """Request a pause at the next event."""
        self.is_paused = True

    def resume(self) -> None:
        """Continue after a pause."""
        self.is_paused = False

    def step(self) -> None:
        """Work until the next event and deliver it, as a worker does; end the job if there is none."""
        try:
            event = next(self._events)
        except StopIteration:
            return self._end()
        except NapariInkError as error:
            self._on_event(JobFailed(str(error), error))
            return self._end()
        self._on_event(event)
        if self._is_asked_to_quit:
            self._events.close()
            self._end()

    def fail(self, message: str) -> None:
        """Fail now with a message."""
        self._events.close()
        self._on_event(JobFailed(message, NapariInkError(message)))
        self._end()

    def _end(self) -> None:
        self.is_running = False
        self._on_end()


class Jobs:
    """All started jobs, which are held."""

    def __init__(self) -> None:
        self._started: list[HeldJob] = []

    def start(self, events: Events, on_event: Callable, on_end: Callable) -> HeldJob:
        """Hold a job, in place of `start_worker`."""
        self._started.append(HeldJob(events, on_event, on_end))
        return self._started[-1]

    @property
    def waiting(self) -> list[HeldJob]:
        """Jobs that have not ended, the oldest first, including those that were asked to quit."""
        return [job for job in self._started if job.is_running]

    def names(self) -> list[str]:
        """Return the names of the jobs that have not ended, the oldest first."""
        return [job.name for job in self.waiting]

    def one(self, name: str) -> HeldJob:
        """Return the newest job of this name that has not ended."""
        return [job for job in self.waiting if job.name == name][-1]

    def work(self, *names: str) -> None:
        """Run jobs and those that they start to their end; only jobs of these names if there are any."""
        while jobs := [one for one in self.waiting if not one.is_paused and (not names or one.name in names)]:
            jobs[0].step()


@pytest.fixture
def held_jobs(monkeypatch) -> Jobs:
    """Jobs that would run on threads, held until a test calls `work` or `step`."""
    jobs = Jobs()
    monkeypatch.setattr(runner, "start_worker", jobs.start)
    monkeypatch.setattr(prediction_run, "start_worker", jobs.start)
    return jobs


@pytest.fixture
def state_store(qapp) -> StateStore:
    """A state store without views."""
    return StateStore()


@pytest.fixture
def job_runner(held_jobs, state_store) -> JobRunner:
    """A runner that reports to the store; its jobs are `held_jobs`."""
    return JobRunner(state_store.fail, state_store.succeed, lambda what: state_store.update(busy=what))


@pytest.fixture
def viewer_model(qapp, monkeypatch) -> ViewerModel:
    """A viewer without a window, on a canvas of 600 × 800 pixels; delays last one turn of the event loop."""
    monkeypatch.setattr(viewport, "canvas_size", lambda _dock: CANVAS)
    for module, rest in _RESTS.items():
        monkeypatch.setattr(module, rest, 0)
    return ViewerModel()


@pytest.fixture
def session(viewer_model, held_jobs) -> Iterator[InkSession]:
    """The session with all controllers, real layers and no views; its jobs are `held_jobs`."""
    parent = QWidget()
    made = InkSession(viewer_model, parent)
    made.bind_actions({})
    yield made
    made.shut_down()
    for job in held_jobs.waiting:
        job.quit()
    held_jobs.work()
    parent.deleteLater()


def take_turns() -> None:
    """Process pending turns of the event loop: each turn adds one layer and emits the state once."""
    for _ in range(12):
        settle()


@pytest.fixture
def open_session(session, held_jobs, segment: Path) -> InkSession:
    """The session with the segment open."""
    session.open_stack(segment)
    held_jobs.work()
    assert session.state.stack is not None
    return session
