"""The desk: the state of the work, and the short jobs under way; every room of the window changes the state here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, Signal

from napari_ink.gui.jobs.worker import Events, JobFailed, start_worker
from napari_ink.gui.models.state import InkState, Step

QUIET = "warm up"
# The step that a job of each kind belongs to, where what fails of it is said.
_STEPS = {
    "open": Step.STACK,
    "project": Step.STACK,
    "draft": Step.CORRECT,
    "version": Step.CORRECT,
    "export": Step.EXPORT,
}


class Desk(QObject):
    """Holds one `InkState`, and tells of each new one.

    Attributes
    ----------
    state : InkState
        What is shown now.
    """

    changed = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = InkState()
        self._generations: Counter[str] = Counter()

    def set(self, **news: Any) -> None:
        """Change parts of the state."""
        self.state = replace(self.state, **news)
        self.changed.emit(self.state)

    def fail(self, message: str, step: Step | None = None) -> None:
        """Tell the user what went wrong, in the panel of a step (the current one unless it is given) and in a toast."""
        self._versions(message, step or self.state.current_step)
        show_error(message)
        self.failed.emit(message)

    def tell(self, message: str, step: Step) -> None:
        """Tell the user what cannot be done just now, or what to do instead, in the same places."""
        self._versions(message, step)
        show_info(message)

    def succeed(self, step: Step) -> None:
        """Take away what was said to have gone wrong in a step: something has succeeded there since."""
        if self.state.message(step):
            self._versions("", step)

    def _versions(self, message: str, step: Step) -> None:
        others = dict(self.state.messages) | {step: message}
        self.set(messages=tuple((of, said) for of, said in others.items() if said))

    def launch(
        self,
        kind: str,
        events: Events,
        on_event: Callable[[Any], None],
        on_failure: Callable[[JobFailed], None] | None = None,
    ) -> None:
        """Run a short job on a thread; what an earlier one of its kind still says is dropped.

        What fails is told, unless `on_failure` takes it. When the job is over nothing is busy any more.
        """
        self._generations[kind] += 1
        generation = self._generations[kind]

        def deliver(event: Any) -> None:
            if generation != self._generations[kind]:
                return
            if not isinstance(event, JobFailed):
                on_event(event)
                if kind in _STEPS:
                    self.succeed(_STEPS[kind])
            elif on_failure is not None:
                on_failure(event)
            elif kind != QUIET:  # the same error comes back, and is shown, when Run is pressed
                self.fail(event.message, _STEPS.get(kind))

        def over() -> None:
            if generation == self._generations[kind] and kind != QUIET:
                self.set(busy="")

        start_worker(events, deliver, over)

    def drop(self, *kinds: str) -> None:
        """Listen no more to jobs of these kinds; to none at all if none is named."""
        for kind in kinds or tuple(self._generations):
            self._generations[kind] += 1
