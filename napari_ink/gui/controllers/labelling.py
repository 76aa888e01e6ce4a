"""Labelling in the window: cut, import, draw, undo, keep versions, export."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_ink.annotation import Edit
from napari_ink.gui.controllers import key_bindings
from napari_ink.gui.jobs.export import Exported, Figure, export_job, figure_job, plane_to_export
from napari_ink.gui.jobs.project import Cut, ProjectOpened, draft_job, import_job
from napari_ink.gui.models.state import Step
from napari_ink.gui.tools import (
    ToolContext,
    ToolManager,
    bridge_gaps_in_sight,
    edges_in_sight_from_ink,
    ink_in_sight_from_edges,
    make_tools,
    remove_specks_in_sight,
)
from napari_ink.typing import LabelKind

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_ink.export import LabelPlane
    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.controllers.overlay import OverlayController
    from napari_ink.gui.controllers.state_store import Desk
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.gui.models.edit_window import EditWindow
    from napari_ink.gui.models.state import ExportFrom, ExportWhat
    from napari_ink.stack import DepthStack


TURNED = "Labels can be drawn in the plain view only: press Plain view in step 3, then take the tool again."


class LabellingController(QObject):
    """What a person does to labels.

    Parameters
    ----------
    store
        The state of the work.
    layers
        The viewer's layers.
    labels
        The labels and their store.
    predicted
        Knows the thresholds.
    tool_manager
        What gives the mouse to the tool in hand.
    project_folder
        Says where a stack's project is kept.
    boxed
        Gets what is boxed to be searched for.
    """

    def __init__(
        self,
        store: Desk,
        layers: LayerManager,
        labels: LabelsController,
        predicted: OverlayController,
        tool_manager: ToolManager,
        project_folder: Callable[[DepthStack], Path],
        boxed: Callable[[EditWindow], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._layers, self._labels, self._predicted = store, layers, labels, predicted
        self._project_folder = project_folder
        self.context = ToolContext(layers, labels, partial(store.tell, step=Step.CORRECT))
        self._tool_manager, self.belt = tool_manager, make_tools(self.context, boxed)
        layers.tool_changed.connect(self._on_tool_changed)
        tool_manager.changed.connect(self._on_tool_changed)
        labels.shown.connect(self._on_shown)
        labels.changed.connect(lambda: store.set(**self._status()))
        labels.edited.connect(self._on_edited)
        labels.failed.connect(partial(store.fail, step=Step.CORRECT))
        labels.refused.connect(partial(store.tell, step=Step.CORRECT))
        layers.viewport.turned.connect(self._on_turned)

    def make_editable(self, replace_edited: bool = False) -> None:
        """Cut labels from the prediction (or begin with empty ones) for a person to edit, in the segment's project.

        Where the project has labels that are not shown, they are shown. Labels that were edited are replaced only if
        `replace_edited` says so.
        """
        state, overlay = self._store.state, self._layers.overlay
        if state.stack is None or state.run is not None or state.busy or self._is_held():
            return
        if not state.labels and self._labels.project is not None:
            self._labels.begin(self._labels.project)
            return
        if state.labels_edited and not replace_edited:
            self._store.fail(
                "Your labels were edited, so they were kept; choose Replace to begin again from the prediction.",
                Step.CORRECT,
            )
            return
        cut = None
        if overlay is not None:
            cuts = self._predicted.thresholds()
            cut = Cut(overlay.probabilities("ink"), overlay.probabilities("edge"), cuts["ink"], cuts["edge"])
        self._store.set(busy="Cutting labels from the prediction…" if cut else "Making a project for the labels…")
        folder = self._project_folder(state.stack)
        self._store.launch(
            "draft", draft_job(state.stack, self._labels.project, folder, cut), self._on_project
        )  # fmt: skip

    def import_labels(self, path: Path, what: LabelKind) -> None:
        """Take labels over from a file of any format, in place of those there are; one step to undo."""
        state = self._store.state
        if state.stack is None or state.busy or self._is_held():
            return
        self._store.set(busy=f"Reading {path.name}…")
        folder = self._project_folder(state.stack)
        job = import_job(state.stack, self._labels.project, folder, path, what)
        self._store.launch("draft", job, self._on_project)

    def activate_tool(self, tool: str) -> None:
        """Put a brush, an eraser or a canvas tool in the user's hand."""
        if self._layers.editable is None or not self._may_draw():
            return
        if tool in self.belt:
            self._tool_manager.activate(self.belt[tool], self._layers.editable.layers["ink"])
        else:
            self._tool_manager.deactivate()
            self._layers.activate_tool(tool)

    def undo(self) -> None:
        """Take the last change of the labels back."""
        self._labels.undo()

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        self._labels.redo()

    def ink_from_edges(self) -> None:
        """Make ink of what closed edge lines in sight enclose."""
        if self._may_draw():
            ink_in_sight_from_edges(self.context)

    def edges_from_ink(self) -> None:
        """Draw the outlines of the ink in sight."""
        if self._may_draw():
            edges_in_sight_from_ink(self.context)

    def remove_specks(self) -> None:
        """Remove short edge lines in sight."""
        if self._may_draw():
            remove_specks_in_sight(self.context)

    def bridge_gaps(self) -> None:
        """Bridge small gaps between edge lines in sight."""
        if self._may_draw():
            bridge_gaps_in_sight(self.context)

    def save_version(self, name: str) -> None:
        """Keep the labels as they are under a name."""
        if (project := self._labels.project) is not None:
            self._store.set(busy=f"Saving version {name}…")
            self._store.launch("version", _done(lambda: project.versions.save(name)), self._on_version)

    def restore_version(self, name: str) -> None:
        """Make the labels what they were in a version; one step to undo."""
        if (project := self._labels.project) is not None and not self._is_held():
            self._store.set(busy=f"Going back to {name}…")
            self._store.launch("version", _done(lambda: project.versions.restore(name)), self._on_version)

    def export(self, what: ExportWhat, source: ExportFrom, path: Path) -> None:
        """Write a mask or labels of the segment's height and width; what is there under that name is replaced."""
        if (plane := self._plane(what, source)) is None:
            self._store.fail(
                f"There is nothing to export {what} from; predict or label something first.", Step.EXPORT
            )  # fmt: skip
            return
        self._store.set(busy=f"Writing {path.name}…", exported="")
        self._store.launch("export", export_job(plane, path), self._on_exported)

    def export_figure(self, source: ExportFrom, path: Path) -> None:
        """Write a picture of what is in sight, with ink and edges over it and a scale bar."""
        stack, part = self._store.state.stack, self._layers.viewport.visible_region()
        if stack is None or part is None:
            self._store.fail("No part of the segment is in sight; press the house, bottom left.", Step.EXPORT)
            return
        planes = self._plane("ink", source), self._plane("edges", source)
        figure = Figure(stack, self._layers.viewport.current_z(), part, *planes)
        self._store.set(busy=f"Writing {path.name}…", exported="")
        self._store.launch("export", figure_job(figure, path), self._on_exported)

    @property
    def can_edit(self) -> bool:
        """Whether labels are there and not held by another window."""
        return self._layers.editable is not None and not self._store.state.storage.held_by

    def release(self) -> None:
        """Let go of the mouse."""
        self._tool_manager.release()

    def _plane(self, what: ExportWhat, source: ExportFrom) -> LabelPlane | None:
        stack = self._store.state.stack
        return plane_to_export(
            what, source, self._labels.annotation, self._layers.overlay, self._predicted.thresholds(),
            None if stack is None else stack.voxel_size_um,
        )  # fmt: skip

    def _is_held(self) -> bool:
        holder = self._store.state.storage.held_by
        if holder:
            self._store.fail(
                f"The labels are being edited elsewhere: {holder}; close them there first.", Step.CORRECT
            )  # fmt: skip
        return bool(holder)

    def _on_project(self, event: ProjectOpened) -> None:
        self._layers.show_prediction(False)
        self._labels.begin(event.project)
        self._store.set(import_notes=event.notes)

    def _on_version(self, edit: Edit | None) -> None:
        if edit is not None:
            self._labels.take_over(edit)
        self._store.set(**self._status())

    def _on_exported(self, event: Exported) -> None:
        self._store.set(exported=str(event.path))
        for note in event.notes:
            self._store.tell(note, Step.EXPORT)

    def _on_shown(self) -> None:
        self._layers.show_preview(self.context.preview.layer)
        for layer in () if self._layers.editable is None else self._layers.editable.layers.values():
            key_bindings.bind_layer(layer, {"undo": self.undo, "redo": self.redo})
        self._store.set(labels=True, exported="", **self._status())

    def _on_edited(self, _edit: object) -> None:
        self._store.set(exported="", **self._status())
        self._store.succeed(Step.CORRECT)

    def _may_draw(self) -> bool:
        """Whether labels are there to be drawn in, in a view that shows them as they are; why not is told."""
        if self.can_edit and not self._layers.viewport.is_plain:
            self._store.tell(TURNED, Step.CORRECT)
            return False
        return self.can_edit

    def _on_turned(self) -> None:
        if not self._layers.viewport.is_plain:
            self._tool_manager.deactivate()

    def _status(self) -> dict[str, Any]:
        now = self._labels
        versions = () if now.project is None else tuple(now.project.versions.names())
        return {
            "labels_edited": now.is_edited,
            "counts": now.counts(),
            "keeping": now.storage(),
            "versions": versions,
        }

    def _on_tool_changed(self) -> None:
        brush = self._layers.tool()
        if brush:  # napari's brush was taken in the layer's own controls
            self._tool_manager.deactivate()
        tool = brush or self._tool_manager.name
        hint = "" if self._tool_manager.tool is None else self._tool_manager.tool.hint
        if (tool, hint) != (self._store.state.tool, self._store.state.tool_hint):
            self._store.set(tool=tool, tool_hint=hint)


def _done(do: Callable[[], Any]) -> Generator[Any, None, None]:
    yield do()
