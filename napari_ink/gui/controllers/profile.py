"""Depth profile under the mouse: grey values along the depth, and the layers that a model relies on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal
from superqt.utils import QSignalDebouncer

from napari_ink.gui.models.status import Profile

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.model import InkModel
    from napari_ink.stack import DepthStack

_JOB = "profile"
_REST_MS = 150
_RADIUS_PX = 2


class ProfileController(QObject):
    """Controller that reads the profile where the mouse stops, while the plot is visible.

    Parameters
    ----------
    viewer
        Viewer whose mouse is followed.
    model
        Function that returns the loaded model, or None.
    jobs
        Runner of background jobs.
    """

    arrived = Signal(object)
    failed = Signal(str)

    def __init__(
        self, viewer: Viewer, model: Callable[[], InkModel | None], jobs: JobRunner, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._model, self._jobs = viewer, model, jobs
        self._stack: DepthStack | None = None
        self._is_watched = False
        self._rest = QSignalDebouncer(parent=self)
        self._rest.setTimeout(_REST_MS)
        self._rest.triggered.connect(self._read)
        viewer.cursor.events.position.connect(self._on_mouse)

    def begin(self, stack: DepthStack) -> None:
        """Switch to another stack, and clear the profile."""
        self._stack = stack
        self._jobs.cancel(_JOB)
        self.arrived.emit(None)

    def watch(self, is_watched: bool) -> None:
        """Follow the mouse or stop following it."""
        self._is_watched = is_watched

    def explain(self) -> None:
        """Ask the model which layers its prediction under the mouse relies on."""
        model = self._model()
        if model is None:
            self.failed.emit("No model is loaded; run a prediction first.")
            return
        self._ask(model)

    def release(self) -> None:
        """Disconnect from the viewer, and cancel a running job."""
        self._jobs.cancel(_JOB)
        self._rest.cancel()
        self._viewer.cursor.events.position.disconnect(self._on_mouse)

    def _on_mouse(self, *_: object) -> None:
        if self._is_watched and self._stack is not None:
            self._rest.throttle()

    def _read(self) -> None:
        self._ask(None)

    def _ask(self, model: InkModel | None) -> None:
        if self._stack is None:
            return
        y, x = (int(at) for at in self._viewer.cursor.position[-2:])
        if not (0 <= y < self._stack.shape[1] and 0 <= x < self._stack.shape[2]):
            return
        self._jobs.run(_JOB, profile_job(self._stack, y, x, model), self.arrived.emit)


def profile_job(stack: DepthStack, y: int, x: int, model: InkModel | None = None) -> Generator[Profile]:
    """Read the profile at a place; with a model, yield it again with the contribution of each layer."""
    depth, height, width = stack.shape
    rows = slice(max(y - _RADIUS_PX, 0), min(y + _RADIUS_PX + 1, height))
    columns = slice(max(x - _RADIUS_PX, 0), min(x + _RADIUS_PX + 1, width))
    # The mean of a few pixels, because a single voxel is mostly noise.
    grey = stack.read(slice(0, depth), rows, columns).mean(axis=(1, 2), dtype=np.float32)
    yield Profile(y, x, grey)  # at once, since asking the model takes much longer
    if model is not None:
        from napari_ink.predict import contribution

        yield Profile(y, x, grey, contribution(model, stack, y, x))
