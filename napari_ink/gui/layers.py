"""The one module that adds, removes and looks up napari's layers."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from napari import current_viewer
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.gui.editable import EditableLabels
from napari_ink.gui.overlay import Overlay
from napari_ink.gui.stack_layer import stack_layer_data, stack_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer

    from napari_ink.gui.state import What
    from napari_ink.stack import DepthStack


class InkLayers(QObject):
    """The layers of one viewer that belong to the work on one stack.

    Layers are compared with `==`: the viewer that napari hands a plugin wraps each layer anew.

    Attributes
    ----------
    overlay : Overlay or None
        The prediction shown.
    editable : EditableLabels or None
        The labels that a person edits.
    """

    stack_arrived = Signal(object)
    gone = Signal()
    painted = Signal()
    counted = Signal()
    tool_changed = Signal()

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._stack_layer: Layer | None = None
        self.overlay: Overlay | None = None
        self.editable: EditableLabels | None = None
        self._changing = False
        self._tasks: deque[Callable[[], None]] = deque()
        self._turn = QTimer(self)
        self._turn.setSingleShot(True)
        self._turn.timeout.connect(self._on_turn)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self._on_tool)

    def find_stack(self) -> Layer | None:
        """Return the topmost layer that shows a depth stack, or None."""
        return next((layer for layer in reversed(self._viewer.layers) if stack_of(layer) is not None), None)

    def show_stack(self, stack: DepthStack, contrast_limits: tuple[float, float]) -> None:
        """Show a stack, and turn the depth slider to its surface."""
        data, settings, _ = stack_layer_data(stack, contrast_limits)
        layer = Image(data, **settings)
        with self._own_change():
            self._viewer.add_layer(layer)
        self.take_over(layer)

    @property
    def has_stack(self) -> bool:
        """Whether the stack being worked on is in the viewer."""
        return self._stack_layer is not None

    def take_over(self, layer: Layer) -> None:
        """Make a layer the stack being worked on, and put away what belonged to the one before."""
        stack = stack_of(layer)
        if stack is None:
            raise ValueError(f"{layer.name} shows no depth stack")
        with self._own_change():
            before = self._stack_layer
            self._put_away(before.name if before is not None else "")
            if before is not None and before != layer:
                self._remove([before])
            self._stack_layer = layer
        self._viewer.reset_view()
        self._viewer.dims.set_point(0, stack.surface_z)

    def begin_overlay(self, shape: tuple[int, int], thresholds: Mapping[What, float]) -> None:
        """Show an empty prediction in the place of the one before, underneath the editable labels."""
        if self.overlay is not None:
            self.overlay.clear()
            self.show_prediction(True)
            return
        self.overlay = Overlay(shape, thresholds, self)
        self._in_turns(*(partial(self._add, layer) for layer in self.overlay.layers.values()), self._raise_labels)

    def begin_editing(self, editable: EditableLabels, then: Callable[[], None]) -> None:
        """Show editable labels in the place of those before, hide the prediction, and call `then`."""
        with self._own_change():
            if self.editable is not None:
                self._remove(self.editable.layers.values())
        self.editable = editable
        for layer in editable.layers.values():
            layer.events.mode.connect(self._on_tool)
            layer.events.selected_label.connect(self._on_tool)
        editable.counted.connect(self.counted)
        editable.painted.connect(self.painted)
        self.show_prediction(False)

        def hand_over() -> None:
            if self.editable is editable:
                self._viewer.layers.selection.active = editable.layers["ink"]
                then()

        self._in_turns(*(partial(self._add, layer) for layer in editable.layers.values()), hand_over)

    def show_prediction(self, visible: bool) -> None:
        """Show or hide the predicted overlays."""
        for layer in self.overlay.layers.values() if self.overlay is not None else ():
            layer.visible = visible

    def take_tool(self, tool: str) -> None:
        """Put a brush or eraser in the user's hand."""
        if self.editable is not None:
            self._viewer.layers.selection.active = self.editable.take_tool(tool)

    def tool(self) -> str:
        """Return the tool in hand, empty when there is none."""
        return "" if self.editable is None else self.editable.tool_of(self._viewer.layers.selection.active)

    def visible_region(self) -> tuple[int, int, int, int] | None:
        """Return ``y0, y1, x0, x1`` of the part of the stack in sight, half open, or None when it is out of sight."""
        if self._stack_layer is None:
            return None
        (y0, x0), (y1, x1) = self._stack_layer.corner_pixels[:, -2:]
        height, width = self._stack_layer.data.shape[-2:]
        y0, x0, y1, x1 = max(int(y0), 0), max(int(x0), 0), min(int(y1) + 1, height), min(int(x1) + 1, width)
        return (y0, y1, x0, x1) if y1 - y0 > 1 and x1 - x0 > 1 else None

    def release(self) -> None:
        """Let go of the viewer's signals."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.layers.selection.events.active.disconnect(self._on_tool)

    def _in_turns(self, *tasks: Callable[[], None]) -> None:
        """Do one task in each turn of the event loop: napari takes its time over each layer, and the window waits."""
        self._tasks.extend(tasks)
        self._turn.start()

    def _on_turn(self) -> None:
        if self._tasks:
            self._turn.start()
            self._tasks.popleft()()

    def _add(self, layer: Layer) -> None:
        if layer in [*self._own_layers()]:  # else it was put away before its turn came
            with self._own_change():
                self._viewer.add_layer(layer)

    def _own_layers(self) -> Iterator[Layer]:
        for group in (self.overlay, self.editable):
            yield from () if group is None else group.layers.values()

    def _raise_labels(self) -> None:
        raised = [] if self.editable is None else self.editable.layers.values()
        for layer in (one for one in raised if one in self._viewer.layers):
            self._viewer.layers.move(self._viewer.layers.index(layer), len(self._viewer.layers))

    def _put_away(self, owner: str) -> None:
        """Drop the overlay, and the labels unless they were edited: those stay in the list under their stack's name."""
        if self.overlay is not None:
            self._remove(self.overlay.layers.values())
            self.overlay = None
        if self.editable is None:
            return
        if self.editable.edited:
            for layer in self.editable.layers.values():
                layer.name, layer.visible = f"{layer.name} of {owner}", False
        else:
            self._remove(self.editable.layers.values())
        self.editable = None

    def _remove(self, layers: Iterable[Layer]) -> None:
        for layer in layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    @contextmanager
    def _own_change(self) -> Iterator[None]:
        """Keep what is added or removed inside from being taken for the user's doing."""
        before, self._changing = self._changing, True
        try:
            yield
        finally:
            self._changing = before

    def _on_inserted(self, event: Event) -> None:
        if not self._changing and stack_of(event.value) is not None:
            self.stack_arrived.emit(event.value)

    def _on_removed(self, event: Event) -> None:
        if self._changing:
            return
        if event.value == self._stack_layer:
            self._stack_layer = None
            with self._own_change():
                self._put_away(event.value.name)
        if self.overlay is not None and event.value in self.overlay.layers.values():
            with self._own_change():
                self._remove(self.overlay.layers.values())
            self.overlay = None
        if self.editable is not None and event.value in self.editable.layers.values():
            self.editable = None
        self.gone.emit()

    def _on_tool(self, *_: object) -> None:
        self.tool_changed.emit()


def show_surface_when_added(stack: DepthStack) -> None:
    """Turn the current viewer's depth slider to a stack's surface as soon as its layer is there.

    A reader hands napari layers only; where the sliders go, it cannot say.
    """
    viewer = current_viewer()
    if viewer is None:
        return

    def show(event: Event) -> None:
        if stack_of(event.value) is stack:
            viewer.layers.events.inserted.disconnect(show)
            viewer.dims.set_point(0, stack.surface_z)

    viewer.layers.events.inserted.connect(show)
