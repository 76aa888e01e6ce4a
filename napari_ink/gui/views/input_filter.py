"""Input filter of the panel: the mouse wheel scrolls, and keys go to the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QScrollBar,
    QTextEdit,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_VALUED = (QAbstractSpinBox, QComboBox, QAbstractSlider)
_TYPED_INTO = (QAbstractSpinBox, QLineEdit)
_ENDS_TYPING = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)


class InputFilter(QObject):
    """Event filter for all widgets of a panel.

    * The wheel scrolls the panel; it changes a value only in a spin box with the keyboard focus.
    * A click on a button, a slider or a dropdown leaves the focus on the canvas; Tab still reaches them.
    * Letters typed while one of these has the focus go to the canvas, instead of selecting an item of a dropdown.
    * Enter, Escape and the arrows of a spin box return the focus to the canvas.

    Parameters
    ----------
    panel
        Panel whose widgets are filtered.
    canvas
        Function that returns the canvas, or None.
    """

    def __init__(self, panel: QWidget, canvas: Callable[[], QWidget | None]) -> None:
        super().__init__(panel)
        self._canvas = canvas
        for widget in panel.findChildren(QWidget):
            if not isinstance(widget, QScrollBar) and not _is_in_popup(widget, panel):
                self._take(widget)

    def _take(self, widget: QWidget) -> None:
        if isinstance(widget, QAbstractButton | QComboBox | QAbstractSlider):
            widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        elif isinstance(widget, QAbstractSpinBox):
            widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # without the wheel
        elif isinstance(widget, QAbstractScrollArea) and not isinstance(widget, QAbstractItemView | QTextEdit):
            widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        elif not isinstance(widget, QAbstractItemView | QLineEdit):
            return
        widget.installEventFilter(self)
        if isinstance(widget, QComboBox):
            widget.activated.connect(lambda _: None if widget.hasFocus() else self._give_keys_back())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Keep the wheel from changing values, and letters from selecting items."""
        if event is None or not isinstance(watched, QWidget):
            return False
        kind = event.type()
        if kind == QEvent.Type.Wheel and isinstance(watched, _VALUED) and not _is_typed_into(watched):
            event.ignore()  # an ignored event goes to the parent, so the panel scrolls
            return True
        if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._on_key(watched, event)
        if kind == QEvent.Type.MouseButtonRelease and isinstance(watched, QAbstractSpinBox):
            self._give_keys_back()  # one of its arrows was clicked: a click into its text goes to its line edit
        return False

    def _on_key(self, watched: QWidget, event: QKeyEvent) -> bool:
        if isinstance(watched, _TYPED_INTO):
            if event.key() in _ENDS_TYPING:
                self._give_keys_back()
            return False
        canvas = self._canvas()
        if canvas is None or not event.text().strip() or event.key() in (*_ENDS_TYPING, Qt.Key.Key_Delete):
            return False  # keys that operate the widget itself
        return QApplication.sendEvent(canvas, event)

    def _give_keys_back(self) -> None:
        if (canvas := self._canvas()) is not None:
            canvas.setFocus()


def _is_typed_into(widget: QWidget) -> bool:
    return isinstance(widget, QAbstractSpinBox) and widget.hasFocus()


def _is_in_popup(widget: QWidget, panel: QWidget) -> bool:
    """Whether a widget belongs to the list of a dropdown, or to a dialog."""
    return widget.window() is not panel.window()
