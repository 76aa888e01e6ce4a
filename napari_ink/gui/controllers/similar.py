"""Search for strokes similar to a boxed one, and review of its candidates."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal
from skimage.measure import find_contours

from napari_ink.annotation import LabelValue, find_similar, is_known
from napari_ink.gui.models.status import SearchStatus

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation, Candidate, SearchProgress
    from napari_ink.gui.controllers.display import DisplayController
    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.jobs.worker import JobFailed
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.gui.layers.tool_preview import ToolPreview
    from napari_ink.region import Region
    from napari_ink.stack import DepthStack
    from napari_ink.typing import Mask

_JOB = "search"
_PROJECTED = 2


class SimilarController(QObject):
    """Controller that searches for similar strokes, and turns accepted candidates into labels.

    Parameters
    ----------
    layers, display, labels, jobs
        As for `ReviewController`.
    preview
        Preview that outlines the current candidate.

    Attributes
    ----------
    status : SearchStatus
        Status that the panel shows.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(
        self,
        layers: LayerManager,
        display: DisplayController,
        labels: LabelsController,
        preview: ToolPreview,
        jobs: JobRunner,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._layers, self._display, self._labels, self._preview = layers, display, labels, preview
        self._jobs = jobs
        self.status = SearchStatus()

    def search(self, box: Region) -> None:
        """Search the segment for strokes similar to the content of a box."""
        project, overlay = self._labels.project, self._layers.overlay
        if project is None:
            return
        self.cancel()
        predicted = None if overlay is None else (overlay.probabilities("ink"), overlay.level("ink"))
        self._set_status(SearchStatus(done=0.0))
        search = _search(project.annotation, project.stack, box, predicted)
        self._jobs.run(_JOB, search, self._on_progress, on_failure=self._on_failure)

    def cancel(self) -> None:
        """Cancel the search, and discard its candidates."""
        self._jobs.cancel(_JOB)
        self._preview.clear()
        self._set_status(SearchStatus())

    def accept(self) -> None:
        """Label the pixels of the current candidate as ink."""
        if (candidate := self._current()) is None:
            return
        self._label(candidate)
        self._drop(accepted=self.status.accepted + 1)

    def reject(self) -> None:
        """Reject the current candidate."""
        if self._current() is not None:
            self._drop(rejected=self.status.rejected + 1)

    def show(self, index: int) -> None:
        """Center the view on a candidate at the same zoom, and outline it."""
        if not 0 <= index < len(self.status.candidates):
            return
        self._set_status(replace(self.status, current=index))
        candidate = self.status.candidates[index]
        self._display.go_to(candidate.y, candidate.x)
        top, left = candidate.corner
        # Padded, so that the contour is also closed where the ink touches the border of the match.
        outlines = find_contours(np.pad(candidate.ink, 1).astype(np.float32), 0.5)
        self._preview.draw(paths=[outline - 1 + (top, left) for outline in outlines])

    def _current(self) -> Candidate | None:
        candidates = self.status.candidates
        return candidates[self.status.current] if self.status.current < len(candidates) else None

    def _label(self, candidate: Candidate) -> None:
        annotation = self._labels.annotation
        if annotation is None:
            return
        top, left = candidate.corner
        # A match at the edge of the segment may reach beyond it.
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = (
            min(at + length, whole)
            for at, length, whole in zip((top, left), candidate.ink.shape, annotation.shape, strict=True)
        )
        if y0 < y1 and x0 < x1:
            values = annotation.read("ink", (y0, y1), (x0, x1))
            values[candidate.ink[y0 - top : y1 - top, x0 - left : x1 - left]] = LabelValue.INK
            self._labels.apply([("ink", y0, x0, values)], "find similar")

    def _drop(self, **counts: int) -> None:
        status, at = self.status, self.status.current
        left = status.candidates[:at] + status.candidates[at + 1 :]
        annotation = self._labels.annotation
        # What has become ink meanwhile, by an accepted neighbour or a stroke, is offered no more.
        while annotation is not None and at < len(left) and is_known(left[at], annotation.shape, _ink_of(annotation)):
            left = left[:at] + left[at + 1 :]
        note = "" if left else "That was the last candidate."
        self._set_status(replace(status, candidates=left, current=min(at, max(len(left) - 1, 0)), note=note, **counts))
        if left:
            self.show(self.status.current)
        else:
            self._preview.clear()

    def _on_failure(self, failure: JobFailed) -> None:
        self.cancel()
        self.failed.emit(failure.message)

    def _on_progress(self, event: SearchProgress) -> None:
        if event.done < 1:
            self._set_status(replace(self.status, done=event.done))
        else:
            note = "" if event.candidates else "No similar stroke was found on the segment; try another box."
            self._set_status(SearchStatus(candidates=event.candidates, note=note))
            self.show(0)

    def _set_status(self, status: SearchStatus) -> None:
        if status != self.status:
            self.status = status
            self.changed.emit()


def _search(
    annotation: Annotation,
    stack: DepthStack,
    box: Region,
    predicted: tuple[npt.NDArray[np.uint8], int] | None,
) -> Generator[SearchProgress, None, None]:
    y, x = (box.y0, box.y1), (box.x0, box.x1)
    ink = annotation.read("ink", y, x) == LabelValue.INK
    channels: list[Any] = []
    if predicted is not None:
        plane, level = predicted
        # Labels describe the stroke best; without any, the predicted ink in the box takes their place.
        here = plane[slice(*y), slice(*x)]
        ink = ink if ink.any() else here >= level
        if here.any():
            channels.append(lambda y, x: plane[slice(*y), slice(*x)].astype(np.float32))
    # Grey values too: where the model has missed the ink, only they can match.
    channels.append(lambda y, x: _projection(stack, y, x))
    yield from find_similar(annotation.shape, (*y, *x), ink, channels, known=_ink_of(annotation))


def _ink_of(annotation: Annotation) -> Callable[[tuple[int, int], tuple[int, int]], Mask]:
    return lambda y, x: np.asarray(annotation.read("ink", y, x) == LabelValue.INK)


def _projection(stack: DepthStack, y: tuple[int, int], x: tuple[int, int]) -> npt.NDArray[np.float32]:
    first, last = max(stack.surface_z - _PROJECTED, 0), min(stack.surface_z + _PROJECTED + 1, stack.shape[0])
    total = np.zeros((y[1] - y[0], x[1] - x[0]), np.float32)
    for z in range(first, last):
        total += stack.read(slice(z, z + 1), slice(*y), slice(*x))[0]
    return total / np.float32(last - first)
