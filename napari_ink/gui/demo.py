"""Demonstration: open the sample, predict and draft labels; in headless mode, also save pictures and scores.

It presses the buttons of the panel, so that it shows exactly what a user gets.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.errors import LabelError, storage_errors
from napari_ink.gui.app import require_display, viewer_with_dock
from napari_ink.gui.jobs.worker import JobFailed, start_worker
from napari_ink.gui.models.state import ExportWhat, InkState
from napari_ink.stack import DepthStack, find_beside, read_mask

if TYPE_CHECKING:
    import napari

    from napari_ink.gui.dock import InkDock

_SIZE = (1800, 1060)
_SETTLE_MS = 1500
_FILES = {
    "window.png": "Picture of the window",
    "ink.png": "Ink mask",
    "edges.png": "Edge mask",
    "scores.json": "Scores against the known ink",
}


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a prediction against the known ink of the sample; F0.5 unless named otherwise.

    Attributes
    ----------
    f0_5, threshold
        Score at the threshold that the panel shows.
    best_f0_5, best_threshold, average_precision
        Scores over all thresholds.
    edge_ods
        Score of the predicted edges against the outlines of the known ink.
    projection_best_f0_5
        Score of the maximum over the depth layers at its best threshold.
    """

    f0_5: float
    threshold: float
    best_f0_5: float
    best_threshold: float
    average_precision: float
    edge_ods: float
    projection_best_f0_5: float


def run_demo(headless: Path | None = None) -> int:
    """Open the sample in napari, predict, and leave the labels ready to edit.

    Parameters
    ----------
    headless
        Folder for a picture of the window, the masks and the scores. If given, the window closes by itself.

    Returns
    -------
    int
        0, or 1 after an error, which is shown in a notification or on standard error.

    Raises
    ------
    BadInputError
        If there is no display, or `headless` cannot be written.
    """
    require_display()
    if headless is not None:
        with storage_errors(headless):
            headless.mkdir(parents=True, exist_ok=True)
            for name in _FILES:
                (headless / name).unlink(missing_ok=True)
    import napari

    viewer, dock = viewer_with_dock()
    if headless is not None:
        viewer.window.resize(*_SIZE)
    demo = Demonstration(viewer, dock, headless)
    with TemporaryDirectory() as folder:
        if headless is not None:  # keeps strokes in the user's sample project out of the pictures
            dock.session.stack.projects_in = Path(folder)
        demo.begin()
        napari.run()
    return demo.exit_code


class Demonstration(QObject):
    """Sequence of button presses, each as soon as the session is ready for it."""

    ended = Signal()

    def __init__(self, viewer: napari.Viewer, dock: InkDock, headless: Path | None) -> None:
        super().__init__()
        self.exit_code = 0 if headless is None else 1
        self._viewer, self._dock, self._headless = viewer, dock, headless
        self._steps = self._script()
        self._state = dock.session.state  # as rendered, because only enabled buttons can be pressed
        # One step per turn of the event loop, since a pressed button changes the state before its step has ended.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._advance)
        dock.session.changed.connect(self._on_changed)
        dock.session.failed.connect(self._on_failed)

    def begin(self) -> None:
        """Start once the window is open."""
        next(self._steps)
        self._timer.start(0)

    def _script(self) -> Generator[None, InkState, None]:
        """Press each button once the state allows it; every `yield` returns the current state."""
        dock = self._dock
        yield
        dock.stack.sample_button.click()
        while (state := (yield)).stack is None or state.busy:
            pass
        dock.predict.run_button.click()
        while (state := (yield)).run is not None or not state.outcome:
            pass
        if not state.labels_edited:  # edits of an earlier demonstration are kept
            dock.correct.editable_button.click()
            while not (state := (yield)).labels or state.busy:
                pass
        if self._headless is not None and state.prediction is not None and state.stack is not None:
            yield from self._save(self._headless, state.stack, state.prediction)

    def _save(self, folder: Path, stack: DepthStack, prediction: Path) -> Generator[None, InkState, None]:
        masks: dict[ExportWhat, str] = {"ink": "ink.png", "edges": "edges.png"}
        for what, name in masks.items():
            self._dock.session.export.export(what, "prediction", folder / name)
            while (state := (yield)).busy or not state.exported:
                pass
        scoring = score_job(stack, prediction, state.ink_threshold, folder / "scores.json")
        start_worker(scoring, self._on_scores, self._on_scored)

    def _on_changed(self, state: InkState) -> None:
        self._state = state
        self._timer.start(0)

    def _advance(self) -> None:
        with suppress(StopIteration):
            self._steps.send(self._state)

    def _on_scores(self, event: Scores | JobFailed) -> None:
        if isinstance(event, JobFailed):
            self._on_failed(event.message)

    def _on_scored(self) -> None:
        # A moment for the last repaint: the picture shall show what a person would see.
        QTimer.singleShot(_SETTLE_MS, self._finish)

    def _finish(self) -> None:
        if self._headless is not None:
            self._viewer.screenshot(str(self._headless / "window.png"), canvas_only=False, flash=False)
            missing = [name for name in _FILES if not (self._headless / name).is_file()]
            self.exit_code = 1 if missing else 0
            for name in _FILES:
                if name not in missing:
                    sys.stdout.write(f"{_FILES[name]}: {self._headless / name}\n")
        self._end()

    def _on_failed(self, message: str) -> None:
        self.exit_code = 1
        if self._headless is not None:
            sys.stderr.write(f"{message}\n")
            self._end()

    def _end(self) -> None:
        self._viewer.close()
        self.ended.emit()


def score_job(stack: DepthStack, prediction: Path, threshold: float, out: Path) -> Generator[Scores, None, None]:
    """Score a prediction against known ink, and a projection of the layers for comparison; write both as JSON."""
    from napari_ink.evaluation import edge_crops, edge_scores, ink_scores, label_edges
    from napari_ink.predict import open_prediction

    shape = (stack.shape[1], stack.shape[2])
    beside = find_beside(stack)
    if beside.ink_labels is None:
        raise LabelError(f"There are no ink labels beside {stack.source}, so the prediction cannot be scored.")
    truth = read_mask(beside.ink_labels, shape)
    inside = None if beside.mask is None else read_mask(beside.mask, shape)
    stored = open_prediction(prediction)
    everywhere = (slice(0, shape[0]), slice(0, shape[1]))
    ink = ink_scores(stored.read("ink", *everywhere), truth, inside)
    at_threshold = ink_scores(stored.mask("ink", threshold).astype(np.float32), truth, inside)
    edges = edge_scores(edge_crops(stored.read("edge", *everywhere), label_edges(truth, inside), inside))
    flat = ink_scores(_projection(stack), truth, inside)
    scores = Scores(
        f0_5=at_threshold.f0_5_at_half,
        threshold=threshold,
        best_f0_5=ink.f0_5,
        best_threshold=ink.best_threshold,
        average_precision=ink.average_precision,
        edge_ods=edges.ods,
        projection_best_f0_5=flat.f0_5,
    )
    with storage_errors(out):
        out.write_text(json.dumps(asdict(scores), indent=2) + "\n", encoding="utf-8")
    yield scores


def _projection(stack: DepthStack) -> npt.NDArray[np.float32]:
    """Return the maximum over all depth layers as a fraction of the largest grey value."""
    everywhere = tuple(slice(0, size) for size in stack.shape)
    values = stack.project(everywhere[0], "max", everywhere[1], everywhere[2])
    return np.asarray(values / np.float32(np.iinfo(stack.dtype).max), np.float32)
