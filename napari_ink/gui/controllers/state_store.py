"""State of the window: one frozen `InkState`, replaced by controllers and rendered by views."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.gui.models.state import InkState, Step


class StateStore(QObject):
    """Store of the state, which emits it at most once per turn of the event loop.

    A stroke changes the counts, the undo step and the export. Views would render three times if each change were
    emitted; they render once, when the event loop is free again.

    Attributes
    ----------
    state : InkState
        Current state, including changes that views have not rendered yet.
    """

    changed = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = InkState()
        self._end_of_turn = QTimer(self)
        self._end_of_turn.setSingleShot(True)
        self._end_of_turn.timeout.connect(lambda: self.changed.emit(self.state))

    def update(self, **changes: Any) -> None:
        """Change fields of the state."""
        self.reset(replace(self.state, **changes))

    def reset(self, state: InkState) -> None:
        """Put another state in place of this one."""
        if state is not self.state and state != self.state:
            self.state = state
            self._end_of_turn.start()

    def fail(self, message: str, step: Step | None = None) -> None:
        """Show an error in the panel of a step (the current one unless it is given) and in a toast."""
        # The toast disappears after a few seconds, so the panel keeps the message.
        self._put_message(message, step or self.state.current_step)
        show_error(message)
        self.failed.emit(message)

    def notify(self, message: str, step: Step) -> None:
        """Show a hint in the panel of a step and in a toast, such as why an action is not possible."""
        self._put_message(message, step)
        show_info(message)

    def succeed(self, step: Step) -> None:
        """Clear the message of a step, because an action in it has succeeded."""
        if self.state.message(step):
            self._put_message("", step)

    def _put_message(self, message: str, step: Step) -> None:
        others = dict(self.state.messages) | {step: message}
        self.update(messages=tuple((of, text) for of, text in others.items() if text))

    def close(self) -> None:
        """Stop emitting, because the panel is closed."""
        self._end_of_turn.stop()
        self.blockSignals(True)
