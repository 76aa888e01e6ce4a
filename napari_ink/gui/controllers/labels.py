"""Labels of a project: strokes are handed to the store at once, and undo, redo and edits of tools are shown."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.annotation import DRAFT, LabelValue
from napari_ink.errors import NapariInkError
from napari_ink.gui.jobs.project import StepPrepared, WindowRead, prepare_step_job, read_window_job
from napari_ink.gui.layers.label_layers import LabelLayers
from napari_ink.gui.models.edit_window import must_move, window_for
from napari_ink.gui.models.status import LabelCounts, StorageStatus
from napari_ink.region import Region

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari_ink.annotation import Annotation, Block, Edit, Project, StepKind
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.jobs.worker import JobFailed
    from napari_ink.gui.layers.manager import LayerManager

_WINDOW, _STEP = "edit window", "undo or redo"
_WATCH_MS = 300


class LabelsController(QObject):
    """Controller of the labels of one project, which are stored in full and shown in the edit window.

    Parameters
    ----------
    layers
        Layers of the viewer.
    jobs
        Runner of background jobs.

    Attributes
    ----------
    project : Project or None
        Open project.
    is_partial : bool
        Whether the visible region is larger than the edit window.
    """

    changed = Signal()
    edited = Signal(object)
    shown = Signal()
    failed = Signal(str)
    refused = Signal(str)
    ending = Signal()

    def __init__(self, layers: LayerManager, jobs: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self.project: Project | None = None
        self._layers = layers
        self.is_partial = False
        self._edits = 0
        self._steps: deque[StepKind] = deque()
        self._reported = StorageStatus()
        self._watch = QTimer(self)
        self._watch.setInterval(_WATCH_MS)
        self._watch.timeout.connect(self._on_watch)
        layers.viewport.settled.connect(self.follow)
        layers.viewport.turned.connect(self._on_turned)

    @property
    def annotation(self) -> Annotation | None:
        """Annotation store of the open project; None without one."""
        return None if self.project is None else self.project.annotation

    def begin(self, project: Project) -> None:
        """Open a project, or reload the one that is open; its labels are read on a worker thread."""
        is_new = project is not self.project
        if is_new:
            self.end()
        self.project = project
        self._watch.start()
        self._read(self._show if is_new else self._replace_shown)

    def end(self) -> None:
        """Write pending changes, close the project so that others can open it, and forget it."""
        if self._layers.editable is not None:
            self._layers.editable.commit()
        self._watch.stop()
        self._jobs.cancel(_WINDOW, _STEP)
        self._steps.clear()
        if self.project is not None:
            self.ending.emit()
            try:
                self.project.close()
            except NapariInkError as error:  # reported while the project was open; nothing is left to wait for
                self.failed.emit(str(error))
        self.project = None

    def apply(self, blocks: Sequence[Block], tool: str) -> Edit | None:
        """Change labels with a tool, as one undo step."""
        annotation = self.annotation
        if annotation is None or annotation.read_only:
            return None
        edit = self._apply(annotation, blocks, tool)
        if edit is not None:
            self.take_over(edit)
        return edit

    def take_over(self, edit: Edit) -> None:
        """Show an edit that was made in the store."""
        self._on_edit(edit, ((change.plane, change.y, change.x, change.after) for change in edit.changes))

    def undo(self) -> None:
        """Undo the last change; one that is not in memory is read on a thread first."""
        self._request_step("undo")

    def redo(self) -> None:
        """Redo the change that was undone last."""
        self._request_step("redo")

    def counts(self) -> LabelCounts:
        """Return the number of pixels of each label."""
        if self.annotation is None:
            return LabelCounts()
        ink, edge = self.annotation.count("ink"), self.annotation.count("edge")
        return LabelCounts(ink.get(LabelValue.INK, 0), ink.get(LabelValue.PAPYRUS, 0), edge.get(1, 0), edge.get(2, 0))

    def storage(self) -> StorageStatus:
        """Return how the labels are stored and what can be undone; `changed` is emitted when this changes."""
        self._reported = self._storage()
        return self._reported

    def _storage(self) -> StorageStatus:
        project, annotation, editable = self.project, self.annotation, self._layers.editable
        if project is None or annotation is None:
            return StorageStatus()
        return StorageStatus(
            project.folder,
            project.holder,
            annotation.is_saved,
            annotation.problem,
            annotation.undo_name,
            annotation.redo_name,
            self.is_partial,
            project.warnings,
            not self._layers.viewport.is_plain,
            () if editable is None else editable.hidden,
        )

    @property
    def is_edited(self) -> bool:
        """Whether the user has changed the labels since they were last drafted from a prediction."""
        if self.annotation is None:
            return False
        if not self.annotation.can_undo:  # edits may be too old to be undone, so the pixels decide
            return any(self.annotation.count(plane) for plane in ("ink", "edge"))
        return self.annotation.undo_name != DRAFT

    def follow(self) -> None:
        """Move the edit window with the view, if part of the visible region lies outside it."""
        editable, view = self._layers.editable, self._layers.viewport.visible_region()
        self._note(editable, view)
        # Not during a stroke: napari would continue it in the moved layer, at another place of the segment.
        if editable is None or self.annotation is None or view is None or editable.is_drawing:
            return
        if not self._jobs.is_running(_WINDOW) and must_move(editable.window, view, self.annotation.shape):
            self._read(self._move)

    def _note(self, editable: LabelLayers | None, view: Region | None) -> None:
        side = 0 if editable is None else max(editable.window.shape)
        is_beyond = editable is not None and view is not None and not editable.window.holds(view)
        # A small part outside is covered by moving the window; a view this large needs a hint to zoom in.
        is_partial = is_beyond and view is not None and max(view.shape) > side // 2
        if is_partial != self.is_partial:
            self.is_partial = is_partial
            self.changed.emit()

    def _request_step(self, kind: StepKind) -> None:
        annotation, editable = self.annotation, self._layers.editable
        if annotation is None or annotation.read_only or (editable is not None and editable.is_drawing):
            return
        if editable is not None:
            editable.commit()
        self._steps.append(kind)
        if not self._jobs.is_running(_STEP):
            self._take_steps()

    def _take_steps(self) -> None:
        """Take the requested steps in order, until one of them has to be read from the disk."""
        while self._steps and (annotation := self.annotation) is not None:
            kind = self._steps[0]
            if not annotation.is_in_memory(kind):
                job = prepare_step_job(annotation, kind, annotation.next_number(kind))
                self._jobs.run(_STEP, job, self._on_prepared, on_failure=self._on_step_failure)
                return
            self._steps.popleft()
            self._take_step(annotation, kind)

    def _on_prepared(self, event: StepPrepared) -> None:
        self._jobs.cancel(_STEP)  # the job has no more events, and the next step may need one
        # A stroke that was drawn meanwhile would be undone in place of the step that was meant.
        if self.annotation is None or event.number != self.annotation.next_number(self._steps[0]):
            self._steps.clear()
        self._take_steps()

    def _on_step_failure(self, failure: JobFailed) -> None:
        self._steps.clear()
        self.failed.emit(failure.message)

    def _take_step(self, annotation: Annotation, kind: StepKind) -> None:
        try:
            edit = annotation.undo() if kind == "undo" else annotation.redo()
        except NapariInkError as error:
            self.failed.emit(str(error))
            return
        if edit is not None:
            before = kind == "undo"
            blocks = ((one.plane, one.y, one.x, one.before if before else one.after) for one in edit.changes)
            self._on_edit(edit, blocks)

    def _on_painted(self, blocks: Sequence[Block], tool: str) -> None:
        if self.annotation is None or self.annotation.read_only:
            return
        edit = self._apply(self.annotation, blocks, tool or "other")
        if edit is not None:
            self._on_edit(edit, ())

    def _apply(self, annotation: Annotation, blocks: Sequence[Block], tool: str) -> Edit | None:
        try:
            return annotation.apply(blocks, tool)
        except NapariInkError as error:
            self.failed.emit(str(error))
            self._read(self._replace_shown)  # removes the painted pixels, which are not in the store
            return None

    def _on_edit(self, edit: Edit, to_show: Iterable[Any]) -> None:
        self._edits += 1
        if self._layers.editable is not None:
            self._layers.editable.show(block for block in to_show if block[0] in ("ink", "edge"))
        self.edited.emit(edit)
        self.changed.emit()

    # The edit window

    def _read(self, then: Callable[[WindowRead], None]) -> None:
        annotation = self.annotation
        if annotation is None:
            return
        edits = self._edits
        window = window_for(self._layers.viewport.visible_region(), annotation.shape)

        def deliver(event: WindowRead) -> None:
            self._jobs.cancel(_WINDOW)  # the job has no more events, and `follow` checks whether it runs
            if self._layers.editable is not None and not self._layers.editable.is_drawing:
                self._layers.editable.commit()  # a script may have painted just now
            if edits != self._edits or (self._layers.editable is not None and self._layers.editable.is_drawing):
                self._read(then)  # something was drawn meanwhile, so the values are outdated
            else:
                then(event)

        self._jobs.run(_WINDOW, read_window_job(annotation, window), deliver)

    def _show(self, event: WindowRead) -> None:
        if self.annotation is None:
            return
        editable = LabelLayers(event.window, event.values, self.annotation.read_only, self)
        editable.painted.connect(self._on_painted)
        editable.refused.connect(self.refused)
        editable.allow_drawing(self._layers.viewport.is_plain)
        for layer in editable.layers.values():
            layer.events.visible.connect(self._on_visible)
        self._layers.begin_editing(editable, self.shown.emit)
        self._layers.show_overview(event.overview, event.step, event.window)

    def _replace_shown(self, event: WindowRead) -> None:
        """Show the new labels in the existing layers, so that no layer disappears for a moment."""
        if self._layers.editable is None:
            self._show(event)
        else:
            self._move(event)
            self.shown.emit()

    def _move(self, event: WindowRead) -> None:
        if self._layers.editable is not None:
            self._layers.editable.move(event.window, event.values)
            self._layers.show_overview(event.overview, event.step, event.window)

    # Housekeeping

    def _on_watch(self) -> None:
        """Emit `changed` if the storage status has changed, such as saved or not, or a problem with the disk."""
        if self.annotation is not None and self._storage() != self._reported:
            self.changed.emit()

    def _on_turned(self) -> None:
        if self._layers.editable is not None:
            self._layers.editable.allow_drawing(self._layers.viewport.is_plain)
            self.changed.emit()

    def _on_visible(self, *_: object) -> None:
        self.changed.emit()
