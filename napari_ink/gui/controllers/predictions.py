"""The list of predictions: read when it may have changed; switched, renamed, deleted and restored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_ink.gui.jobs.predictions import Change, PredictionsRead, list_job
from napari_ink.gui.models.state import Step

if TYPE_CHECKING:
    from napari_ink.gui.controllers.prediction import PredictionController
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.jobs.worker import JobFailed
    from napari_ink.predict import PredictionFolder
    from napari_ink.stack import DepthStack

_JOB = "predictions"
Then = Callable[[Path], None]


class PredictionListController(QObject):
    """Controller of the list of predictions; changes are made on a thread, one after the other.

    Parameters
    ----------
    store
        State of the window.
    jobs
        Runner of background jobs.
    prediction
        Controller of the prediction that is shown, and of runs.
    project_folder
        Function that returns the project folder of a stack.
    """

    def __init__(
        self,
        store: StateStore,
        jobs: JobRunner,
        prediction: PredictionController,
        project_folder: Callable[[DepthStack], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._jobs, self._prediction, self._project_folder = store, jobs, prediction, project_folder
        self._waiting: deque[tuple[Change | None, Then | None]] = deque()
        self._is_changing = False
        self._was_in_use: set[Path] = set()
        prediction.stores_changed.connect(self.refresh)

    def refresh(self) -> None:
        """Read the list again, since a run or another program may have changed it."""
        if (None, None) not in self._waiting:
            self._request(None, None)

    def reset(self) -> None:
        """Forget the list, because another stack is opened; a change that has begun is finished."""
        self._waiting.clear()
        self._is_changing = False
        self._was_in_use.clear()
        self._jobs.cancel(_JOB)

    def use(self, path: Path) -> None:
        """Show a prediction in place of the one that is in use."""
        self._prediction.choose(path)

    def rename(self, path: Path, name: str) -> None:
        """Give a prediction another name."""

        def change(predictions: PredictionFolder) -> Path:
            predictions.rename(path, name.strip())
            return path

        self._request(change, None)

    def discard(self, path: Path) -> None:
        """Move a prediction to the trash; if it is in use, the newest of the others is shown."""
        state = self._store.state
        if state.run is not None and path == state.prediction:
            self._store.notify("Cancel this prediction before you delete it.", Step.PREDICT)
            return

        def on_discarded(_: Path) -> None:
            if path == self._store.state.prediction:
                self._was_in_use.add(path)
                self._leave()

        self._request(lambda predictions: predictions.discard(path), on_discarded)

    def restore(self, trashed: Path | None = None) -> None:
        """Move a prediction back from the trash, the one that was deleted last unless it is given."""
        trash = self._store.state.predictions.trash
        if trashed is None and trash:
            trashed = trash[0].path
        if trashed is not None:
            entry = trashed
            self._request(lambda predictions: predictions.restore(entry), self._on_restored)

    def empty_trash(self) -> None:
        """Delete everything in the trash for good."""

        def change(predictions: PredictionFolder) -> None:
            predictions.empty_trash()

        self._request(change, None)

    def _request(self, change: Change | None, then: Then | None) -> None:
        if self._store.state.stack is None:
            return
        self._waiting.append((change, then))
        # Changes wait for each other. Measuring, which follows a change, may be broken off and is begun again.
        if not (self._is_changing and self._jobs.is_running(_JOB)):
            self._run_next()

    def _run_next(self) -> None:
        stack = self._store.state.stack
        if not self._waiting or stack is None:
            return
        change, then = self._waiting.popleft()
        self._is_changing = True

        def on_event(event: PredictionsRead) -> None:
            self._on_read(event, then)

        job = list_job(self._project_folder(stack), stack, change)
        self._jobs.run(_JOB, job, on_event, on_failure=partial(self._on_failure, change is not None))

    def _on_read(self, event: PredictionsRead, then: Then | None) -> None:
        found = event.found
        before = self._store.state.predictions
        status = replace(before, rows=found.rows, faults=found.faults, trash=found.trash)
        self._store.update(predictions=status)
        self._prediction.offer(found.rows)
        if event.is_first:
            if then is not None and event.changed is not None:
                then(event.changed)
            self._is_changing = False
            if self._waiting:
                self._run_next()

    def _on_failure(self, was_change: bool, failure: JobFailed) -> None:
        self._store.fail(failure.message, Step.PREDICT)
        self._is_changing = False
        # The list may be another one than is shown, which may be why the change failed.
        if was_change and not self._waiting:
            self._waiting.append((None, None))
        self._run_next()

    def _leave(self) -> None:
        """Show the newest prediction, because the one in use was deleted."""
        rows = self._store.state.predictions.rows
        if rows:
            self._prediction.choose(rows[0].path)
        else:
            self._prediction.clear()

    def _on_restored(self, path: Path) -> None:
        if path in self._was_in_use:
            self._was_in_use.discard(path)
            self._prediction.choose(path)
