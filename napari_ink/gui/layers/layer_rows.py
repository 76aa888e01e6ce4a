"""Rows of napari's layer list that are hidden, so that the list shows what users think in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QListView, QWidget
from superqt.utils import QSignalDebouncer

from napari_ink.gui.layers.gl_context import main_window_of

if TYPE_CHECKING:
    from napari.layers import Layer

_VIEW = "QtLayerList"


class LayerRows(QObject):
    """Hides the rows of some layers in the layer list of a window; the layers themselves stay visible.

    napari has no list of layers to hide, so the rows are hidden in Qt's view. Where that view is not found, as in a
    viewer without a window, all rows are shown.

    Parameters
    ----------
    widget
        Widget in the window.
    is_hidden
        Function that tells whether a layer is hidden.
    """

    def __init__(self, widget: QWidget, is_hidden: Callable[[Layer], bool]) -> None:
        super().__init__(widget)
        self._widget, self._is_hidden = widget, is_hidden
        self._view: QListView | None = None
        self._rest = QSignalDebouncer(parent=self)
        self._rest.setTimeout(0)  # napari changes its list in several steps
        self._rest.triggered.connect(self._apply)

    def update(self) -> None:
        """Hide and show rows once napari has changed its list."""
        self._rest.throttle()

    def show_all(self) -> None:
        """Show all rows again, because the panel is closed."""
        self._rest.cancel()
        self._is_hidden = lambda _: False
        with suppress(RuntimeError):  # the view went with the window
            self._apply()

    def _apply(self) -> None:
        view = self._view = self._view or self._find()
        model = None if view is None else view.model()
        if view is None or model is None:
            return
        for row in range(model.rowCount()):
            layer: Any = model.data(model.index(row, 0), Qt.ItemDataRole.UserRole)
            if layer is not None:
                view.setRowHidden(row, self._is_hidden(layer))

    def _find(self) -> QListView | None:
        window = main_window_of(self._widget)
        views = [] if window is None else window.findChildren(QListView)
        return next((view for view in views if type(view).__name__ == _VIEW), None)
