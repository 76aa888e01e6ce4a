"""Manager of the active canvas tool, which passes the mouse and two keys to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtCore import QObject, Signal

from napari_ink.gui.layers.viewport import camera_of
from napari_ink.gui.tools.base import CanvasTool, Key, Pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.layers import Labels
    from napari.viewer import Viewer

_KEYS: tuple[Key, ...] = ("Enter", "Escape")


class ToolManager(QObject):
    """Manager of the active canvas tool of one viewer.

    Parameters
    ----------
    viewer
        Viewer whose canvas the tools work on.

    Attributes
    ----------
    tool : CanvasTool or None
        Active tool.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tool: CanvasTool | None = None
        self._viewer = viewer
        self._layer: Labels | None = None
        self._double_clicks: list[Any] = []
        viewer.mouse_drag_callbacks.append(self._on_drag)
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_double_click_callbacks.append(self._on_double_click)
        # Connected after napari's own callback, which enables moving the picture whenever a layer is added or selected.
        viewer.layers.selection.events.active.connect(self._hold_picture, position="last")

    @property
    def name(self) -> str:
        """Name of the active tool; empty if there is none."""
        return "" if self.tool is None else self.tool.name

    def activate(self, tool: CanvasTool, layer: Labels) -> None:
        """Activate a tool that works on a labels layer."""
        self.deactivate()
        # A brush of napari would paint along with the tool.
        layer.mode = "pan_zoom"
        self._viewer.layers.selection.active = layer
        for key in _KEYS:
            layer.bind_key(key, self._presser(key), overwrite=True)
        # napari's own callback would zoom in at the double click that finishes an outline.
        self._double_clicks = [one for one in self._viewer.mouse_double_click_callbacks if one != self._on_double_click]
        for one in self._double_clicks:
            self._viewer.mouse_double_click_callbacks.remove(one)
        self.tool, self._layer = tool, layer
        self._hold_picture()
        self.changed.emit()

    def deactivate(self) -> None:
        """Deactivate the active tool, if there is one."""
        tool, layer = self.tool, self._layer
        if tool is None or layer is None:
            return
        self.tool = self._layer = None
        tool.drop()
        for key in _KEYS:
            layer.bind_key(key, None, overwrite=True)
        # If a brush of napari is active by now, the picture must stay still: the layer knows.
        camera_of(self._viewer).mouse_pan = layer.mouse_pan
        self._viewer.mouse_double_click_callbacks.extend(self._double_clicks)
        self.changed.emit()

    def release(self) -> None:
        """Deactivate the tool and disconnect from the viewer."""
        self.deactivate()
        self._viewer.layers.selection.events.active.disconnect(self._hold_picture)
        self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        self._viewer.mouse_move_callbacks.remove(self._on_move)
        self._viewer.mouse_double_click_callbacks.remove(self._on_double_click)

    def _hold_picture(self, *_: object) -> None:
        """Let drags of the left button move the picture only if the active tool does not handle them."""
        if self.tool is not None:
            camera_of(self._viewer).mouse_pan = not self.tool.takes_drags

    def _on_drag(self, _viewer: Viewer, event: Any) -> Iterator[None]:
        tool = self.tool
        if tool is None:
            return
        start, has_moved = _pointer(event), False
        if tool.takes_drags:
            tool.press(start)
        yield
        while event.type == "mouse_move":
            has_moved = True
            if tool.takes_drags and tool is self.tool:  # a key may have changed the tool during the drag
                tool.move(_pointer(event, start.button), pressed=True)
            yield
        if tool is not self.tool:
            return
        if tool.takes_drags:
            tool.release(_pointer(event, start.button))
        elif not has_moved:  # a click; a drag has moved the picture
            tool.press(start)

    def _on_move(self, _viewer: Viewer, event: Any) -> None:
        if self.tool is not None:
            self.tool.move(_pointer(event), pressed=False)

    def _on_double_click(self, _viewer: Viewer, event: Any) -> None:
        if self.tool is not None:
            self.tool.double_click(_pointer(event))

    def _presser(self, key: Key) -> Callable[[Labels], None]:
        def press(_layer: Labels) -> None:
            if self.tool is not None:
                self.tool.key(key)

        return press


def _pointer(event: Any, button: Literal["left", "right"] | None = None) -> Pointer:
    y, x = event.position[-2:]
    modifiers = {str(modifier).lower() for modifier in event.modifiers}
    pressed: Literal["left", "right"] = button or ("right" if event.button == 2 else "left")
    return Pointer(
        y, x, pressed, any("ctrl" in m or "control" in m for m in modifiers), any("shift" in m for m in modifiers)
    )
