"""Prediction run: the worker, its progress, and a sentence on the outcome."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_ink.gui.jobs.prediction import ModelReady, PredictionBand, RunRequest, predict_job
from napari_ink.gui.jobs.worker import EventWorker, JobFailed, start_worker
from napari_ink.gui.models.status import RunProgress

if TYPE_CHECKING:
    from napari_ink.predict import PredictionEnded, TilePredicted, UnfamiliarMap
    from napari_ink.region import Region


_REPORT_S = 0.2


class PredictionRun(QObject):
    """Prediction on a worker thread, with signals on the thread of the window.

    Parameters
    ----------
    request
        Prediction to run.

    Attributes
    ----------
    progress : RunProgress
        Progress of the run.
    has_started : bool
        Whether the prediction store was created and the first tile is being read.
    looking_at : Region or None
        Visible region, whose tiles are predicted first; the caller keeps it up to date.
    """

    model_ready = Signal(object)
    band_read = Signal(object)
    started = Signal(object)
    tile_predicted = Signal(object)
    progressed = Signal(object)
    noted = Signal(object)
    failed = Signal(str)
    ended = Signal(str)

    def __init__(self, request: RunRequest, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.progress = RunProgress()
        self._request = request
        self._worker: EventWorker | None = None
        self._began: float | None = None
        self._reported_at = 0.0
        self._failure = ""
        self.has_started = False
        self._idle_s = 0.0
        self._paused_at: float | None = None
        self.looking_at: Region | None = None
        self._result: PredictionEnded | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the prediction was completed."""
        return self._result is not None and self._result.complete

    @property
    def unfamiliar(self) -> UnfamiliarMap | None:
        """Map of where not to trust the prediction; None before the end, and if the model's card does not tell."""
        return None if self._result is None else self._result.unfamiliar

    @property
    def request(self) -> RunRequest:
        """Request that the run was started with."""
        return self._request

    @property
    def path(self) -> Path:
        """Path of the prediction store."""
        return self._request.out

    def start(self) -> None:
        """Start the worker."""
        # A function, not a value: the thread asks for the visible region before each batch.
        events = predict_job(self._request, lambda: self.looking_at)
        self._worker = start_worker(events, self._on_event, self._on_end)

    def cancel(self) -> None:
        """Cancel after the current batch."""
        self.shut_down()
        self._advance(cancelling=True)

    def pause(self) -> None:
        """Pause after the current batch with the model in memory, or resume."""
        if self._worker is None:
            return
        now = time.monotonic()
        if self._paused_at is None:
            self._worker.pause()
            self._paused_at = now
        else:
            self._worker.resume()
            self._idle_s += now - self._paused_at
            self._paused_at = None
        self._advance(paused=self._paused_at is not None)

    def shut_down(self) -> None:
        """Stop after the current batch without emitting progress."""
        if self._worker is not None:
            self._worker.quit()

    def _on_event(self, event: Any) -> None:
        from napari_ink.predict import PredictionEnded, PredictionNote, PredictionStarted, TilePredicted

        match event:
            case ModelReady():
                self.model_ready.emit(event)
            case PredictionBand():
                self.band_read.emit(event)
            case PredictionStarted():
                self._began = time.monotonic()
                self._advance(total=event.tiles)
                self.started.emit(event)
                self.has_started = True
            case TilePredicted():
                self._on_tile(event)
            case PredictionNote():
                self.noted.emit(event)
            case PredictionEnded():
                self._result = event
            case JobFailed(message):
                self._failure = message
                self.failed.emit(message)

    def _on_tile(self, event: TilePredicted) -> None:
        self.tile_predicted.emit(event)
        now = time.monotonic()
        # Pauses do not count, otherwise the estimate would grow with each of them.
        left = seconds_left(now - (self._began or now) - self._idle_s, event.done, event.total)
        self.progress = replace(self.progress, done=event.done, total=event.total, seconds_left=left)
        # A GPU predicts hundreds of tiles per second; progress is emitted only a few times per second.
        if event.done == 1 or now - self._reported_at >= _REPORT_S:
            self._reported_at = now
            self.progressed.emit(self.progress)

    def _advance(self, **status: Any) -> None:
        self.progress = replace(self.progress, **status)
        self.progressed.emit(self.progress)

    def _on_end(self) -> None:
        self.ended.emit(self._outcome())

    def _outcome(self) -> str:
        done, total = self.progress.done, self.progress.total
        if self._result is not None and self._result.complete:
            return f"Predicted {total} tile{'s' * (total != 1)} in {self._result.seconds:.0f} s."
        when = f"after {done} of {total} tiles" if total else "before the first tile"
        why = f"Stopped {when}: {self._failure}" if self._failure else f"Cancelled {when}."
        # A run that fails before any tile is final removes its store.
        return f"{why} Finished tiles are kept, and Continue resumes the run." if self.path.exists() else why


def seconds_left(elapsed: float, done: int, total: int) -> float | None:
    """Return the remaining time at the current pace; None while nothing is done."""
    return elapsed / done * (total - done) if done else None
