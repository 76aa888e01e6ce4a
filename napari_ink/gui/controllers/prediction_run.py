"""One prediction from Run to its end: the worker, its progress, and the sentence that says how it went."""

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
    from napari_ink.predict import PredictionEnded, TilePredicted
    from napari_ink.region import Region


_REPORT_S = 0.2


class PredictionRun(QObject):
    """Run a prediction on a thread and tell, on this one, how far it is.

    Parameters
    ----------
    request
        What to predict.

    Attributes
    ----------
    progress : RunProgress
        How far it is.
    has_started : bool
        Whether its store was there when the first tile was about to be read.
    looking_at : Region or None
        What is in sight, which is predicted first; to be kept up to date.
    """

    model_ready = Signal(object)
    band_read = Signal(object)
    started = Signal(object)
    tile_predicted = Signal(object)
    progressed = Signal(object)
    changed = Signal(str)
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
        """Whether it came to its end."""
        return self._result is not None and self._result.complete

    @property
    def request(self) -> RunRequest:
        """What is predicted."""
        return self._request

    @property
    def path(self) -> Path:
        """Where the prediction is stored."""
        return self._request.out

    def start(self) -> None:
        """Start the worker."""
        events = predict_job(self._request, lambda: self.looking_at)
        self._worker = start_worker(events, self._on_event, self._on_end)

    def cancel(self) -> None:
        """Stop after the batch in hand."""
        self.shut_down()
        self._advance(cancelling=True)

    def pause(self) -> None:
        """Wait after the batch in hand, with the model in memory, or go on after that."""
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
        """Stop after the batch in hand, and tell nobody."""
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
            case PredictionNote(sentence):
                self.changed.emit(sentence)
            case PredictionEnded():
                self._result = event
            case JobFailed(message):
                self._failure = message
                self.failed.emit(message)

    def _on_tile(self, event: TilePredicted) -> None:
        self.tile_predicted.emit(event)
        now = time.monotonic()
        left = seconds_left(now - (self._began or now) - self._idle_s, event.done, event.total)
        self.progress = replace(self.progress, done=event.done, total=event.total, seconds_left=left)
        # A GPU gives hundreds of tiles a second, and nobody reads that fast: the panels are told a few times a second.
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
            return f"Predicted {total} tiles in {self._result.seconds:.0f} s."
        when = f"after {done} of {total} tiles" if total else "before the first tile"
        why = f"Stopped {when}: {self._failure}" if self._failure else f"Cancelled {when}."
        # A run that fails before anything is final takes its store away.
        return f"{why} What is done is kept, and Continue goes on with it." if self.path.exists() else why


def seconds_left(elapsed: float, done: int, total: int) -> float | None:
    """Return how long the rest will take at the pace so far, or None while nothing is done."""
    return elapsed / done * (total - done) if done else None
