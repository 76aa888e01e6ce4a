"""Status area at the foot of the panel: what is running, the last message, and whether all changes are saved."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout

from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.work import Notice, Work, notices_of, saved_line, work_of
from napari_ink.gui.views.message import Message
from napari_ink.gui.views.step_panel import Lines, button, mark
from napari_ink.gui.views.widgets import Progress

_BAR_PX = 6
_IDLE = "Nothing is running"


class StatusArea(QFrame):
    """Area at a fixed place, which grows upwards only for a message of more than two lines.

    Emits `cancel_requested` and `pause_requested` with the kind of the work, and `message_read` with a step.

    Attributes
    ----------
    message : Message
        Newest message that was not read yet.
    work, saved : Lines
        What is running, and whether all changes are saved.
    """

    cancel_requested = Signal(str)
    pause_requested = Signal(str)
    message_read = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("inkStatus")
        self._works: tuple[Work, ...] = ()
        self._at = 0
        self._notice: Notice | None = None
        self.work, self.saved = Lines(1, _IDLE), Lines(1)
        self.bar, self.message = Progress(), Message()
        self.next_button = button("", "Show what else is running")
        self.pause_button = button("Pause", "Wait after the current batch, with the model in memory")
        self.cancel_button = button("Cancel", "Stop after the current step; what is finished is kept")
        self.read_button = button("OK", "Remove this message")
        self._lay_out()
        self.next_button.clicked.connect(self._on_next)
        self.pause_button.clicked.connect(self._on_pause)
        self.cancel_button.clicked.connect(self._on_cancel)
        self.read_button.clicked.connect(self._on_read)
        self.show_state(InkState())

    def show_state(self, state: InkState) -> None:
        """Show what is running, the newest message, and whether all is saved."""
        self.show_progress(state)
        notices, storage = notices_of(state), state.storage
        self._notice = notices[0] if notices else None
        self.message.show_message(_text(notices))
        self.read_button.setVisible(self._notice is not None and self._notice.step is not None)
        self.saved.show_text(saved_line(state))
        mark(self.saved, "inkWarning" if storage.problem or storage.held_by else "inkSmall")

    def set_compact(self, is_compact: bool) -> None:
        """Reserve one line for messages in a window that is low for its font, or two."""
        self.message.set_least_lines(1 if is_compact else 2)

    def show_progress(self, state: InkState) -> None:
        """Show what is running; called several times a second during a prediction."""
        self._works = work_of(state)
        self._show_work()

    def _show_work(self) -> None:
        self._at = min(self._at, max(len(self._works) - 1, 0))
        work = self._works[self._at] if self._works else None
        self.work.show_text(_IDLE if work is None else work.text)
        self.bar.show_progress(*((0, 1) if work is None else (work.done, work.total)))
        self.next_button.setVisible(len(self._works) > 1)
        self.next_button.setText(f"{self._at + 1} of {max(len(self._works), 1)}")
        self.pause_button.setVisible(work is not None and work.is_paused is not None)
        self.pause_button.setText("Resume" if work is not None and work.is_paused else "Pause")
        self.cancel_button.setVisible(work is not None)
        for one in (self.pause_button, self.cancel_button):
            one.setEnabled(work is not None and work.can_cancel)

    def _lay_out(self) -> None:
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(_BAR_PX)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.saved, 1)
        for one in (self.next_button, self.pause_button, self.cancel_button):
            first.addWidget(one)
        second.addWidget(self.message, 1)
        second.addWidget(self.read_button, 0, Qt.AlignmentFlag.AlignBottom)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(3)
        for line in (first, second):
            line.setSpacing(4)
        # The message grows upwards, so that everything below it stays.
        layout.addLayout(second)
        layout.addWidget(self.work)
        layout.addWidget(self.bar)
        layout.addLayout(first)
        for one in (self.next_button, self.pause_button, self.cancel_button, self.read_button):
            one.setObjectName("inkFlat")
            one.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for one in (self.cancel_button, self.read_button):
            policy = one.sizePolicy()
            policy.setRetainSizeWhenHidden(True)  # so that the rows keep their height when a button appears
            one.setSizePolicy(policy)

    def _on_next(self) -> None:
        self._at = (self._at + 1) % max(len(self._works), 1)
        self._show_work()

    def _on_pause(self) -> None:
        if self._works:
            self.pause_requested.emit(str(self._works[self._at].kind))

    def _on_cancel(self) -> None:
        if self._works:
            self.cancel_requested.emit(str(self._works[self._at].kind))

    def _on_read(self) -> None:
        if self._notice is not None and self._notice.step is not None:
            self.message_read.emit(self._notice.step)


def _text(notices: tuple[Notice, ...]) -> str:
    """Return the newest message, with the number of others below it."""
    if not notices:
        return ""
    newest, others = notices[0], len(notices) - 1
    step = "" if newest.step is None else f"{newest.step}: "
    more = f" ({others} more)" if others else ""
    return f"{step}{newest.text}{more}"
