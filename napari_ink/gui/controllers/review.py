"""Review: the current region, its state, the queue of regions, and notes."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_ink.annotation import ReviewState, cell_at, cell_bounds, seconds_left, varied
from napari_ink.errors import NapariInkError
from napari_ink.gui.jobs.review import (
    RegionsScored,
    StatisticsComputed,
    Write,
    score_job,
    statistics_job,
    write_job,
)
from napari_ink.gui.layers.review_layers import frame_layer, marks, notes_layer, review_layer
from napari_ink.gui.models.status import ReviewStatus
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_ink.annotation import EditHeader, Note, RegionScore, ReviewCell
    from napari_ink.gui.controllers.display import DisplayController
    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.jobs.worker import JobFailed
    from napari_ink.gui.layers.manager import LayerManager

_RANKING, _STATISTICS = "ranking", "statistics"
_LONGEST_S = 600.0
_FILL = 1.3


class ReviewController(QObject):
    """Controller that steps through the regions of a segment and stores the state of each.

    Parameters
    ----------
    layers, display, labels, jobs
        Layers of the viewer, controllers of the display and the labels, and runner of background jobs.
    prediction
        Function that returns the path of the shown prediction; None if there is none, or while one is running.

    Attributes
    ----------
    region : tuple of int or None
        Row and column of the current region; None before the first one.
    status : ReviewStatus
        Status that the panel shows.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(
        self,
        layers: LayerManager,
        display: DisplayController,
        labels: LabelsController,
        jobs: JobRunner,
        prediction: Callable[[], Path | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._layers, self._display, self._labels, self._jobs = layers, display, labels, jobs
        self._prediction = prediction
        self.region: ReviewCell | None = None
        self.status = ReviewStatus()
        self._queue: list[RegionScore] = []
        self._ranked_for: Path | None = None
        self._arrived_at = 0.0
        self._seconds: list[float] = []
        self._marks: dict[ReviewCell, EditHeader] = {}
        self._history_read = 0
        self._shown: UInt8Array | None = None
        self._pending: list[Write] = []
        self._numbers = count()
        labels.ending.connect(self._write_now)
        labels.shown.connect(self._on_shown)
        labels.changed.connect(self._update_status)

    def reset(self) -> None:
        """Forget the segment, because another one is opened."""
        self.cancel()
        self.region, self._queue, self._seconds, self.status = None, [], [], ReviewStatus()
        self._marks, self._history_read, self._shown = {}, 0, None

    def mark(self, state: ReviewState) -> None:
        """Set the state of the outlined region, or of the one under the mouse if none is outlined in the view."""
        annotation = self._labels.annotation
        region, which = self._target()
        if annotation is None or region is None:
            return
        row, column = region
        value = np.full((1, 1), state, np.uint8)
        edit = self._labels.apply([("review", row, column, value)], f"mark {_WORDS[state]}")
        self._take(region, note=f"Region {row + 1}, {column + 1} ({which}) was marked {_WORDS[state]}.")
        if state in (ReviewState.REVIEWED, ReviewState.FLAGGED):
            if edit is not None:
                # Capped, so that a break does not spoil the estimate of the time left.
                self._seconds.append(min(time.monotonic() - self._arrived_at, _LONGEST_S))
            if any(score.region == region for score in self._queue):
                self.go(1)

    def go(self, step: int) -> None:
        """Go to the next (1) or previous (-1) region of the queue, which is computed first for each prediction."""
        if self._labels.annotation is None or self._jobs.is_running(_RANKING):
            return
        prediction = self._prediction()
        # A new prediction, such as one by a taught model, makes other regions worth a review.
        if not self._queue or prediction not in (None, self._ranked_for):
            self._score()
            return
        regions = [score.region for score in self._queue]
        at = regions.index(self.region) if self.region in regions else -1
        ahead = regions[at + 1 :] if step > 0 else regions[: max(at, 0)][::-1]
        state = self._states()
        # Forwards, finished regions are skipped; backwards they are not, since users go back to look again.
        wanted = (one for one in ahead if step < 0 or state[one] in (ReviewState.UNREVIEWED, ReviewState.IN_PROGRESS))
        region = next(wanted, None)
        if region is not None:
            self._visit(region)
        elif step > 0:
            self._queue = []
            self._update_status(note="You have reached the end of the queue; press Next again for a new one.")

    def cancel(self) -> None:
        """Stop ranking the regions."""
        self._jobs.cancel(_RANKING, _STATISTICS)
        self._update_status(busy="")

    def add_note(self, y: float, x: float, text: str) -> None:
        """Add a note at a place."""
        project = self._labels.project
        if project is None or project.read_only or not text.strip():
            return
        self._write(lambda: project.notes.add(round(y), round(x), text.strip(), project.author))

    def remove_note(self, note: Note) -> None:
        """Remove a note."""
        project = self._labels.project
        if project is not None and not project.read_only:
            self._write(lambda: project.notes.remove(note))

    def go_to_note(self, note: Note) -> None:
        """Center the view on the place of a note."""
        self._display.go_to(note.y, note.x)

    def count(self) -> None:
        """Compute the statistics of the segment on a worker thread."""
        project, overlay = self._labels.project, self._layers.overlay
        if project is None:
            return
        predicted = None if overlay is None else (overlay.probabilities("ink"), overlay.level("ink"))
        job = statistics_job(project.annotation, project.stack.voxel_size_um, predicted)
        self._jobs.run(_STATISTICS, job, self._on_statistics)

    def _write(self, write: Callable[[], Any]) -> None:
        """Write notes on a thread, and show them once they are on the disk."""
        pending = Write(write)
        self._pending.append(pending)

        # A kind of its own for each, so that a second note does not take the place of the first.
        kind = f"note {next(self._numbers)}"
        failed = self.failed.emit
        self._jobs.run(kind, write_job(pending), self._on_written, on_failure=lambda failure: failed(failure.message))

    def _on_written(self, _: Write) -> None:
        self._pending = [write for write in self._pending if not write.is_done]
        self._show_notes()
        self._update_status()

    def _write_now(self) -> None:
        """Write the notes that wait for a thread, because the project is about to be closed."""
        pending, self._pending = self._pending, []
        for write in pending:
            try:
                write()
            except NapariInkError as error:
                self.failed.emit(str(error))

    def _score(self) -> None:
        annotation, overlay = self._labels.annotation, self._layers.overlay
        if annotation is None:
            return
        if overlay is None:
            planes, cuts = None, (0.5, 0.5)
        else:
            planes = overlay.probabilities("ink"), overlay.probabilities("edge")
            cuts = overlay.level("ink") / 255, overlay.level("edge") / 255
        self._update_status(busy="Ranking the regions…", note="")
        self._ranked_for = self._prediction()
        job = score_job(annotation, planes, cuts, self._ranked_for)
        self._jobs.run(_RANKING, job, self._on_scored, on_failure=self._on_failure)

    def _on_failure(self, failure: JobFailed) -> None:
        self.cancel()
        self.failed.emit(failure.message)

    def _on_scored(self, event: RegionsScored) -> None:
        if event.done < event.total:
            self._update_status(busy=f"Ranking the regions: {event.done} of {event.total}…")
        else:
            self._jobs.cancel(_RANKING)  # the job has no more events, and `go` checks whether it runs
            self._queue = varied(event.scores)
            self._update_status(busy="", note="" if self._queue else "Every region is reviewed or flagged.")
            if self._queue:
                self.region = None  # a new queue is visited from its start
                self.go(1)

    def _on_statistics(self, event: StatisticsComputed) -> None:
        self._update_status(statistics=event.text)

    def _visit(self, region: ReviewCell) -> None:
        annotation = self._labels.annotation
        if annotation is None:
            return
        y0, y1, x0, x1 = cell_bounds(region, annotation.shape)
        self._display.go_to((y0 + y1) / 2, (x0 + x1) / 2, _FILL * max(y1 - y0, x1 - x0))
        self._arrived_at = time.monotonic()
        self._take(region)

    def _take(self, region: ReviewCell, **status: Any) -> None:
        annotation = self._labels.annotation
        if annotation is None:
            return
        if region != self.region:
            self.region = region
            self._layers.show_auxiliary("frame", frame_layer(*cell_bounds(region, annotation.shape)))
        self._update_status(**status)

    def _target(self) -> tuple[ReviewCell | None, str]:
        """Return the region to mark, and in words which one it is."""
        annotation, view = self._labels.annotation, self._layers.viewport.visible_region()
        if annotation is None:
            return None, ""
        if self.region is not None:
            y0, y1, x0, x1 = cell_bounds(self.region, annotation.shape)
            # An outline that is out of sight cannot be meant.
            if view is None or (y0 < view.y1 and view.y0 < y1 and x0 < view.x1 and view.x0 < x1):
                return self.region, "outlined"
        if self._layers.viewport.has_mouse():
            return self._cell_at(self._display.mouse()), "under the mouse"
        return self._cell_at(self._display.center()), "in the middle"

    def _cell_at(self, place: tuple[float, float]) -> ReviewCell | None:
        annotation = self._labels.annotation
        if annotation is None:
            return None
        y, x = (min(max(at, 0.0), length - 1.0) for at, length in zip(place, annotation.shape, strict=True))
        return cell_at(y, x)

    def _states(self) -> UInt8Array:
        annotation = self._labels.annotation
        assert annotation is not None
        return annotation.review_states()

    def _on_shown(self) -> None:
        self._show_notes()
        self._update_status()

    def _show_notes(self) -> None:
        project = self._labels.project
        if project is None or not (len(project.notes) or self._layers.auxiliary("notes")):
            return
        self._layers.show_auxiliary("notes", notes_layer(tuple(project.notes)))

    def _update_status(self, **status: Any) -> None:
        """Update the status and the layer of states from the labels."""
        project, annotation = self._labels.project, self._labels.annotation
        if project is None or annotation is None:
            return
        # One cell per region, so reading all of them after each stroke is cheap.
        states = self._states()
        self._show_states(states)
        counts = {state: int(np.count_nonzero(states == state)) for state in ReviewState}
        open_regions = [one for one in self._queue if states[one.region] in (0, ReviewState.IN_PROGRESS)]
        self.status = replace(
            self.status,
            regions=states.size,
            reviewed=counts[ReviewState.REVIEWED],
            flagged=counts[ReviewState.FLAGGED],
            in_progress=counts[ReviewState.IN_PROGRESS],
            region="" if self.region is None else self._describe(self.region, ReviewState(states[self.region])),
            queued=len(open_regions),
            seconds_left=seconds_left(self._seconds, len(open_regions)),
            notes=tuple(project.notes),
            **status,
        )
        self.changed.emit()

    def _show_states(self, states: Any) -> None:
        layer, annotation = self._layers.auxiliary("review"), self._labels.annotation
        if annotation is None or (
            self._shown is not None and np.array_equal(states, self._shown) and layer is not None
        ):
            return
        # The layer is added only once a region has a state, since napari is slow at adding layers.
        self._shown = states
        if layer is not None:
            layer.data[:] = marks(states, annotation.shape)
            layer.refresh(extent=False, highlight=False)
        elif states.any():
            self._layers.show_auxiliary("review", review_layer(states, annotation.shape), under_labels=True)

    def _describe(self, region: ReviewCell, state: ReviewState) -> str:
        """Return a sentence with the state of a region, its author and time, and the reason for its rank."""
        header, (row, column) = self._marked_by(region), region
        by = "" if header is None or not state else f" ({header.author}, {header.at[:16].replace('T', ' ')} UTC)"
        score = next((one for one in self._queue if one.region == region), None)
        why = ""
        if score is not None:
            why = (
                f" {score.reason} Uncertainty {score.uncertainty:.0%}, disagreement of ink and edges "
                f"{score.disagreement:.0%}, contradicted labels {score.contradiction:.0%}, ink {score.content:.0%}."
            )
        return f"Region {row + 1}, {column + 1}: {_WORDS[state]}{by}.{why}"

    def _marked_by(self, region: ReviewCell) -> EditHeader | None:
        """Return the last change of a region's state; None if there was none."""
        # Only headers added since the last call are read, because the history grows with every stroke.
        annotation = self._labels.annotation
        history = () if annotation is None else annotation.history()
        for header in history[self._history_read :]:
            for plane, y0, y1, x0, x1 in header.bounds:
                if plane == "review":
                    self._marks |= {(row, column): header for row in range(y0, y1) for column in range(x0, x1)}
        self._history_read = len(history)
        return self._marks.get(region)


_WORDS = {
    ReviewState.UNREVIEWED: "unreviewed",
    ReviewState.IN_PROGRESS: "in progress",
    ReviewState.REVIEWED: "reviewed",
    ReviewState.FLAGGED: "flagged",
}
