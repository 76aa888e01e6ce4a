"""Manager of napari's layers: adds, removes and finds the layers that napari-ink shows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Image, Shapes
from qtpy.QtCore import QObject, Signal

from napari_ink.gui.layers.label_layers import LabelLayers, overview_layer
from napari_ink.gui.layers.layer_list import LayerList, TaskQueue
from napari_ink.gui.layers.layer_rows import LayerRows
from napari_ink.gui.layers.prediction_overlay import PredictionOverlay
from napari_ink.gui.layers.scale_bar import ScaleBarOverlay
from napari_ink.gui.layers.stack_layer import (
    SOURCE_KEY,
    attach,
    detach,
    errors_of,
    source_of,
    stack_layer_data,
    stack_of,
)
from napari_ink.gui.layers.unfamiliar_layer import UNFAMILIAR_KEY, unfamiliar_layer
from napari_ink.gui.layers.viewport import Viewport
from napari_ink.typing import LabelKind, ThirdPlane, UInt8Array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from napari.layers import Labels, Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_ink.predict import UnfamiliarMap
    from napari_ink.region import Region
    from napari_ink.stack import DepthStack


# Auxiliary layers that are shown and hidden with the layer of the tools' lines, "Marks".
_MARKS = ("frame", "notes", "review")


class LayerManager(QObject):
    """The layers of one viewer that belong to the work on one stack.

    Layers are compared with `==`, because the viewer that napari passes to a plugin wraps a layer at each access.

    Attributes
    ----------
    viewport : Viewport
        Visible part of the stack.
    overlay : PredictionOverlay or None
        Prediction that is shown.
    editable : LabelLayers or None
        Labels that the user edits.
    """

    stack_arrived = Signal(object)
    reading_failed = Signal(str)
    stack_sampled = Signal(bool)
    gone = Signal()
    tool_changed = Signal()
    prediction_hidden = Signal(bool)

    def __init__(self, viewer: Viewer, dock: QWidget) -> None:
        super().__init__(dock)
        self._viewer, self._changes = viewer, LayerList(viewer)
        self.viewport = Viewport(viewer, dock, self._stack)
        self._stack_layer: Layer | None = None
        self.overlay: PredictionOverlay | None = None
        self.editable: LabelLayers | None = None
        self._overview: Labels | None = None
        self._preview: Layer | None = None
        self._auxiliary: dict[str, Layer] = {}
        self._tasks = TaskQueue(self)
        self._rows = LayerRows(dock, self._has_no_row)
        self._scale_bar = ScaleBarOverlay(viewer, dock)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self._on_tool)
        for changed in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.reordered):
            changed.connect(self._on_list)

    def find_stack(self) -> Layer | None:
        """Return the topmost layer that shows a depth stack, or None."""
        return next((layer for layer in reversed(self._viewer.layers) if stack_of(layer) is not None), None)

    def show_stack(self, stack: DepthStack, contrast_limits: tuple[float, float]) -> None:
        """Show a stack, and move the depth slider to its surface."""
        data, settings, _ = stack_layer_data(stack, contrast_limits)
        source = settings["metadata"].get(SOURCE_KEY)
        if source is not None:
            source.hold()
        layer = Image(data, **settings)
        self._changes.add(layer)
        self.take_over(layer)
        if source is not None:
            source.release()

    @property
    def has_stack(self) -> bool:
        """Whether the current stack is in the viewer."""
        return self._stack_layer is not None

    def take_over(self, layer: Layer) -> None:
        """Make a layer the current stack, and remove the layers that belonged to the previous stack."""
        stack = stack_of(layer)
        if stack is None:
            raise ValueError(f"{layer.name} shows no depth stack")
        # `_stack_layer` is replaced inside the block, so that `_on_removed` sees no removal by the user.
        with self._changes.own_change():
            before = self._stack_layer
            self._remove_all()
            if before is not None and before != layer:
                self._changes.remove([before])
            self._stack_layer = layer
        attach(layer)
        if (errors := errors_of(layer)) is not None:
            errors.failed.connect(self.reading_failed)
        if (source := source_of(layer)) is not None:
            source.sampled.connect(self.stack_sampled)
        self._viewer.reset_view()
        self._viewer.dims.set_point(0, stack.surface_z)
        self._scale_bar.measure(stack.voxel_size_um)

    def begin_overlay(
        self, shape: tuple[int, int], thresholds: Mapping[LabelKind, float], third: ThirdPlane | None = None
    ) -> None:
        """Show an empty prediction in place of the previous one, below the editable labels."""
        self.show_unfamiliar(None)
        # Reusing the layers is faster, because napari is slow at adding new ones.
        if self.overlay is not None and self.overlay.fits(third):
            self.overlay.clear()
            self.show_prediction(True)
            return
        if self.overlay is not None:
            self._changes.remove(self.overlay.all_layers())
        self.overlay = PredictionOverlay(shape, thresholds, third, self)
        for layer in self.overlay.layers.values():
            layer.events.visible.connect(self._on_visible)
        self._on_visible()
        self._tasks.add(*(partial(self._add_behind, layer) for layer in self.overlay.all_layers()), self._raise_labels)

    def when_idle(self, task: Callable[[], None]) -> None:
        """Run a task once all requested layers have been added."""
        self._tasks.add(task)

    def reject_layer(self, layer: Layer) -> None:
        """Remove a layer that was just added by others; later, since napari has not finished adding it."""
        self._tasks.add(lambda: self._changes.remove([layer]))

    def stop(self) -> None:
        """Add no more layers once the window is closed; napari would open an invisible window for them."""
        self._tasks.clear()

    def show_unfamiliar(self, found: UnfamiliarMap | None) -> None:
        """Add the hidden layer of a prediction's map of where not to trust, if any square lies outside."""
        self.remove_auxiliary(UNFAMILIAR_KEY)
        if found is not None and found.share and self.overlay is not None:
            self.show_auxiliary(UNFAMILIAR_KEY, unfamiliar_layer(found), under_labels=True)

    def end_overlay(self) -> None:
        """Remove the prediction."""
        self.show_unfamiliar(None)
        if self.overlay is not None:
            self._changes.remove(self.overlay.all_layers())
            self.overlay = None

    def begin_editing(self, editable: LabelLayers, then: Callable[[], None]) -> None:
        """Show editable labels in place of the previous ones, hide the prediction, and call `then`."""
        if self.editable is not None:
            self._changes.remove(self.editable.layers.values())
        self.editable = editable
        for layer in editable.layers.values():
            layer.events.mode.connect(self._on_tool)
            layer.events.selected_label.connect(self._on_tool)
            layer.events.brush_size.connect(self._on_tool)
        self.show_prediction(False)

        def hand_over() -> None:
            if self.editable is editable:  # otherwise other labels were begun before the layers were added
                self._raise_labels()
                self._viewer.layers.selection.active = editable.layers["ink"]
                then()

        self._tasks.add(*(partial(self._add, layer) for layer in editable.layers.values()), hand_over)

    def show_overview(self, values: UInt8Array | None, step: int, window: Region) -> None:
        """Show the labels of a large segment coarsely outside the edit window."""
        if values is None:
            return
        # The window shows its labels at full resolution, so the overview is left empty there.
        rows, columns = (slice(-(-a // step), b // step) for a, b in ((window.y0, window.y1), (window.x0, window.x1)))
        values[rows, columns] = 0
        if self._overview is not None:
            self._overview.data[:] = values
            self._overview.refresh(extent=False, highlight=False)
            return
        self._overview = overview = overview_layer(values, step)

        def add() -> None:
            if overview == self._overview:
                self._add(overview)
                self._raise_labels()

        self._tasks.add(add)

    def show_preview(self, layer: Layer) -> None:
        """Show the preview of the tools above all other layers."""
        self._preview = layer
        layer.events.visible.connect(self._on_marks_visible)
        if layer not in self._viewer.layers:
            self._tasks.add(partial(self._add_behind, layer))

    @property
    def stack_layer(self) -> Layer | None:
        """Layer that shows the stack."""
        return self._stack_layer

    @property
    def reading_error(self) -> str:
        """The first error in reading the stack since it was shown; empty if there was none."""
        errors = None if self._stack_layer is None else errors_of(self._stack_layer)
        return "" if errors is None else errors.first

    @property
    def is_stack_sampled(self) -> bool:
        """Whether part of the picture of the stack is interpolated from a sample of its chunks."""
        source = None if self._stack_layer is None else source_of(self._stack_layer)
        return source is not None and source.is_sampled

    def auxiliary(self, key: str) -> Layer | None:
        """Return the layer that was shown under a key; None if there is none or the user has removed it."""
        return self._auxiliary.get(key)

    def show_auxiliary(self, key: str, layer: Layer, under_labels: bool = False, on_stack: bool = False) -> None:
        """Show an auxiliary layer under a key, in place of the previous layer with that key."""
        self.remove_auxiliary(key)
        self._auxiliary[key] = layer
        if key in _MARKS and self._preview is not None:
            layer.visible = self._preview.visible
        self._tasks.add(partial(self._add_behind, layer), *([self._raise_labels] if under_labels else []))
        if on_stack:
            self._tasks.add(lambda: self._changes.move_above(layer, self._stack_layer))

    def show_drawing(self, key: str, layer: Shapes) -> None:
        """Show a shapes layer above all other layers, and activate its rectangle tool."""
        if self._auxiliary.get(key) != layer:
            self.remove_auxiliary(key)
            self._auxiliary[key] = layer
            self._tasks.add(partial(self._add, layer))

        def activate_tool() -> None:
            # Queued behind the layer itself: napari refuses a mode for a layer that is not in the list yet.
            if layer in self._viewer.layers:
                layer.visible = True
                self._viewer.layers.selection.active = layer
                layer.mode = "add_rectangle"

        self._tasks.add(activate_tool)

    def remove_auxiliary(self, key: str) -> None:
        """Remove the layer that was shown under a key."""
        if (layer := self._auxiliary.pop(key, None)) is not None:
            self._changes.remove([layer])

    def label_layers(self) -> list[Labels]:
        """Return the layers of the editable labels; an empty list if there are none."""
        return [] if self.editable is None else list(self.editable.layers.values())

    def predicted_layers(self) -> list[Image]:
        """Return the layers of predicted ink and edges; an empty list if there are none."""
        return [] if self.overlay is None else list(self.overlay.layers.values())

    def show_prediction(self, visible: bool) -> None:
        """Show or hide the predicted overlays."""
        for layer in self.predicted_layers():
            layer.visible = visible

    def activate_tool(self, tool: str) -> None:
        """Activate a brush or eraser."""
        if self.editable is not None:
            self._viewer.layers.selection.active = self.editable.activate_tool(tool)

    def brush_px(self, what: LabelKind) -> int | None:
        """Return the diameter of the brush of a label layer; None without labels."""
        return None if self.editable is None else round(self.editable.layers[what].brush_size)

    def set_brush(self, what: LabelKind, diameter_px: int) -> None:
        """Set the diameter of the brush of a label layer."""
        if self.editable is not None:
            self.editable.layers[what].brush_size = diameter_px

    def tool(self) -> str:
        """Return the active tool; empty if there is none."""
        return "" if self.editable is None else self.editable.tool_of(self._viewer.layers.selection.active)

    def release(self) -> None:
        """Disconnect from the viewer, and stop reading tiles so that the program can end."""
        if self._stack_layer is not None:
            detach(self._stack_layer)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.layers.selection.events.active.disconnect(self._on_tool)
        events = self._viewer.layers.events
        for changed in (events.inserted, events.removed, events.reordered):
            changed.disconnect(self._on_list)
        self.viewport.release()
        self._rows.show_all()
        self._scale_bar.release()

    def _stack(self) -> DepthStack | None:
        return None if self._stack_layer is None else stack_of(self._stack_layer)

    def _add(self, layer: Layer) -> None:
        if layer in [*self._own_layers()]:  # it may have been removed while it waited in the queue
            self._changes.add(layer)

    def _add_behind(self, layer: Layer) -> None:
        """Add a layer without changing the selection."""
        active = self._viewer.layers.selection.active
        self._add(layer)
        self._viewer.layers.selection.active = active

    def _own_layers(self) -> Iterator[Layer]:
        yield from () if self.overlay is None else self.overlay.all_layers()
        yield from () if self.editable is None else self.editable.layers.values()
        yield from (layer for layer in (self._overview, self._preview, *self._auxiliary.values()) if layer is not None)

    def _raise_labels(self) -> None:
        """Raise the labels to the top, and regions of interest above them."""
        raised = [] if self.editable is None else [*self.editable.layers.values(), self._preview]
        raised.extend(layer for layer in self._auxiliary.values() if isinstance(layer, Shapes))
        self._changes.raise_all(raised)

    def _remove_all(self) -> None:
        """Remove the overlay and the labels; everything drawn is already in the store."""
        if self.editable is not None:
            self.editable.commit()  # a script may have painted since the last commit
        self._changes.remove([*self._own_layers()])
        self.overlay = self.editable = self._overview = self._preview = None
        self._auxiliary.clear()

    def _on_inserted(self, event: Event) -> None:
        if not self._changes.is_own_change and stack_of(event.value) is not None:
            self.stack_arrived.emit(event.value)

    def _on_removed(self, event: Event) -> None:
        detach(event.value)
        # Only a removal by the user changes what is shown: layers of one group are removed together, and the
        # controllers hear of it through `gone`.
        if self._changes.is_own_change:
            return
        if event.value == self._stack_layer:
            self._stack_layer = None
            self._scale_bar.measure(None)
            with self._changes.own_change():
                self._remove_all()
        if self.overlay is not None and event.value in self.overlay.layers.values():
            self._changes.remove(self.overlay.all_layers())
            self.overlay = None
            self.show_unfamiliar(None)
        if self.editable is not None and event.value in self.editable.layers.values():
            self._changes.remove(self.editable.layers.values())
            self.editable = None
        if event.value == self._overview:
            self._overview = None
        self._auxiliary = {key: layer for key, layer in self._auxiliary.items() if layer != event.value}
        self.gone.emit()

    def _has_no_row(self, layer: Layer) -> bool:
        """Whether a layer is shown and hidden together with another, in whose row it is."""
        if self._preview is None:
            return False
        return layer == self._overview or any(layer == self._auxiliary.get(key) for key in _MARKS)

    def _on_marks_visible(self, *_: object) -> None:
        if self._preview is not None:
            for key in _MARKS:
                if (layer := self._auxiliary.get(key)) is not None:
                    layer.visible = self._preview.visible

    def _on_visible(self, *_: object) -> None:
        layers = self.predicted_layers()
        self.prediction_hidden.emit(bool(layers) and not any(layer.visible for layer in layers))

    def _on_list(self, *_: object) -> None:
        self._rows.update()

    def _on_tool(self, *_: object) -> None:
        self.tool_changed.emit()
