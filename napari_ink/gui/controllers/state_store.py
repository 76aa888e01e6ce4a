"""The state of the work: one frozen `InkState`, replaced by controllers and rendered by views."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.gui.models.state import InkState, Step


class StateStore(QObject):
    """Holds the state, and emits it at most once a turn of the event loop.

    A stroke changes the counts, what can be undone and what is exported. Views that render after each of these changes
    would render three times; they render once, when the loop is free again.

    Attributes
    ----------
    state : InkState
        The state now, with changes that views have not rendered yet.
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
        self._put_message(message, step or self.state.current_step)
        show_error(message)
        self.failed.emit(message)

    def tell(self, message: str, step: Step) -> None:
        """Say what cannot be done just now, or what to do instead, in the same places."""
        self._put_message(message, step)
        show_info(message)

    def succeed(self, step: Step) -> None:
        """Clear the message of a step: something has succeeded there since."""
        if self.state.message(step):
            self._put_message("", step)

    def _put_message(self, message: str, step: Step) -> None:
        others = dict(self.state.messages) | {step: message}
        self.update(messages=tuple((of, text) for of, text in others.items() if text))

    def close(self) -> None:
        """Emit nothing any more: the panel is gone."""
        self._end_of_turn.stop()
        self.blockSignals(True)
