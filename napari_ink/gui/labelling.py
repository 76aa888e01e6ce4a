"""Labelling in the window: cut, import, draw, undo, keep versions, export."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_ink.annotation import Edit
from napari_ink.gui import exporting, jobs, keys
from napari_ink.gui.state import Step
from napari_ink.gui.tools import (
    Bench,
    Hand,
    bridge_gaps_in_sight,
    edges_in_sight_from_ink,
    ink_in_sight_from_edges,
    remove_specks_in_sight,
    tool_belt,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_ink.export import LabelPlane
    from napari_ink.gui.annotating import Annotating
    from napari_ink.gui.desk import Desk
    from napari_ink.gui.edit_window import EditWindow
    from napari_ink.gui.layers import InkLayers
    from napari_ink.gui.shown_prediction import ShownPrediction
    from napari_ink.gui.state import ExportFrom, ExportWhat, What
    from napari_ink.stack import DepthStack


TURNED = "Labels can be drawn in the plain view only: press Plain view in step 3, then take the tool again."


class Labelling(QObject):
    """What a person does to labels.

    Parameters
    ----------
    desk
        The state of the work.
    layers
        The viewer's layers.
    annotating
        The labels and their store.
    predicted
        Knows the thresholds.
    hand
        What gives the mouse to the tool in hand.
    project_folder
        Says where a stack's project is kept.
    boxed
        Gets what is boxed to be searched for.
    """

    def __init__(
        self,
        desk: Desk,
        layers: InkLayers,
        annotating: Annotating,
        predicted: ShownPrediction,
        hand: Hand,
        project_folder: Callable[[DepthStack], Path],
        boxed: Callable[[EditWindow], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._desk, self._layers, self._annotating, self._predicted = desk, layers, annotating, predicted
        self._project_folder = project_folder
        self.bench = Bench(layers, annotating, partial(desk.tell, step=Step.CORRECT))
        self._hand, self.belt = hand, tool_belt(self.bench, boxed)
        layers.tool_changed.connect(self._on_tool_changed)
        hand.changed.connect(self._on_tool_changed)
        annotating.shown.connect(self._on_shown)
        annotating.changed.connect(lambda: desk.set(**self._news()))
        annotating.edited.connect(self._on_edited)
        annotating.failed.connect(partial(desk.fail, step=Step.CORRECT))
        annotating.refused.connect(partial(desk.tell, step=Step.CORRECT))
        layers.sight.turned.connect(self._on_turned)

    def make_editable(self, replace_edited: bool = False) -> None:
        """Cut labels from the prediction (or begin with empty ones) for a person to edit, in the segment's project.

        Where the project has labels that are not shown, they are shown. Labels that were edited are replaced only if
        `replace_edited` says so.
        """
        state, overlay = self._desk.state, self._layers.overlay
        if state.stack is None or state.run is not None or state.busy or self._is_held():
            return
        if not state.labels and self._annotating.project is not None:
            self._annotating.begin(self._annotating.project)
            return
        if state.labels_edited and not replace_edited:
            self._desk.fail(
                "Your labels were edited, so they were kept; choose Replace to begin again from the prediction.",
                Step.CORRECT,
            )
            return
        cut = None
        if overlay is not None:
            cuts = self._predicted.thresholds()
            cut = jobs.Cut(overlay.probabilities("ink"), overlay.probabilities("edge"), cuts["ink"], cuts["edge"])
        self._desk.set(busy="Cutting labels from the prediction…" if cut else "Making a project for the labels…")
        folder = self._project_folder(state.stack)
        self._desk.launch(
            "draft", jobs.draft_job(state.stack, self._annotating.project, folder, cut), self._on_project
        )  # fmt: skip

    def import_labels(self, path: Path, what: What) -> None:
        """Take labels over from a file of any format, in place of those there are; one step to undo."""
        state = self._desk.state
        if state.stack is None or state.busy or self._is_held():
            return
        self._desk.set(busy=f"Reading {path.name}…")
        folder = self._project_folder(state.stack)
        job = jobs.import_job(state.stack, self._annotating.project, folder, path, what)
        self._desk.launch("draft", job, self._on_project)

    def take_tool(self, tool: str) -> None:
        """Put a brush, an eraser or a canvas tool in the user's hand."""
        if self._layers.editable is None or not self._may_draw():
            return
        if tool in self.belt:
            self._hand.take(self.belt[tool], self._layers.editable.layers["ink"])
        else:
            self._hand.drop()
            self._layers.take_tool(tool)

    def undo(self) -> None:
        """Take the last change of the labels back."""
        self._annotating.undo()

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        self._annotating.redo()

    def ink_from_edges(self) -> None:
        """Make ink of what closed edge lines in sight enclose."""
        if self._may_draw():
            ink_in_sight_from_edges(self.bench)

    def edges_from_ink(self) -> None:
        """Draw the outlines of the ink in sight."""
        if self._may_draw():
            edges_in_sight_from_ink(self.bench)

    def remove_specks(self) -> None:
        """Remove short edge lines in sight."""
        if self._may_draw():
            remove_specks_in_sight(self.bench)

    def bridge_gaps(self) -> None:
        """Bridge small gaps between edge lines in sight."""
        if self._may_draw():
            bridge_gaps_in_sight(self.bench)

    def save_version(self, name: str) -> None:
        """Keep the labels as they are under a name."""
        if (project := self._annotating.project) is not None:
            self._desk.set(busy=f"Saving version {name}…")
            self._desk.launch("version", _done(lambda: project.versions.save(name)), self._on_version)

    def restore_version(self, name: str) -> None:
        """Make the labels what they were in a version; one step to undo."""
        if (project := self._annotating.project) is not None and not self._is_held():
            self._desk.set(busy=f"Going back to {name}…")
            self._desk.launch("version", _done(lambda: project.versions.restore(name)), self._on_version)

    def export(self, what: ExportWhat, source: ExportFrom, path: Path) -> None:
        """Write a mask or labels of the segment's height and width; what is there under that name is replaced."""
        if (plane := self._plane(what, source)) is None:
            self._desk.fail(
                f"There is nothing to export {what} from; predict or label something first.", Step.EXPORT
            )  # fmt: skip
            return
        self._desk.set(busy=f"Writing {path.name}…", exported="")
        self._desk.launch("export", exporting.export_job(plane, path), self._on_exported)

    def export_figure(self, source: ExportFrom, path: Path) -> None:
        """Write a picture of what is in sight, with ink and edges over it and a scale bar."""
        stack, part = self._desk.state.stack, self._layers.sight.view()
        if stack is None or part is None:
            self._desk.fail("No part of the segment is in sight; press the house, bottom left.", Step.EXPORT)
            return
        planes = self._plane("ink", source), self._plane("edges", source)
        figure = exporting.Figure(stack, self._layers.sight.depth(), part, *planes)
        self._desk.set(busy=f"Writing {path.name}…", exported="")
        self._desk.launch("export", exporting.figure_job(figure, path), self._on_exported)

    @property
    def can_edit(self) -> bool:
        """Whether labels are there and not held by another window."""
        return self._layers.editable is not None and not self._desk.state.keeping.held_by

    def release(self) -> None:
        """Let go of the mouse."""
        self._hand.release()

    def _plane(self, what: ExportWhat, source: ExportFrom) -> LabelPlane | None:
        stack = self._desk.state.stack
        return exporting.plane_to_export(
            what, source, self._annotating.annotation, self._layers.overlay, self._predicted.thresholds(),
            None if stack is None else stack.voxel_size_um,
        )  # fmt: skip

    def _is_held(self) -> bool:
        holder = self._desk.state.keeping.held_by
        if holder:
            self._desk.fail(
                f"The labels are being edited elsewhere: {holder}; close them there first.", Step.CORRECT
            )  # fmt: skip
        return bool(holder)

    def _on_project(self, event: jobs.ProjectOpened) -> None:
        self._layers.show_prediction(False)
        self._annotating.begin(event.project)
        self._desk.set(import_notes=event.notes)

    def _on_version(self, edit: Edit | None) -> None:
        if edit is not None:
            self._annotating.take_over(edit)
        self._desk.set(**self._news())

    def _on_exported(self, event: exporting.Exported) -> None:
        self._desk.set(exported=str(event.path))
        for note in event.notes:
            self._desk.tell(note, Step.EXPORT)

    def _on_shown(self) -> None:
        self._layers.show_preview(self.bench.preview.layer)
        for layer in () if self._layers.editable is None else self._layers.editable.layers.values():
            keys.bind_layer(layer, {"undo": self.undo, "redo": self.redo})
        self._desk.set(labels=True, exported="", **self._news())

    def _on_edited(self, _edit: object) -> None:
        self._desk.set(exported="", **self._news())
        self._desk.succeed(Step.CORRECT)

    def _may_draw(self) -> bool:
        """Whether labels are there to be drawn in, in a view that shows them as they are; why not is told."""
        if self.can_edit and not self._layers.sight.is_plain:
            self._desk.tell(TURNED, Step.CORRECT)
            return False
        return self.can_edit

    def _on_turned(self) -> None:
        if not self._layers.sight.is_plain:
            self._hand.drop()

    def _news(self) -> dict[str, Any]:
        now = self._annotating
        versions = () if now.project is None else tuple(now.project.versions.names())
        return {
            "labels_edited": now.is_edited,
            "counts": now.counts(),
            "keeping": now.keeping(),
            "versions": versions,
        }

    def _on_tool_changed(self) -> None:
        brush = self._layers.tool()
        if brush:  # napari's brush was taken in the layer's own controls
            self._hand.drop()
        tool = brush or self._hand.name
        hint = "" if self._hand.tool is None else self._hand.tool.hint
        if (tool, hint) != (self._desk.state.tool, self._desk.state.tool_hint):
            self._desk.set(tool=tool, tool_hint=hint)


def _done(do: Callable[[], Any]) -> Generator[Any, None, None]:
    yield do()
