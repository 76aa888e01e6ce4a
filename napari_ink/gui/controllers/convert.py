"""Converting the stack in hand to an OME-Zarr, on a thread, while one looks on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_ink.gui.jobs.worker import EventWorker, JobFailed, start_worker
from napari_ink.gui.models.status import ConversionStatus
from napari_ink.stack import Converted, convert

if TYPE_CHECKING:
    from napari_ink.stack import DepthStack


class ConversionController(QObject):
    """Runs one conversion at a time; one that is cancelled goes on when it is asked for again.

    Attributes
    ----------
    news : Conversion
        How far it has come.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.status = ConversionStatus()
        self._worker: EventWorker | None = None

    def start(self, stack: DepthStack, out: Path) -> None:
        """Convert a stack."""
        if self._worker is not None:
            return
        began, first = time.monotonic(), [0]
        self._tell(ConversionStatus(done=0.0))

        def deliver(event: Converted | JobFailed) -> None:
            if worker is not self._worker:
                return
            if isinstance(event, JobFailed):
                self._worker = None
                self._tell(ConversionStatus())
                self.failed.emit(event.message)
                return
            first[0] = first[0] or event.done_bytes  # what an earlier attempt had done took no time now
            rate = (event.done_bytes - first[0]) / max(time.monotonic() - began, 1e-3)
            left = (event.total_bytes - event.done_bytes) / rate if rate > 0 else None
            self._tell(ConversionStatus(event.done_bytes / max(event.total_bytes, 1), left))

        def over() -> None:
            if worker is self._worker:
                self._worker = None
                self._tell(ConversionStatus(out=out))

        worker = self._worker = start_worker(convert(stack, out), deliver, over)

    def cancel(self) -> None:
        """Stop; what is written stays, to go on with."""
        if self._worker is not None:
            self._worker.quit()
            self._worker = None
            self._tell(ConversionStatus())

    def _tell(self, news: ConversionStatus) -> None:
        self.status = news
        self.changed.emit()
