"""What a person draws goes into their project's store at once; undo, redo and other tools' edits come back from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.annotation import LabelValue
from napari_ink.errors import NapariInkError
from napari_ink.gui.jobs.project import DRAFT, WindowRead, read_window_job
from napari_ink.gui.layers.label_layers import LabelLayers
from napari_ink.gui.models.edit_window import EditWindow, must_move, window_for
from napari_ink.gui.models.status import LabelCounts, StorageStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari_ink.annotation import Annotation, Block, Edit, Project
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.layers.manager import LayerManager

_WINDOW = "edit window"
_WATCH_MS = 300


class LabelsController(QObject):
    """The labels of one project, shown through the edit window and kept in the store.

    Parameters
    ----------
    layers
        The viewer's layers.
    jobs
        Reads the labels of the edit window.

    Attributes
    ----------
    project : Project or None
        The project that is open.
    is_partial : bool
        Whether more is in sight than can be drawn in at once.
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
        self._reported = StorageStatus()
        self._watch = QTimer(self)
        self._watch.setInterval(_WATCH_MS)
        self._watch.timeout.connect(self._on_watch)
        layers.viewport.settled.connect(self.follow)
        layers.viewport.turned.connect(self._on_turned)

    @property
    def annotation(self) -> Annotation | None:
        """The store of the project that is open."""
        return None if self.project is None else self.project.annotation

    def begin(self, project: Project) -> None:
        """Work on a project, or show the one that is open anew: its labels are read on a thread and shown."""
        is_new = project is not self.project
        if is_new:
            self.end()
        self.project = project
        self._watch.start()
        self._read(self._show if is_new else self._replace_shown)

    def end(self) -> None:
        """Write what is not written yet, let others have the project, and forget it."""
        if self._layers.editable is not None:
            self._layers.editable.commit()
        self._watch.stop()
        self._jobs.cancel(_WINDOW)
        if self.project is not None:
            self.ending.emit()
            try:
                self.project.close()
            except NapariInkError as error:  # it has been told before, and there is nobody left who could wait
                self.failed.emit(str(error))
        self.project = None

    def apply(self, blocks: Sequence[Block], tool: str) -> Edit | None:
        """Change labels by a tool, as one step to undo."""
        annotation = self.annotation
        if annotation is None or annotation.read_only:
            return None
        try:
            edit = annotation.apply(blocks, tool)
        except NapariInkError as error:
            self.failed.emit(str(error))
            return None
        if edit is not None:
            self.take_over(edit)
        return edit

    def take_over(self, edit: Edit) -> None:
        """Show an edit that was made in the store."""
        self._on_edit(edit, ((change.plane, change.y, change.x, change.after) for change in edit.changes))

    def undo(self) -> None:
        """Take the last change back."""
        self._step(lambda annotation: annotation.undo(), is_undo=True)

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        self._step(lambda annotation: annotation.redo(), is_undo=False)

    def counts(self) -> LabelCounts:
        """Count the pixels that carry a label."""
        if self.annotation is None:
            return LabelCounts()
        ink, edge = self.annotation.count("ink"), self.annotation.count("edge")
        return LabelCounts(ink.get(LabelValue.INK, 0), ink.get(LabelValue.PAPYRUS, 0), edge.get(1, 0), edge.get(2, 0))

    def storage(self) -> StorageStatus:
        """Say where the labels are kept, and what can be undone; it is told anew when this is no longer so."""
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
        """Whether a person has changed the labels since they were last cut from a prediction."""
        if self.annotation is None:
            return False
        if not self.annotation.can_undo:  # the steps may be too old to be undone
            return any(self.annotation.count(plane) for plane in ("ink", "edge"))
        return self.annotation.undo_name != DRAFT

    def follow(self) -> None:
        """Move the edit window after the view, if something in sight lies outside it."""
        editable, view = self._layers.editable, self._layers.viewport.visible_region()
        self._note(editable, view)
        if editable is None or self.annotation is None or view is None or editable.is_drawing:
            return
        if not self._jobs.is_running(_WINDOW) and must_move(editable.window, view, self.annotation.shape):
            self._read(self._move)

    def _note(self, editable: LabelLayers | None, view: EditWindow | None) -> None:
        side = 0 if editable is None else max(editable.window.shape)
        is_beyond = editable is not None and view is not None and not editable.window.holds(view)
        is_partial = is_beyond and view is not None and max(view.shape) > side // 2
        if is_partial != self.is_partial:
            self.is_partial = is_partial
            self.changed.emit()

    def _step(self, take: Callable[[Annotation], Edit | None], is_undo: bool) -> None:
        annotation, editable = self.annotation, self._layers.editable
        if annotation is None or annotation.read_only or (editable is not None and editable.is_drawing):
            return
        if editable is not None:
            editable.commit()
        try:
            edit = take(annotation)
        except NapariInkError as error:
            self.failed.emit(str(error))
            return
        if edit is not None:
            self._on_edit(
                edit,
                ((one.plane, one.y, one.x, one.before if is_undo else one.after) for one in edit.changes),
            )

    def _on_painted(self, blocks: Sequence[Block], tool: str) -> None:
        if self.annotation is None or self.annotation.read_only:
            return
        try:
            edit = self.annotation.apply(blocks, tool or "other")
        except NapariInkError as error:
            self.failed.emit(str(error))
            return
        if edit is not None:
            self._on_edit(edit, ())

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
            self._jobs.cancel(_WINDOW)  # it has nothing more to say, and `follow` asks whether it runs
            if self._layers.editable is not None and not self._layers.editable.is_drawing:
                self._layers.editable.commit()  # what a script painted just now
            if edits != self._edits or (self._layers.editable is not None and self._layers.editable.is_drawing):
                self._read(then)  # something was drawn meanwhile: what was read is old
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
        """Show what took the place of the labels in the layers that there are: none vanishes for a moment."""
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
        """Tell when what was said last is no longer so: saved or not, and any trouble with the disk."""
        if self.annotation is not None and self._storage() != self._reported:
            self.changed.emit()

    def _on_turned(self) -> None:
        if self._layers.editable is not None:
            self._layers.editable.allow_drawing(self._layers.viewport.is_plain)
            self.changed.emit()

    def _on_visible(self, *_: object) -> None:
        self.changed.emit()
