"""Predicting in the window: models, runs, thresholds, and the overlay that grows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject

from napari_ink.errors import BadInputError, NapariInkError, storage_errors
from napari_ink.gui import jobs
from napari_ink.gui.desk import QUIET
from napari_ink.gui.places import new_prediction_path
from napari_ink.gui.runs import PredictionRun

if TYPE_CHECKING:
    from napari_ink.gui.desk import Desk
    from napari_ink.gui.layers import InkLayers
    from napari_ink.gui.models import ModelEntry
    from napari_ink.gui.state import RunProgress, What
    from napari_ink.model import InkModel
    from napari_ink.predict import DeviceName, PredictionStarted, Region, TilePredicted
    from napari_ink.stack import DepthStack

Where = Literal["whole", "visible"]


class Predicting(QObject):
    """Runs predictions and shows them.

    Parameters
    ----------
    desk
        The state of the work.
    layers
        The viewer's layers.
    project_folder
        Says where a stack's predictions are kept.
    """

    def __init__(
        self,
        desk: Desk,
        layers: InkLayers,
        project_folder: Callable[[DepthStack], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._desk, self._layers, self._project_folder = desk, layers, project_folder
        self._run: PredictionRun | None = None
        self._ready: jobs.ModelReady | None = None

    def warm_up(self, model: ModelEntry) -> None:
        """Load a model ahead of the first Run, and find out which device would be picked."""
        if self._ready is None or self._ready.name_or_path != model.name_or_path:
            self._desk.launch(QUIET, jobs.warm_up_job(model.name_or_path), self._on_warm)

    def predict(self, model: ModelEntry, device: DeviceName, where: Where, use_mask: bool) -> None:
        """Predict ink and edges on a thread; the overlay grows as tiles are done."""
        stack = self._desk.state.stack
        if stack is None or self._desk.state.run is not None:
            return
        try:
            request = self._run_request(stack, model, device, where, use_mask)
        except NapariInkError as error:
            self._desk.fail(str(error))
            return
        self._run = run = PredictionRun(request, self)
        run.model_ready.connect(self._on_warm)
        run.changed.connect(show_warning)
        run.started.connect(self._on_run_started)
        run.tile_predicted.connect(self._on_tile)
        run.progressed.connect(self._on_progress)
        run.failed.connect(self._desk.fail)
        run.ended.connect(self._on_run_ended)
        self._desk.set(run=run.progress, outcome="", notes=(), exported="")
        run.start()

    def cancel(self) -> None:
        """Stop the prediction after the batch in hand; what is done is kept."""
        if self._run is not None:
            self._run.cancel()

    def abandon(self) -> None:
        """Stop it, and listen to it no more."""
        if self._run is not None:
            self._run.abandon()
            self._run = None

    def use_thresholds(self, model: ModelEntry) -> None:
        """Take the cuts that a model recommends."""
        ink, edge = model.thresholds
        self.set_threshold("ink", ink)
        self.set_threshold("edge", edge)

    def set_threshold(self, what: What, threshold: float) -> None:
        """Cut the prediction elsewhere, at once and without the model."""
        if self._layers.overlay is not None:
            self._layers.overlay.cut(what, threshold)
            self._layers.show_prediction(True)
        self._desk.set(**{f"{what}_threshold": threshold, "exported": ""})

    def show_again(self, event: jobs.PredictionRead) -> None:
        """Show an earlier prediction."""
        if self._desk.state.run is None:
            self._layers.begin_overlay(event.ink.shape, self.thresholds())
            if (overlay := self._layers.overlay) is not None:
                overlay.put(slice(None), slice(None), event.ink, event.edge)
            if self._layers.editable is not None:
                self._layers.show_prediction(False)
            self._desk.set(prediction=event.path, has_prediction=True, outcome="This is the prediction made last.")

    def ready_model(self) -> InkModel | None:
        """Return the model that is in memory, if one is."""
        return None if self._ready is None else self._ready.model

    def thresholds(self) -> dict[What, float]:
        """Return where ink and edges are cut."""
        return {"ink": self._desk.state.ink_threshold, "edge": self._desk.state.edge_threshold}

    def _run_request(
        self, stack: DepthStack, model: ModelEntry, device: DeviceName, where: Where, use_mask: bool
    ) -> jobs.RunRequest:
        region = self._visible_region() if where == "visible" else None
        with storage_errors(stack.source):
            out = new_prediction_path(self._project_folder(stack), model.title, datetime.now())
        ready = self._ready
        loaded = ready.model if ready is not None and ready.name_or_path == model.name_or_path else None
        mask = self._desk.state.mask if use_mask else None
        return jobs.RunRequest(stack, model.name_or_path, loaded, out, device, region, mask)

    def _visible_region(self) -> Region:
        from napari_ink.predict import Region

        view = self._layers.view()
        if view is None:
            raise BadInputError(
                "No part of the segment is in sight; press the house, bottom left, or predict all of it."
            )
        return Region(view.y0, view.y1, view.x0, view.x1)

    def _on_warm(self, event: jobs.ModelReady | jobs.DeviceFound) -> None:
        if isinstance(event, jobs.ModelReady):
            self._ready = event
        else:
            self._desk.set(device_line=f"Automatic picks {event.title}.")

    def _on_run_started(self, event: PredictionStarted) -> None:
        self._layers.begin_overlay(event.shape, self.thresholds())
        line = f"Runs on {event.device_name}."
        self._desk.set(device_line=line, notes=event.notes, prediction=event.path, has_prediction=True)

    def _on_tile(self, event: TilePredicted) -> None:
        if self._layers.overlay is not None:
            self._layers.overlay.put(event.y, event.x, event.ink, event.edge)

    def _on_progress(self, progress: RunProgress) -> None:
        self._desk.set(run=progress)

    def _on_run_ended(self, outcome: str) -> None:
        self._run = None
        self._desk.set(run=None, outcome=outcome)
