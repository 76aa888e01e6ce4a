"""Log of a run's events, as lines of JSON and for TensorBoard."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from napari_ink.errors import storage_errors
from napari_ink.training.events import BatchSkipped, StepEnded, TrainingEnded, TrainingEvent, TrainingStarted, Validated
from napari_ink.training.run_folder import RunFolder, kept_lines, write_whole


class RunLog:
    """Writes the events of a run to its log; a context manager.

    Parameters
    ----------
    folder
        Folder of the run.
    first_step
        Number of steps that are done; logged events of later steps are removed.
    """

    def __init__(self, folder: RunFolder, first_step: int) -> None:
        self._folder, self._first_step = folder, first_step

    def __enter__(self) -> Self:
        from tensorboardX import SummaryWriter

        folder = self._folder
        if folder.log.is_file():
            lines = kept_lines(folder.log.read_text(encoding="utf-8").splitlines(), self._first_step)
            write_whole(folder.log, "".join(line + "\n" for line in lines).encode())
        with storage_errors(folder.log):
            self._lines = folder.log.open("a", encoding="utf-8")
        self._board = SummaryWriter(
            str(folder.tensorboard), purge_step=self._first_step + 1 if self._first_step else None
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._board.close()

    def record(self, event: TrainingEvent) -> None:
        """Write an event to the log and to TensorBoard.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        values = _plain(event)
        if values is None:
            return
        with storage_errors(self._folder.log):
            self._lines.write(json.dumps({"event": type(event).__name__, **values}) + "\n")
            # Another program may follow the log while the run continues, and a killed run must not lose its lines.
            self._lines.flush()
        for name, value in values.items():
            if isinstance(value, float) and name != "seconds":
                self._board.add_scalar(f"{_group(event)}/{name}", value, values["step"])


def read_log(folder: RunFolder) -> list[dict[str, Any]]:
    """Return the logged events of a run, as JSON values."""
    return [json.loads(line) for line in folder.log.read_text(encoding="utf-8").splitlines()]


def _group(event: TrainingEvent) -> str:
    return "validation" if isinstance(event, Validated) else "training"


def _plain(event: TrainingEvent) -> dict[str, Any] | None:
    match event:
        case TrainingStarted():
            return {"step": event.first_step, "device": event.device, "precision": event.precision}
        case StepEnded() | BatchSkipped():
            return asdict(event)
        case Validated():
            return {"step": event.step, **asdict(event.scores), "is_best": event.is_best, "seconds": event.seconds}
        case TrainingEnded():
            return {"step": event.step, "why": event.why, "best_step": event.best_step, "seconds": event.seconds}
        case _:
            return None
