"""Conversion of the current stack to an OME-Zarr on a worker thread."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_ink.gui.models.status import ConversionStatus
from napari_ink.stack import Converted, convert

if TYPE_CHECKING:
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.jobs.worker import JobFailed
    from napari_ink.stack import DepthStack

_JOB = "conversion"


class ConversionController(QObject):
    """Controller that runs one conversion at a time; a cancelled conversion resumes when it is started again.

    Attributes
    ----------
    status : ConversionStatus
        Progress of the conversion.
    """

    changed = Signal()
    converted = Signal()
    failed = Signal(str)

    def __init__(self, jobs: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self.status = ConversionStatus()

    def start(self, stack: DepthStack | None, out: Path) -> None:
        """Convert a stack, unless a conversion is running or no stack is open."""
        if stack is None or self._jobs.is_running(_JOB):
            return
        began, first = time.monotonic(), [0]
        self._set_status(ConversionStatus(done=0.0))

        def deliver(event: Converted) -> None:
            first[0] = first[0] or event.done_bytes  # work of an earlier attempt must not count in the rate
            rate = (event.done_bytes - first[0]) / max(time.monotonic() - began, 1e-3)
            left = (event.total_bytes - event.done_bytes) / rate if rate > 0 else None
            self._set_status(ConversionStatus(event.done_bytes / max(event.total_bytes, 1), left))

        def fail(failure: JobFailed) -> None:
            self._set_status(ConversionStatus())
            self.failed.emit(failure.message)

        def end() -> None:
            self._set_status(ConversionStatus(out=out))
            self.converted.emit()

        self._jobs.run(_JOB, convert(stack, out), deliver, on_failure=fail, on_end=end)

    def cancel(self) -> None:
        """Cancel the conversion; the part already written is kept, to resume from."""
        if self._jobs.is_running(_JOB):
            self._jobs.cancel(_JOB)
            self._set_status(ConversionStatus())

    def _set_status(self, status: ConversionStatus) -> None:
        self.status = status
        self.changed.emit()
