"""Live mode: after each stroke, a forest learns from all strokes so far and predicts the visible region again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from superqt.utils import QSignalDebouncer

from napari_ink.gui.jobs.teaching import LiveTeacher, live_area
from napari_ink.gui.layers.live_layer import LiveLayer
from napari_ink.gui.models.state import Step
from napari_ink.gui.models.status import LiveStatus
from napari_ink.training import block_region

if TYPE_CHECKING:
    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.jobs.worker import JobFailed
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.training import LiveEvent

_JOB = "live"
_SETTLE_MS = 150
_SLOW_S = 0.5
_PARTIAL = "Live shows the middle of the picture only; zoom in to see it everywhere."


class LiveController(QObject):
    """Controller of the live mode, which is off at first.

    Parameters
    ----------
    store
        State of the window.
    jobs
        Runner of background jobs.
    layers
        Layers of the viewer.
    labels
        Controller of the labels, whose strokes are answered.
    start_model
        Function that returns the name or path of the model to start from.
    """

    def __init__(
        self,
        store: StateStore,
        jobs: JobRunner,
        layers: LayerManager,
        labels: LabelsController,
        start_model: Callable[[], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._jobs, self._layers, self._labels = store, jobs, layers, labels
        self._start_model = start_model
        self._layer = LiveLayer(layers, self)
        self._teacher: LiveTeacher | None = None
        # Blocks that the head in use has predicted; the next answer begins with all others.
        self._answered: set[tuple[int, int]] = set()
        self._head = 0
        self._note = self._took = ""
        self._began = 0.0
        self._settled = QSignalDebouncer(parent=self)
        self._settled.setTimeout(_SETTLE_MS)
        self._settled.triggered.connect(self._answer)
        labels.edited.connect(self._on_changed)
        labels.ending.connect(self.reset)
        layers.viewport.settled.connect(self._on_changed)
        layers.gone.connect(self._on_layers_gone)

    def switch(self, is_on: bool) -> None:
        """Turn the live mode on or off."""
        if is_on == self._status.is_on:
            return
        if not is_on:
            self.reset()
        elif (why_not := self._why_not()) is not None:
            self._store.notify(why_not, Step.LEARN)
        else:
            self._show("", is_on=True)
            self._answer()

    def toggle(self) -> None:
        """Turn the live mode on if it is off, and off if it is on."""
        self.switch(not self._status.is_on)

    def reset(self) -> None:
        """Turn the live mode off, and forget all features."""
        self._jobs.cancel(_JOB)
        self._layer.remove()
        self._teacher, self._note = None, ""
        self._answered.clear()
        self._show("", is_on=False)

    @property
    def _status(self) -> LiveStatus:
        return self._store.state.live

    def _why_not(self) -> str | None:
        if self._labels.annotation is None:
            return "Live needs labels; make them in the step Correct."
        return self._store.state.teaching.missing or None

    def _on_changed(self, *_: object) -> None:
        if self._status.is_on:
            self._settled.throttle()

    def _answer(self) -> None:
        """Start an answer to the strokes so far, in place of an earlier one."""
        stack, annotation = self._store.state.stack, self._labels.annotation
        if not self._status.is_on or stack is None or annotation is None:
            return
        area = self._layers.viewport.visible_region()
        if area is None:
            return
        start = self._start_model()
        if self._teacher is None or self._teacher.start != start:
            self._teacher, self._head = LiveTeacher(stack, annotation, start), 0
            self._answered.clear()
        self._began = time.perf_counter()
        part = live_area(area, stack.shape[1:])
        # What left the view is predicted again later, so that memory does not grow with what was seen.
        self._answered = {block for block in self._answered if part.holds(block_region(block, stack.shape[1:]))}
        self._layer.cover(part)
        self._note, self._took = "" if part.holds(area) else _PARTIAL, ""
        job = self._teacher.answer_job(part, frozenset(self._answered))
        # Without the step, since an answer must not clear the error of a lesson.
        self._jobs.run(_JOB, job, self._on_event, on_failure=self._on_failure, on_end=self._on_end)

    def _on_event(self, event: LiveEvent) -> None:
        from napari_ink.training import AreaAnswered, BlockAnswered, HeadFitted, LiveNote, StrokesRead

        match event:
            case LiveNote():
                self._note = event.text
            # Only where it takes long, since a text that flashes after each stroke distracts.
            case StrokesRead() if time.perf_counter() - self._began > _SLOW_S:
                self._show(f"Reading features under the strokes: {event.done} of {event.total}")
            case HeadFitted() if event.number != self._head:
                self._head = event.number
                self._answered.clear()
            case BlockAnswered():
                self._layer.put(event.region, event.ink)
                self._answered.add(event.block)
            case AreaAnswered():
                self._took = f"Answered in {time.perf_counter() - self._began:.1f} s."
                self._on_end()

    def _on_end(self) -> None:
        self._show(" ".join(filter(None, (self._took, self._note))))

    def _on_failure(self, failure: JobFailed) -> None:
        self.reset()
        self._store.fail(failure.message, Step.LEARN)

    def _on_layers_gone(self) -> None:
        if self._status.is_on and self._layer.region is not None and not self._layer.is_shown:
            self.reset()

    def _show(self, text: str, is_on: bool | None = None) -> None:
        self._store.update(live=LiveStatus(self._status.is_on if is_on is None else is_on, text))

    def release(self) -> None:
        """Stop answering, because the panel is closed."""
        self._labels.ending.disconnect(self.reset)
        self._jobs.cancel(_JOB)
