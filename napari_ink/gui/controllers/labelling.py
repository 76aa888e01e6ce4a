"""Labelling: draft labels from the prediction, import, draw, undo, and save versions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_ink.annotation import Edit
from napari_ink.gui.controllers import key_bindings
from napari_ink.gui.jobs.project import Cut, ProjectOpened, draft_job, import_job
from napari_ink.gui.models.actions import EDGE_BRUSHES, INK_BRUSHES, WITH_LABEL, Tool, ToolSettings
from napari_ink.gui.models.state import Step
from napari_ink.gui.models.status import LabelCounts
from napari_ink.gui.preferences import author_name
from napari_ink.gui.tools import (
    ToolContext,
    ToolManager,
    bridge_visible_gaps,
    edges_from_visible_ink,
    ink_from_visible_edges,
    make_tools,
    remove_visible_specks,
)
from napari_ink.typing import LabelKind

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.controllers.overlay import OverlayController
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.stack import DepthStack


TURNED = "Labels can be drawn in the plain view only: press Plain view in the step Correct, then choose the tool again."


class LabellingController(QObject):
    """Controller of the actions that change labels.

    Parameters
    ----------
    store
        State of the window.
    jobs
        Runner of background jobs.
    layers
        Layers of the viewer.
    labels
        Controller of the labels and their store.
    predicted
        Controller of the prediction overlay and its thresholds.
    tool_manager
        Manager of the active canvas tool.
    project_folder
        Function that returns the project folder of a stack.
    """

    def __init__(
        self,
        store: StateStore,
        jobs: JobRunner,
        layers: LayerManager,
        labels: LabelsController,
        predicted: OverlayController,
        tool_manager: ToolManager,
        project_folder: Callable[[DepthStack], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._jobs, self._layers, self._labels, self._predicted = store, jobs, layers, labels, predicted
        self._project_folder = project_folder
        self._versions: tuple[str, ...] = ()
        self.context = ToolContext(layers, labels, jobs, partial(store.notify, step=Step.CORRECT))
        self._tool_manager, self.tools = tool_manager, make_tools(self.context)
        layers.gone.connect(self._on_layers_gone)
        layers.tool_changed.connect(self._on_tool_changed)
        tool_manager.changed.connect(self._on_tool_changed)
        labels.shown.connect(self._on_shown)
        labels.changed.connect(lambda: store.update(**self._status()))
        labels.edited.connect(self._on_edited)
        labels.refused.connect(partial(store.notify, step=Step.CORRECT))
        layers.viewport.turned.connect(self._on_turned)

    def make_editable(self, replace_edited: bool = False) -> None:
        """Draft editable labels from the prediction, or create empty ones, in the project of the segment.

        If the project has labels that are not shown, show them instead. Edited labels are replaced only if
        `replace_edited` is true.
        """
        state, overlay = self._store.state, self._layers.overlay
        if state.stack is None or state.run is not None or state.busy or self._is_held():
            return
        # A project without shown labels: their layers were removed from the list, or another window had them open.
        if not state.labels and self._labels.project is not None:
            self._labels.begin(self._labels.project)
            return
        if state.labels_edited and not replace_edited:
            self._store.fail(
                "Your labels were edited, so they were kept; choose Replace to draft them from the prediction again.",
                Step.CORRECT,
            )
            return
        cut = None
        if overlay is not None:
            cuts = self._predicted.thresholds()
            cut = Cut(overlay.probabilities("ink"), overlay.probabilities("edge"), cuts["ink"], cuts["edge"])
        busy = "Drafting labels from the prediction…" if cut else "Making a project for the labels…"
        job = draft_job(state.stack, self._labels.project, self._project_folder(state.stack), cut, author_name())
        self._jobs.run("draft", job, self._on_project, step=Step.CORRECT, busy=busy)

    def import_labels(self, path: Path, what: LabelKind) -> None:
        """Import labels from a file of any format in place of the current ones, as one undo step."""
        state = self._store.state
        if state.stack is None or state.busy or self._is_held():
            return
        folder = self._project_folder(state.stack)
        job = import_job(state.stack, self._labels.project, folder, path, what, author_name())
        self._jobs.run("draft", job, self._on_project, step=Step.CORRECT, busy=f"Reading {path.name}…")

    def activate_tool(self, tool: Tool) -> None:
        """Activate a brush, an eraser or a canvas tool."""
        if self._layers.editable is None or not self._may_draw():
            return
        if tool in self.tools:
            self._tool_manager.activate(self.tools[tool], self._layers.editable.layers["ink"])
        else:
            self._tool_manager.deactivate()
            self._layers.activate_tool(tool)

    def put_tool_away(self) -> None:
        """Deactivate the active canvas tool; brushes of napari stay."""
        self._tool_manager.deactivate()

    def set_brush(self, diameter_px: int) -> None:
        """Set the brush size of the active tool."""
        self._layers.set_brush("edge" if self._store.state.tool in EDGE_BRUSHES else "ink", diameter_px)

    def set_reach(self, distance_px: int) -> None:
        """Set how far from the click or stroke the active tool looks for edges."""
        if (tool := self._store.state.tool) in self.context.reach_px:
            self.context.reach_px[Tool(tool)] = distance_px
            self._on_tool_changed()

    def paint_papyrus(self, is_papyrus: bool) -> None:
        """Choose whether tools that paint ink or papyrus paint papyrus."""
        self.context.paints_papyrus = is_papyrus
        self._on_tool_changed()

    def undo(self) -> None:
        """Undo the last change of the labels."""
        self._labels.undo()

    def redo(self) -> None:
        """Redo the change that was undone last."""
        self._labels.redo()

    def ink_from_edges(self) -> None:
        """Fill closed edge lines in the visible region with ink."""
        if self._may_draw():
            ink_from_visible_edges(self.context)

    def edges_from_ink(self) -> None:
        """Draw the outlines of the visible ink as edges."""
        if self._may_draw():
            edges_from_visible_ink(self.context)

    def remove_specks(self) -> None:
        """Remove short edge lines in the visible region."""
        if self._may_draw():
            remove_visible_specks(self.context)

    def bridge_gaps(self) -> None:
        """Bridge small gaps between edge lines in the visible region."""
        if self._may_draw():
            bridge_visible_gaps(self.context)

    def save_version(self, name: str) -> None:
        """Save the labels as a version with a name."""
        if (project := self._labels.project) is not None:
            job = _done(lambda: project.versions.save(name))
            self._jobs.run("version", job, self._on_version, step=Step.CORRECT, busy=f"Saving version {name}…")

    def restore_version(self, name: str) -> None:
        """Restore the labels of a version, as one undo step."""
        if (project := self._labels.project) is not None and not self._is_held():
            job = _done(lambda: project.versions.restore(name))
            self._jobs.run("version", job, self._on_version, step=Step.CORRECT, busy=f"Restoring version {name}…")

    @property
    def can_edit(self) -> bool:
        """Whether there are labels that no other window has open."""
        return self._layers.editable is not None and not self._store.state.storage.held_by

    def release(self) -> None:
        """Disconnect the tools from the viewer."""
        self._tool_manager.release()

    def _is_held(self) -> bool:
        holder = self._store.state.storage.held_by
        if holder:
            self._store.fail(f"The labels are being edited elsewhere: {holder}; close them there first.", Step.CORRECT)
        return bool(holder)

    def _on_project(self, event: ProjectOpened) -> None:
        self._layers.show_prediction(False)
        self._labels.begin(event.project)
        self._store.update(import_notes=event.notes)

    def _on_version(self, edit: Edit | None) -> None:
        if edit is not None:
            self._labels.take_over(edit)
        self._list_versions()
        self._store.update(**self._status())

    def _on_shown(self) -> None:
        self._list_versions()
        self._layers.show_preview(self.context.preview.layer)
        # On the layers too, because napari binds undo and redo there to its own history, which the store does not know.
        for layer in () if self._layers.editable is None else self._layers.editable.layers.values():
            key_bindings.bind_layer(layer, {"undo": self.undo, "redo": self.redo})
        self._store.update(labels=True, exported="", **self._status())

    def _on_layers_gone(self) -> None:
        # The project stays open, so its labels can be shown again; only the state of the panel changes.
        has_labels, state = self._layers.editable is not None, self._store.state
        self._store.update(
            labels=has_labels,
            labels_edited=has_labels and state.labels_edited,
            counts=state.counts if has_labels else LabelCounts(),
        )

    def _on_edited(self, _edit: object) -> None:
        self._store.update(exported="", **self._status())
        self._store.succeed(Step.CORRECT)

    def _may_draw(self) -> bool:
        """Whether labels can be drawn now; if only the view is in the way, show the reason."""
        if self.can_edit and not self._layers.viewport.is_plain:
            self._store.notify(TURNED, Step.CORRECT)
            return False
        return self.can_edit

    def _on_turned(self) -> None:
        if not self._layers.viewport.is_plain:
            self._tool_manager.deactivate()

    def _list_versions(self) -> None:
        # A stroke must not read the disk, so the folder is listed only if the versions may have changed.
        project = self._labels.project
        self._versions = () if project is None else tuple(project.versions.names())

    def _status(self) -> dict[str, Any]:
        now = self._labels
        return {
            "labels_edited": now.is_edited and self._layers.editable is not None,
            "counts": now.counts(),
            "storage": now.storage(),
            "versions": self._versions,
        }

    def _on_tool_changed(self) -> None:
        brush = self._layers.tool()
        if brush:  # a brush was activated in napari's layer controls
            self._tool_manager.deactivate()
        tool = brush or self._tool_manager.name
        hint = "" if self._tool_manager.tool is None else self._tool_manager.tool.hint
        self._store.update(tool=tool, tool_hint=hint, tool_settings=self._settings_of(tool))

    def _settings_of(self, name: str) -> ToolSettings:
        """Return the settings of a tool; all of them None for no tool."""
        if not name:
            return ToolSettings()
        tool = Tool(name)
        brush = self._layers.brush_px("edge" if tool in EDGE_BRUSHES else "ink")
        return ToolSettings(
            brush_px=brush if tool in (*INK_BRUSHES, *EDGE_BRUSHES) else None,
            reach_px=self.context.reach_px.get(tool),
            paints_papyrus=self.context.paints_papyrus if tool in WITH_LABEL else None,
        )


def _done(do: Callable[[], Any]) -> Generator[Any, None, None]:
    yield do()
