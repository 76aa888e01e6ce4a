"""Predictions without a window: the real engine, which computes a tile only when a test asks for it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Layer

from napari_ink.gui.controllers import prediction_run
from napari_ink.gui.models.prediction import RunSettings, model_entry
from napari_ink.gui.session import InkSession
from napari_ink.predict import Prediction, open_prediction
from tests.gui.windowless import HeldJob, Jobs, take_turns


class Driver:
    """Drives a session's predictions.

    Parameters
    ----------
    session
        The session, with a stack open.
    jobs
        The jobs that would run on threads.
    settings
        The settings of the run.
    """

    def __init__(self, session: InkSession, jobs: Jobs, settings: RunSettings) -> None:
        self.session, self.jobs, self.settings = session, jobs, settings

    def begin(self, tiles: int = 0, **changes: Any) -> None:
        """Press Run, with changed settings if there are any, and wait for a number of tiles."""
        self.session.prediction.predict(replace(self.settings, **changes))
        take_turns()
        if tiles:
            self.until_tiles(tiles)

    def change(self, **changes: Any) -> None:
        """Change settings during the run."""
        self.session.prediction.change(replace(self.settings, **changes))

    def until_tiles(self, tiles: int) -> None:
        """Run until a number of tiles is done."""
        self.until(lambda: self.session.state.run is not None and self.session.state.run.done >= tiles)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Run event by event until a condition is true."""
        take_turns()
        while not is_so():
            assert self.jobs.waiting, "no job is waiting"
            self.jobs.waiting[0].step()
            take_turns()

    def until_over(self) -> None:
        """Run to the end, including the jobs that follow."""
        self.until(lambda: self.session.state.run is None and not self.jobs.waiting)

    @property
    def job(self) -> HeldJob:
        """The running prediction."""
        return self.jobs.one("predict_job")

    @property
    def path(self) -> Path | None:
        """The path of the prediction."""
        return self.session.state.prediction

    @property
    def stored(self) -> Prediction:
        """The stored part of the prediction."""
        return open_prediction(self.path)

    def layer(self, name: str = "Ink (predicted)") -> Layer:
        """Return a layer of the prediction."""
        return self.session._viewer.layers[name]

    def shown(self, name: str = "Ink (predicted)") -> np.ndarray:
        """Return the values that a layer shows."""
        layer = self.layer(name)
        return np.asarray(layer.data[0] if layer.multiscale else layer.data)

    def shows_all_that_is_stored(self) -> bool:
        """Whether the overlay and the store agree."""
        stored = self.stored
        return np.array_equal(self.shown(), stored.read("ink")) and np.array_equal(
            self.shown("Edges (predicted)"), stored.read("edge")
        )


@pytest.fixture
def settings(checkpoint) -> RunSettings:
    """The settings of a run with the random model."""
    return RunSettings(model_entry(checkpoint), device="cpu")


@pytest.fixture
def run(open_session, held_jobs, settings, monkeypatch) -> Driver:
    """Predictions of the segment, with about twenty tiles in one block."""
    monkeypatch.setattr(prediction_run, "_REPORT_S", 0)
    return Driver(open_session, held_jobs, settings)


@pytest.fixture
def strip(tmp_path: Path) -> Path:
    """A stack of three blocks side by side, so that a run stopped half-way has finished blocks."""
    values = np.random.default_rng(2).integers(1000, 50000, (8, 40, 700), dtype=np.uint16)
    np.save(tmp_path / "strip.npy", values)
    return tmp_path / "strip.npy"


@pytest.fixture
def strip_run(session, held_jobs, settings, strip, monkeypatch) -> Driver:
    """Predictions of a stack of three blocks."""
    monkeypatch.setattr(prediction_run, "_REPORT_S", 0)
    session.open_stack(strip)
    held_jobs.work()
    take_turns()
    return Driver(session, held_jobs, settings)


@pytest.fixture
def stopped_run(strip_run) -> Driver:
    """A run that was stopped half-way, with finished blocks."""
    strip_run.begin(tiles=30)
    strip_run.session.prediction.cancel()
    strip_run.until_over()
    assert 0 < strip_run.stored.done_fraction < 1
    return strip_run
