"""View of a segment, saved in its project: place, zoom, depth, contrast, thresholds and visible layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from napari_ink.errors import NapariInkError
from napari_ink.gui.layers.viewport import camera_of
from napari_ink.gui.models.state import Step

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ink.annotation import Project
    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.controllers.overlay import OverlayController
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.typing import LabelKind

_SAVE_MS = 3000
_KINDS: tuple[LabelKind, ...] = ("ink", "edge")


class ViewMemory(QObject):
    """Controller that saves the view of a segment every few seconds, and restores it with the project.

    Parameters
    ----------
    viewer
        Viewer whose view is saved.
    layers
        Layers of the viewer.
    labels
        Controller of the labels, whose project stores the view.
    overlay
        Controller of the prediction overlay and its thresholds.
    store
        State of the window.
    jobs
        Runner of background jobs.
    """

    def __init__(
        self,
        viewer: Viewer,
        layers: LayerManager,
        labels: LabelsController,
        overlay: OverlayController,
        store: StateStore,
        jobs: JobRunner,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._layers, self._labels, self._overlay = viewer, layers, labels, overlay
        self._store, self._jobs = store, jobs
        self._to_restore: dict[str, Any] = {}
        self._interval = QTimer(self)
        self._interval.setInterval(_SAVE_MS)
        self._interval.timeout.connect(self._save_on_a_thread)
        labels.shown.connect(self._on_shown)
        labels.ending.connect(self._save)

    def begin(self, project: Project) -> None:
        """Restore the view of a project; the visibility of layers follows once they are added."""
        self._to_restore = view = project.view
        restore_camera(self._viewer, self._layers, view)
        thresholds = view.get("thresholds")
        for what in _KINDS:
            value = thresholds.get(what) if isinstance(thresholds, dict) else None
            if isinstance(value, float) and 0 <= value <= 1:
                self._overlay.set_threshold(what, value)
        self._interval.start()

    def restore_layers(self) -> None:
        """Restore the visibility and opacity of the layers."""
        shown = self._to_restore.get("shown")
        for layer in _layers_to_save(self._layers):
            values = _numbers(shown.get(layer.name), 2) if isinstance(shown, dict) else []
            if values:
                layer.visible, layer.opacity = bool(values[0]), min(max(values[1], 0.0), 1.0)

    def release(self) -> None:
        """Stop saving."""
        self._interval.stop()

    def _on_shown(self) -> None:
        self._interval.start()  # `begin` was not called for a project that was created for a draft
        self.restore_layers()
        self._to_restore = {}  # later changes of visibility are made by the user

    def _view(self) -> dict[str, Any]:
        project, shown = self._labels.project, self._store.state.prediction
        view = describe(self._viewer, self._layers)
        if project is None or not view:
            return {}
        if shown is not None and shown.is_relative_to(project.folder):
            view["prediction"] = shown.relative_to(project.folder).as_posix()
        return view | {"thresholds": self._overlay.thresholds()}

    def _save(self) -> None:
        """Save the view at once, because the project is about to be closed."""
        project, view = self._labels.project, self._view()
        if project is None or not view or view == project.view:
            return
        try:
            project.save_view(view)
        except NapariInkError as error:
            self._store.fail(str(error), Step.CORRECT)

    def _save_on_a_thread(self) -> None:
        project, view = self._labels.project, self._view()
        if project is not None and view and view != project.view and not self._store.state.busy:

            def save() -> Generator[None]:
                project.save_view(view)
                yield

            # Silent: a lasting error is reported when the project is closed.
            self._jobs.run("view", save(), lambda _: None, is_silent=True)


def describe(viewer: Viewer, layers: LayerManager) -> dict[str, Any]:
    """Return the view as JSON values; empty without a stack, in 3-D or with swapped axes."""
    stack = layers.stack_layer
    if stack is None or not layers.viewport.is_plain:  # a 3-D view is temporary, so it is not restored
        return {}
    camera = camera_of(viewer)
    return {
        "center": [float(value) for value in camera.center[-2:]],
        "zoom": float(camera.zoom),
        "depth": float(viewer.dims.point[0]),
        "contrast_limits": [float(value) for value in stack.contrast_limits],
        "shown": {layer.name: [bool(layer.visible), float(layer.opacity)] for layer in _layers_to_save(layers)},
    }


def restore_camera(viewer: Viewer, layers: LayerManager, view: dict[str, Any]) -> None:
    """Restore place, zoom, contrast and depth; missing or invalid values are ignored."""
    stack, camera = layers.stack_layer, camera_of(viewer)
    if stack is None or not view:
        return
    center, limits = _numbers(view.get("center"), 2), _numbers(view.get("contrast_limits"), 2)
    zoom, depth = _numbers([view.get("zoom")], 1), _numbers([view.get("depth")], 1)
    if center and zoom and zoom[0] > 0:
        camera.center, camera.zoom = (*camera.center[:-2], *center), zoom[0]
    if limits and limits[0] < limits[1]:
        stack.contrast_limits = limits
    if depth:
        viewer.dims.set_point(0, depth[0])


def _layers_to_save(layers: LayerManager) -> list[Layer]:
    return [*layers.label_layers(), *layers.predicted_layers()]


def _numbers(values: Any, count: int) -> list[float]:
    """Return values as floats; an empty list unless they are `count` finite numbers."""
    if not isinstance(values, list) or len(values) != count:
        return []
    numbers = [float(one) for one in values if isinstance(one, int | float) and math.isfinite(one)]
    return numbers if len(numbers) == count else []
