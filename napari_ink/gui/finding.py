"""Finding what looks like a boxed stroke: the search on a thread, and its candidates one after the other."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal
from skimage.measure import find_contours

from napari_ink.annotation import LabelValue, find_similar
from napari_ink.gui import workers
from napari_ink.gui.news import SimilarNews

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation, Candidate, SearchProgress
    from napari_ink.gui.annotating import Annotating
    from napari_ink.gui.edit_window import EditWindow
    from napari_ink.gui.layers import InkLayers
    from napari_ink.gui.looking import Looking
    from napari_ink.gui.tools.preview import Preview
    from napari_ink.stack import DepthStack

_PROJECTED = 2
_VIEW = 6.0


class Finding(QObject):
    """Searches, and turns accepted candidates into labels.

    Parameters
    ----------
    layers
        The viewer's layers.
    looking
        Moves the view.
    annotating
        The labels.
    preview
        Draws what a candidate covers.

    Attributes
    ----------
    news : SimilarNews
        What the panel shows.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(
        self,
        layers: InkLayers,
        looking: Looking,
        annotating: Annotating,
        preview: Preview,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._layers, self._looking, self._annotating, self._preview = layers, looking, annotating, preview
        self.news = SimilarNews()
        self._worker: workers.EventWorker | None = None

    def search(self, box: EditWindow) -> None:
        """Search for what looks like a box of the segment."""
        project, overlay = self._annotating.project, self._layers.overlay
        if project is None:
            return
        self.cancel()
        predicted = None if overlay is None else (overlay.probabilities("ink"), overlay.level("ink"))
        self._tell(SimilarNews(done=0.0))
        worker = self._worker = workers.start(
            _search(project.annotation, project.stack, box, predicted),
            lambda event: self._on_event(worker, event),
            lambda: None,
        )

    def cancel(self) -> None:
        """Stop searching, and put the candidates away."""
        if self._worker is not None:
            self._worker.quit()
            self._worker = None
        self._preview.clear()
        self._tell(SimilarNews())

    def accept(self) -> None:
        """Make the candidate shown ink: only what the match covers."""
        if (candidate := self._current()) is None:
            return
        self._label(candidate)
        self._drop(accepted=self.news.accepted + 1)

    def reject(self) -> None:
        """Put the candidate shown away."""
        if self._current() is not None:
            self._drop(rejected=self.news.rejected + 1)

    def show(self, index: int) -> None:
        """Look at one of the candidates."""
        if not 0 <= index < len(self.news.candidates):
            return
        self._tell(replace(self.news, current=index))
        candidate = self.news.candidates[index]
        self._looking.go_to(candidate.y, candidate.x, _VIEW * max(candidate.ink.shape))
        top, left = candidate.corner
        outlines = find_contours(np.pad(candidate.ink, 1).astype(np.float32), 0.5)
        self._preview.draw(paths=[outline - 1 + (top, left) for outline in outlines])

    def _current(self) -> Candidate | None:
        candidates = self.news.candidates
        return candidates[self.news.current] if self.news.current < len(candidates) else None

    def _label(self, candidate: Candidate) -> None:
        annotation = self._annotating.annotation
        if annotation is None:
            return
        top, left = candidate.corner
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = (
            min(at + length, whole)
            for at, length, whole in zip((top, left), candidate.ink.shape, annotation.shape, strict=True)
        )
        if y0 < y1 and x0 < x1:
            values = annotation.read("ink", (y0, y1), (x0, x1))
            values[candidate.ink[y0 - top : y1 - top, x0 - left : x1 - left]] = LabelValue.INK
            self._annotating.apply([("ink", y0, x0, values)], "find similar")

    def _drop(self, **counts: int) -> None:
        news, at = self.news, self.news.current
        left = news.candidates[:at] + news.candidates[at + 1 :]
        note = "" if left else "That was the last candidate."
        self._tell(replace(news, candidates=left, current=min(at, max(len(left) - 1, 0)), note=note, **counts))
        if left:
            self.show(self.news.current)
        else:
            self._preview.clear()

    def _on_event(self, worker: workers.EventWorker, event: SearchProgress | workers.JobFailed) -> None:
        if worker is not self._worker:
            return
        if isinstance(event, workers.JobFailed):
            self.cancel()
            self.failed.emit(event.message)
        elif event.done < 1:
            self._tell(replace(self.news, done=event.done))
        else:
            self._worker = None
            note = "" if event.candidates else "Nothing on the segment looks like it; try another box."
            self._tell(SimilarNews(candidates=event.candidates, note=note))
            self.show(0)

    def _tell(self, news: SimilarNews) -> None:
        if news != self.news:
            self.news = news
            self.changed.emit()


def _search(
    annotation: Annotation,
    stack: DepthStack,
    box: EditWindow,
    predicted: tuple[npt.NDArray[np.uint8], int] | None,
) -> Generator[SearchProgress, None, None]:
    y, x = (box.y0, box.y1), (box.x0, box.x1)
    ink = annotation.read("ink", y, x) == LabelValue.INK
    channels: list[Any] = []
    if predicted is not None:
        plane, level = predicted
        here = plane[slice(*y), slice(*x)]
        ink = ink if ink.any() else here >= level
        if here.any():
            channels.append(lambda y, x: plane[slice(*y), slice(*x)].astype(np.float32))
    channels.append(lambda y, x: _projection(stack, y, x))
    yield from find_similar(annotation.shape, (*y, *x), ink, channels)


def _projection(stack: DepthStack, y: tuple[int, int], x: tuple[int, int]) -> npt.NDArray[np.float32]:
    first, last = max(stack.surface_z - _PROJECTED, 0), min(stack.surface_z + _PROJECTED + 1, stack.shape[0])
    total = np.zeros((y[1] - y[0], x[1] - x[0]), np.float32)
    for z in range(first, last):
        total += stack.read(slice(z, z + 1), slice(*y), slice(*x))[0]
    return total / np.float32(last - first)
