"""Predictions without a window: the real engine, a tile at a time, whenever a test says so."""

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
        Holds what would run on threads.
    settings
        The settings to run with.
    """

    def __init__(self, session: InkSession, jobs: Jobs, settings: RunSettings) -> None:
        self.session, self.jobs, self.settings = session, jobs, settings

    def begin(self, tiles: int = 0, **changes: Any) -> None:
        """Press Run, with other settings if some are given, and wait for so many tiles."""
        self.session.prediction.predict(replace(self.settings, **changes))
        take_turns()
        if tiles:
            self.until_tiles(tiles)

    def change(self, **changes: Any) -> None:
        """Change settings while it runs."""
        self.session.prediction.change(replace(self.settings, **changes))

    def until_tiles(self, tiles: int) -> None:
        """Let it run until so many tiles are done."""
        self.until(lambda: self.session.state.run is not None and self.session.state.run.done >= tiles)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Let it run, an event at a time, until something is so."""
        take_turns()
        while not is_so():
            assert self.jobs.waiting, "nothing is left to run"
            self.jobs.waiting[0].step()
            take_turns()

    def until_over(self) -> None:
        """Let it run to its end, and whatever follows from that."""
        self.until(lambda: self.session.state.run is None and not self.jobs.waiting)

    @property
    def job(self) -> HeldJob:
        """The prediction under way."""
        return self.jobs.one("predict_job")

    @property
    def path(self) -> Path | None:
        """Where the prediction is."""
        return self.session.state.prediction

    @property
    def stored(self) -> Prediction:
        """What is stored of it."""
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
    """Predictions of the segment, of some twenty tiles in one block."""
    monkeypatch.setattr(prediction_run, "_REPORT_S", 0)
    return Driver(open_session, held_jobs, settings)


@pytest.fixture
def strip(tmp_path: Path) -> Path:
    """A stack of three blocks side by side: of a run that is stopped half-way something is final."""
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
    """A run that was stopped half-way, with something final."""
    strip_run.begin(tiles=30)
    strip_run.session.prediction.cancel()
    strip_run.until_over()
    assert 0 < strip_run.stored.done_fraction < 1
    return strip_run
