"""The session: holds the state of the work, starts what is long on a thread, and has no widget in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, Signal

from napari_ink.annotation import default_project_folder
from napari_ink.errors import BadInputError, NapariInkError, storage_errors
from napari_ink.gui import jobs, keys, workers
from napari_ink.gui.annotating import Annotating
from napari_ink.gui.exporting import values_to_export
from napari_ink.gui.layers import InkLayers
from napari_ink.gui.models import ModelEntry
from napari_ink.gui.places import new_prediction_path
from napari_ink.gui.runs import PredictionRun
from napari_ink.gui.stack_layer import stack_of
from napari_ink.gui.state import ExportFrom, ExportWhat, InkState, LabelCounts, RunProgress, What
from napari_ink.gui.tools import Bench, Hand, edges_in_sight_from_ink, ink_in_sight_from_edges, tool_belt
from napari_ink.stack import DepthStack, find_beside

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_ink.predict import DeviceName, PredictionStarted, Region, TilePredicted

Where = Literal["whole", "visible"]


class InkSession(QObject):
    """The work on one stack in one viewer: panels call its methods, and render each `InkState` that `changed` carries.

    Parameters
    ----------
    layers
        The viewer's layers.
    hand
        What gives the mouse to the tool in hand.
    sample_folder
        Where the shipped sample lies: nothing is ever written there.

    Attributes
    ----------
    state : InkState
        What is shown now.
    projects_in : Path or None
        A folder for projects, in place of beside their segments.
    """

    changed = Signal(object)
    failed = Signal(str)

    def __init__(
        self, layers: InkLayers, hand: Hand, sample_folder: Path | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.state = InkState()
        self._layers = layers
        self._sample_folder = sample_folder
        self._generations: Counter[str] = Counter()
        self._run: PredictionRun | None = None
        self._ready: jobs.ModelReady | None = None
        self.projects_in: Path | None = None
        layers.stack_arrived.connect(self.adopt)
        layers.gone.connect(self._on_layers_gone)
        layers.tool_changed.connect(self._on_tool_changed)
        self.annotating = Annotating(layers, self)
        self._bench = Bench(layers, self.annotating, show_info)
        self._hand, self._belt = hand, tool_belt(self._bench)
        hand.changed.connect(self._on_tool_changed)
        self.annotating.shown.connect(self._on_labels_shown)
        self.annotating.changed.connect(self._on_labels_changed)
        self.annotating.edited.connect(self._on_edited)
        self.annotating.failed.connect(self._fail)

    # Stack

    def open_stack(self, source: Path) -> None:
        """Open a stack from disk and show it."""
        if self.state.run is not None:
            self._fail("A prediction is running; cancel it before you open another stack.")
            return
        self._set(busy=f"Opening {source.name}…")
        self._launch("open", jobs.open_job(source), self._on_opened)

    def adopt(self, layer: Layer) -> None:
        """Work on a stack that came into the viewer another way: dropped on it, opened by napari, or the sample."""
        stack = stack_of(layer)
        if stack is not None and self.state.run is None:
            self._layers.take_over(layer)
            self._begin(stack, find_beside(stack).mask)

    def _on_opened(self, event: jobs.StackOpened) -> None:
        self._layers.show_stack(event.stack, event.contrast_limits)
        self._begin(event.stack, event.beside.mask)

    def _begin(self, stack: DepthStack, mask: Path | None) -> None:
        for kind in ("draft", "export", "project"):
            self._generations[kind] += 1
        self.annotating.end()
        self.state = InkState(
            stack=stack,
            mask=mask,
            device_line=self.state.device_line,
            ink_threshold=self.state.ink_threshold,
            edge_threshold=self.state.edge_threshold,
        )
        self._set(busy="Looking for labels…")
        self._launch("project", jobs.project_job(stack, self._project_folder(stack)), self._on_project)

    # Prediction

    def warm_up(self, model: ModelEntry) -> None:
        """Load a model ahead of the first Run, and find out which device would be picked."""
        if self._ready is None or self._ready.name_or_path != model.name_or_path:
            self._launch("warm up", jobs.warm_up_job(model.name_or_path), self._on_warm)

    def predict(self, model: ModelEntry, device: DeviceName, where: Where, use_mask: bool) -> None:
        """Predict ink and edges on a thread; the overlay grows as tiles are done."""
        stack = self.state.stack
        if stack is None or self.state.run is not None:
            return
        try:
            request = self._run_request(stack, model, device, where, use_mask)
        except NapariInkError as error:
            self._fail(str(error))
            return
        self._run = run = PredictionRun(request, self)
        run.model_ready.connect(self._on_warm)
        run.started.connect(self._on_run_started)
        run.tile_predicted.connect(self._on_tile)
        run.progressed.connect(self._on_progress)
        run.failed.connect(self._fail)
        run.ended.connect(self._on_run_ended)
        self._set(run=run.progress, outcome="", notes=(), exported="")
        run.start()

    def cancel(self) -> None:
        """Stop the prediction after the batch in hand; what is done is kept."""
        if self._run is not None:
            self._run.cancel()

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
        self._set(**{f"{what}_threshold": threshold, "exported": ""})

    def _run_request(
        self, stack: DepthStack, model: ModelEntry, device: DeviceName, where: Where, use_mask: bool
    ) -> jobs.RunRequest:
        region = self._visible_region() if where == "visible" else None
        with storage_errors(stack.source):
            out = new_prediction_path(stack, model.title, datetime.now(), keep_apart=self._sample_folder)
        ready = self._ready
        loaded = ready.model if ready is not None and ready.name_or_path == model.name_or_path else None
        mask = self.state.mask if use_mask else None
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
            self._set(device_line=f"Automatic picks {event.title}.")

    def _on_run_started(self, event: PredictionStarted) -> None:
        self._layers.begin_overlay(event.shape, self._thresholds())
        line = f"Runs on {event.device_name}."
        self._set(device_line=line, notes=event.notes, prediction=event.path, has_prediction=True)

    def _on_tile(self, event: TilePredicted) -> None:
        if self._layers.overlay is not None:
            self._layers.overlay.put(event.y, event.x, event.ink, event.edge)

    def _on_progress(self, progress: RunProgress) -> None:
        self._set(run=progress)

    def _on_run_ended(self, outcome: str) -> None:
        self._run = None
        self._set(run=None, outcome=outcome)

    # Labels

    def make_editable(self, replace_edited: bool = False) -> None:
        """Cut labels from the prediction (or begin with empty ones) for a person to edit, in the segment's project.

        Where the project has labels that are not shown, they are shown. Labels that were edited are replaced only if
        `replace_edited` says so.
        """
        stack, overlay = self.state.stack, self._layers.overlay
        if stack is None or self.state.run is not None or self.state.busy:
            return
        if self.state.keeping.held_by:
            self._fail(f"The labels are being edited elsewhere: {self.state.keeping.held_by}; close them there first.")
            return
        if not self.state.labels and self.annotating.project is not None:
            self.annotating.begin(self.annotating.project)
            return
        if self.state.labels_edited and not replace_edited:
            self._fail("Your labels were edited, so they were kept; choose Replace to begin again from the prediction.")
            return
        cut = None
        if overlay is not None:
            cuts = self._thresholds()
            cut = jobs.Cut(overlay.probabilities("ink"), overlay.probabilities("edge"), cuts["ink"], cuts["edge"])
        self._set(busy="Cutting labels from the prediction…" if cut else "Making a project for the labels…")
        project = self.annotating.project
        self._launch("draft", jobs.draft_job(stack, project, self._project_folder(stack), cut), self._on_drafted)

    def take_tool(self, tool: str) -> None:
        """Put a brush, an eraser or a canvas tool in the user's hand."""
        if not self._can_edit() or self._layers.editable is None:
            return
        if tool in self._belt:
            self._hand.take(self._belt[tool], self._layers.editable.layers["ink"])
        else:
            self._hand.drop()
            self._layers.take_tool(tool)

    def undo(self) -> None:
        """Take the last change of the labels back."""
        self.annotating.undo()

    def ink_from_edges(self) -> None:
        """Make ink of what closed edge lines in sight enclose."""
        if self._can_edit():
            ink_in_sight_from_edges(self._bench)

    def edges_from_ink(self) -> None:
        """Draw the outlines of the ink in sight."""
        if self._can_edit():
            edges_in_sight_from_ink(self._bench)

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        self.annotating.redo()

    def _project_folder(self, stack: DepthStack) -> Path:
        if self.projects_in is not None:
            return self.projects_in / f"{stack.name}.ink"
        return default_project_folder(stack, keep_apart=self._sample_folder)

    def _can_edit(self) -> bool:
        return self._layers.editable is not None and not self.state.keeping.held_by

    def _on_project(self, event: jobs.ProjectOpened) -> None:
        self.annotating.begin(event.project)

    def _on_drafted(self, event: jobs.ProjectOpened) -> None:
        self._layers.show_prediction(False)
        self.annotating.begin(event.project)

    def _on_labels_shown(self) -> None:
        self._layers.show_preview(self._bench.preview.layer)
        for layer in () if self._layers.editable is None else self._layers.editable.layers.values():
            keys.bind_layer(layer, {"undo": self.undo, "redo": self.redo})
        self._set(labels=True, exported="", **self._labels_news())

    def _on_labels_changed(self) -> None:
        self._set(**self._labels_news())

    def _on_edited(self, _edit: object) -> None:
        self._set(exported="", **self._labels_news())

    def _labels_news(self) -> dict[str, Any]:
        now = self.annotating
        return {"labels_edited": now.is_edited, "counts": now.counts(), "keeping": now.keeping()}

    def _on_tool_changed(self) -> None:
        brush = self._layers.tool()
        if brush:  # napari's brush was taken in the layer's own controls
            self._hand.drop()
        tool = brush or self._hand.name
        hint = "" if self._hand.tool is None else self._hand.tool.hint
        if (tool, hint) != (self.state.tool, self.state.tool_hint):
            self._set(tool=tool, tool_hint=hint)

    # Export

    def export(self, what: ExportWhat, source: ExportFrom, path: Path) -> None:
        """Write a mask of exactly the stack's height and width; an image of that name is replaced."""
        values = values_to_export(what, source, self.annotating.annotation, self._layers.overlay, self._thresholds())
        if values is None:
            self._fail(f"There is nothing to export {what} from; predict or label something first.")
            return
        self._set(busy=f"Writing {path.name}…", exported="")
        self._launch("export", jobs.export_job(what, values, path), self._on_exported)

    def _thresholds(self) -> dict[What, float]:
        return {"ink": self.state.ink_threshold, "edge": self.state.edge_threshold}

    def _on_exported(self, event: jobs.Exported) -> None:
        self._set(exported=str(event.path))

    # Housekeeping

    def shut_down(self) -> None:
        """Stop what is running and let go of the viewer; for when the panel goes away, so nothing is emitted."""
        self._hand.release()
        self.annotating.end()
        self._layers.release()
        for kind in tuple(self._generations):
            self._generations[kind] += 1
        if self._run is not None:
            self._run.abandon()
            self._run = None

    def _launch(self, kind: str, events: workers.Events, on_event: Callable[[Any], None]) -> None:
        """Run a short job; what an earlier one of its kind still says is dropped."""
        self._generations[kind] += 1
        generation = self._generations[kind]

        def deliver(event: Any) -> None:
            if generation != self._generations[kind]:
                return
            if not isinstance(event, workers.JobFailed):
                on_event(event)
            elif kind != "warm up":  # the same error comes back, and is shown, when Run is pressed
                self._fail(event.message)

        def over() -> None:
            if generation == self._generations[kind] and kind != "warm up":
                self._set(busy="")

        workers.start(events, deliver, over)

    def _on_layers_gone(self) -> None:
        """Keep up with layers that the user took out of the list."""
        if not self._layers.has_stack:
            self.cancel()
            self.annotating.end()
            self.state = InkState(device_line=self.state.device_line, run=self.state.run)
        labels = self._layers.editable is not None
        self._set(
            has_prediction=self._layers.overlay is not None,
            labels=labels,
            labels_edited=labels and self.state.labels_edited,
            counts=self.state.counts if labels else LabelCounts(),
        )

    def _fail(self, message: str) -> None:
        show_error(message)
        self.failed.emit(message)

    def _set(self, **news: Any) -> None:
        self.state = replace(self.state, **news)
        self.changed.emit(self.state)
