"""Predictions in the window: models, runs, and stored predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, Signal

from napari_ink.errors import NapariInkError
from napari_ink.gui.controllers.overlay import OverlayController
from napari_ink.gui.controllers.prediction_run import PredictionRun
from napari_ink.gui.controllers.run_request import RunRequestFactory, check_depth
from napari_ink.gui.jobs.prediction import (
    DeviceFound,
    ModelReady,
    PredictionBand,
    PredictionFound,
    RunRequest,
    chosen_job,
    stored_job,
    warm_up_job,
)
from napari_ink.gui.jobs.predictions import DirectionsCompared, directions_job
from napari_ink.gui.layers.roi_layer import RoiLayer
from napari_ink.gui.models.predictions import unfinished
from napari_ink.gui.models.state import Step

if TYPE_CHECKING:
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.gui.models.prediction import ModelEntry, RunSettings
    from napari_ink.gui.models.status import RunProgress
    from napari_ink.model import InkModel
    from napari_ink.predict import PredictionNote, PredictionStarted, StoredPrediction
    from napari_ink.stack import DepthStack
    from napari_ink.typing import LabelKind, ThirdPlane


class PredictionController(QObject):
    """Controller that runs predictions and shows them.

    Signals: `stores_changed` once a run has created, completed or removed a store.

    Parameters
    ----------
    store
        State of the window.
    jobs
        Runner of background jobs.
    layers
        Layers of the viewer.
    project_folder
        Function that returns the project folder of a stack.

    Attributes
    ----------
    shown : OverlayController
        Controller of the overlay and its thresholds.
    roi : RoiLayer
        Regions of interest that the user drew.
    """

    stores_changed = Signal()

    def __init__(
        self,
        store: StateStore,
        jobs: JobRunner,
        layers: LayerManager,
        project_folder: Callable[[DepthStack], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._jobs, self._layers = store, jobs, layers
        self._run: PredictionRun | None = None
        self._settings: RunSettings | None = None
        self._next: RunSettings | None = None
        self._unfinished: RunRequest | None = None
        self._before_run: Path | None = None
        # Completed runs of a prediction in both directions; None in one direction.
        self._direction_runs: list[RunRequest] | None = None
        self._thresholds: dict[Path, dict[LabelKind, float]] = {}
        self._chosen_model: ModelEntry | None = None
        self.shown = OverlayController(store, layers)
        self.roi = RoiLayer(layers, self)
        self._requests = RunRequestFactory(store, layers, self.roi, project_folder)
        self.roi.changed.connect(self._on_roi)
        layers.viewport.settled.connect(self._look)

    def choose_model(self, model: ModelEntry) -> None:
        """Use the thresholds of another model from the next run on, or at once if there is no prediction."""
        if self._store.state.prediction is None:
            self.shown.use_thresholds(model)
        else:
            # The prediction in use is of another model, whose values may mean something else.
            self._chosen_model = model

    def warm_up(self, model: ModelEntry) -> None:
        """Load a model before the first run, and find the device that would be chosen."""
        ready = self._requests.ready
        if ready is None or ready.name_or_path != model.name_or_path:
            # Silent: if the model cannot be loaded, the same error is shown when Run is pressed.
            self._jobs.run("warm up", warm_up_job(model.name_or_path), self._on_warm, is_silent=True)

    def predict(self, settings: RunSettings, instead_of: RunRequest | None = None) -> None:
        """Predict ink and edges on a worker thread, perhaps in place of an earlier request."""
        stack = self._store.state.stack
        if stack is None or self._store.state.run is not None or self._must_wait():
            return
        try:
            request = self._requests.from_settings(stack, settings.for_run(), instead_of)
        except NapariInkError as error:
            self._store.fail(str(error), Step.PREDICT)
            if settings.where == "roi" and not self.roi.polygons():
                self.roi.begin()
            return
        self._settings, self._direction_runs = settings, [] if settings.both_directions else None
        self._begin(request)

    def change(self, settings: RunSettings) -> None:
        """Apply changed settings: a run that they affect stops, keeps its finished tiles, and restarts."""
        stack, is_cancelled = self._store.state.stack, self.is_cancelling and self._next is None
        if self._run is None or stack is None or is_cancelled or settings == (self._next or self._settings):
            return
        try:
            check_depth(stack, settings)
        except NapariInkError as error:
            self._store.fail(f"{error} The run continues with the previous settings.", Step.PREDICT)
            return
        self._restart(self._run, settings)

    def resume(self) -> None:
        """Resume the prediction that was stopped."""
        if self._unfinished is not None and self._run is None and not self._must_wait():
            self._direction_runs = None
            self._begin(replace(self._unfinished, resume=True))

    def pause(self) -> None:
        """Pause the run, or resume it if it is paused."""
        if self._run is not None:
            self._run.pause()

    @property
    def is_cancelling(self) -> bool:
        """Whether the run has been cancelled but has not ended yet."""
        return self._run is not None and self._run.progress.cancelling

    def cancel(self) -> None:
        """Cancel the prediction after the current batch; finished tiles are kept."""
        self._next = self._direction_runs = None
        if self._run is not None:
            self._run.cancel()

    def reset(self) -> None:
        """Cancel the prediction and forget it, because another stack is opened."""
        self.cancel()
        self._settings = self._unfinished = None
        self._thresholds.clear()

    def shut_down(self) -> None:
        """Stop the run without handling any more of its events."""
        self._next = self._unfinished = self._direction_runs = None
        if self._run is not None:
            self._run.shut_down()
            self._run = None

    def show_again(self, event: PredictionFound) -> None:
        """Show an earlier prediction whose rows follow; if it is unfinished, it can be resumed."""
        if self._store.state.run is not None:
            return
        self.shown.begin_stored(event)
        self._unfinished = None if event.is_complete else self._requests.from_stored(event.path, event.record)
        outcome = "This is the last prediction."
        if self._unfinished is not None:
            outcome = "The last prediction is not finished; Continue resumes it."
        self._store.update(
            prediction=event.path, has_prediction=True, outcome=outcome, doubts=event.doubts, notes=event.notes
        )

    def choose(self, path: Path) -> None:
        """Show another stored prediction, and use it from now on for labels, review and export."""
        state = self._store.state
        if state.stack is None or (path == state.prediction and state.has_prediction):
            return
        if state.run is not None:
            self._store.notify("To show another prediction, wait for this one or cancel it.", Step.PREDICT)
        elif self._jobs.is_running("project") and state.prediction is None:
            self._store.notify("To show another prediction, wait until the segment is open.", Step.PREDICT)
        else:
            job = chosen_job(path, state.stack)
            self._jobs.run("project", job, self._on_chosen, step=Step.PREDICT, busy="Showing the prediction…")

    def clear(self) -> None:
        """Show no prediction, because the last one was deleted."""
        self._layers.end_overlay()
        self._unfinished = None
        self._store.update(prediction=None, has_prediction=False, outcome="", doubts=(), notes=(), can_continue=False)

    def offer(self, rows: tuple[StoredPrediction, ...]) -> None:
        """Offer to continue the prediction in use if it is not finished, else the newest that is not."""
        state = self._store.state
        if state.run is not None:
            return
        requests = {
            row.path: self._requests.from_stored(row.path, row.provenance) for row in rows if not row.is_complete
        }
        known = self._unfinished
        if known is not None and known.out in requests:
            requests[known.out] = known  # it has the loaded model and the regions that were drawn
        row = unfinished(rows, state.prediction, {path for path, request in requests.items() if request is None})
        self._unfinished = None if row is None else requests[row.path]
        to_continue = None if row is None else row.path
        predictions = replace(state.predictions, to_continue=to_continue)
        self._store.update(predictions=predictions, can_continue=row is not None)

    def show_band(self, event: PredictionBand) -> None:
        """Show a band of rows of the earlier prediction."""
        path = self._store.state.prediction
        if self._store.state.run is None and path is not None:
            self.shown.put_band(event, path)
            if event.is_last:
                self._store.update(can_continue=self._unfinished is not None)
                self._offer_again()

    def ready_model(self) -> InkModel | None:
        """Return the loaded model with the settings of the last run; None if no model is loaded."""
        if self._requests.ready is None:
            return None
        model, settings = self._requests.ready.model, self._settings
        if settings is None:
            return model
        return model.reading(settings.direction, settings.offset, settings.grey_range)

    def _must_wait(self) -> bool:
        """Whether a prediction must wait for something else; the user is told what it is."""
        if why_not := self._store.state.why_no_prediction:
            self._store.notify(why_not, Step.PREDICT)
        return bool(why_not)

    def _begin(self, request: RunRequest) -> None:
        third = third_plane_of(request)
        is_shown = self.shown.is_of(request.out, third)
        request = replace(request, reads_stored=request.resume and not is_shown)
        self._before_run = self._store.state.prediction
        self._run = run = PredictionRun(request, self)
        run.model_ready.connect(self._on_warm)
        run.noted.connect(self._on_note)
        run.band_read.connect(lambda event: self.shown.put_band(event, request.out))
        run.started.connect(self._on_run_started)
        run.tile_predicted.connect(self.shown.put_tile)
        run.progressed.connect(self._on_progress)
        run.failed.connect(partial(self._store.fail, step=Step.PREDICT))
        run.ended.connect(self._on_run_ended)
        self._store.update(
            run=run.progress, outcome="", doubts=(), notes=(), exported="", predicted_count=None, can_continue=False
        )
        self._look()
        # The shown prediction stays until the next one has started, which may still fail or be cancelled.
        can_wait = not request.resume and self.shown.fits(third)
        if not (is_shown or can_wait):
            # Adding layers to napari is slow, and slower beside busy threads, so it happens before the run starts.
            self.shown.begin(request.stack.shape[1:], third)
        self._layers.when_idle(lambda: self._start(run))

    def _start(self, run: PredictionRun) -> None:
        if run is not self._run:
            return
        if run.progress.cancelling:
            self._on_run_ended("Stopped before the first tile.")
        else:
            run.start()

    def _look(self) -> None:
        """Pass the visible region to the run, which predicts its tiles next."""
        if self._run is not None:
            self._run.looking_at = self._requests.visible_region()

    def _on_roi(self) -> None:
        run, settings = self._run, self._settings
        if run is None or settings is None or settings.where != "roi" or self.is_cancelling:
            return
        if self._requests.has_area_changed(run.request, settings):
            self._restart(run, settings)

    def _restart(self, run: PredictionRun, settings: RunSettings) -> None:
        """Stop a run, and start another one with new settings as soon as it has ended."""
        # Two runs at once would need twice the memory of the device, so the next one waits for `_on_run_ended`.
        self._next = settings
        if not run.progress.cancelling:
            run.cancel()

    def _on_warm(self, event: ModelReady | DeviceFound) -> None:
        if isinstance(event, ModelReady):
            self._requests.ready = event
        else:
            self._store.update(device_line=f"Automatic picks {event.title}.", missing_devices=event.missing)

    def _on_run_started(self, event: PredictionStarted) -> None:
        run = self._run
        if run is None or not self._is_of_this_stack(run):
            return
        if not run.has_started:  # emitted again if the engine restarts with less memory
            self._unfinished = run.request
            if event.path != self._store.state.prediction:
                self._remember_thresholds()
            if not run.request.resume:
                if self._chosen_model is not None:
                    self.shown.use_thresholds(self._chosen_model)
                    self._chosen_model = None
                self.shown.begin_growing(event)
        self._store.succeed(Step.PREDICT)
        line = f"Runs on {event.device_name}."
        self._store.update(
            device_line=line,
            doubts=event.doubts,
            notes=event.notes,
            prediction=event.path,
            has_prediction=self._layers.overlay is not None,
        )
        self.stores_changed.emit()

    def _on_progress(self, progress: RunProgress) -> None:
        self._store.update(run=progress)

    def _on_note(self, event: PredictionNote) -> None:
        show_warning(event.sentence)
        if event.is_doubt and self._run is not None and self._is_of_this_stack(self._run):
            self._store.update(doubts=(*self._store.state.doubts, event.sentence))

    def _on_run_ended(self, outcome: str) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        # A run ends on its thread, so by now another stack may be open.
        is_here = self._is_of_this_stack(run)
        if run.is_whole or not is_here or self._unfinished is None or not self._unfinished.out.exists():
            self._unfinished = None
        self._store.update(run=None, outcome=outcome if is_here else "", can_continue=self._unfinished is not None)
        if is_here and run.is_whole:
            self.shown.show_unfamiliar(run.unfamiliar)
        if (settings := self._next) is not None:
            self._next = None
            self.predict(settings, run.request)
        elif run.is_whole and is_here and self._direction_runs is not None:
            self._on_direction_ended(run.request, outcome)
        if self._run is None and is_here:
            self._show_stored(run)
        self.stores_changed.emit()

    def _on_direction_ended(self, request: RunRequest, outcome: str) -> None:
        """Predict the reversed stack once it is predicted as stored, and then compare the two predictions."""
        settings, before = self._settings, self._direction_runs
        self._direction_runs = None
        if before:
            job = directions_job(before[0].out, request.out)
            self._jobs.run("directions", job, partial(self._on_directions, request, outcome), step=Step.PREDICT)
        elif settings is not None and not self._must_wait():
            try:
                second = self._requests.from_settings(request.stack, settings.for_run(is_second=True), request)
            except NapariInkError as error:
                self._store.fail(str(error), Step.PREDICT)
                return
            self._direction_runs = [request]
            self._begin(second)

    def _on_directions(self, request: RunRequest, outcome: str, event: DirectionsCompared) -> None:
        if request.stack is self._store.state.stack and self._run is None:
            self._store.update(outcome=f"{event.sentence} {outcome}")

    def _show_stored(self, run: PredictionRun) -> None:
        """Reload the stored prediction if the run has left the overlay incomplete or removed its store."""
        state, overlay = self._store.state, self._layers.overlay
        if not (run.has_started or state.has_prediction):
            self._layers.end_overlay()  # the empty overlay was made for this run
        elif state.prediction is not None and not state.prediction.exists():
            # The run failed before any tile was final, which removes its store.
            self._store.update(prediction=None)
            if self._before_run is not None and self._before_run.exists():
                self.choose(self._before_run)
        elif state.prediction is not None and (overlay is None or overlay.shows != state.prediction):
            job = stored_job(state.prediction, run.request.stack)
            self._jobs.run("project", job, self._on_stored, busy="Showing the prediction again…")

    def _on_chosen(self, event: PredictionFound | PredictionBand) -> None:
        if isinstance(event, PredictionBand):
            self.show_band(event)
            return
        self._remember_thresholds()
        recommended: dict[LabelKind, float] = {"ink": event.ink_threshold, "edge": event.edge_threshold}
        # First, since the overlay is drawn with the thresholds of the state.
        self.shown.set_thresholds(self._thresholds.get(event.path, recommended))
        self.shown.begin_stored(event, is_hidden_by_labels=False)
        self._store.update(
            prediction=event.path, has_prediction=True, outcome="", doubts=event.doubts, notes=event.notes, exported=""
        )
        self._offer_again()

    def _offer_again(self) -> None:
        if rows := self._store.state.predictions.rows:  # not read yet while a segment is being opened
            self.offer(rows)

    def _remember_thresholds(self) -> None:
        """Remember the thresholds of the prediction in use, for when the user comes back to it."""
        if (path := self._store.state.prediction) is not None:
            self._thresholds[path] = self.shown.thresholds()

    def _on_stored(self, event: PredictionFound | PredictionBand) -> None:
        if isinstance(event, PredictionBand):
            self.show_band(event)
        elif self._store.state.run is None:
            self.shown.begin_stored(event)
            self._store.update(has_prediction=True)

    def _is_of_this_stack(self, run: PredictionRun) -> bool:
        return run.request.stack is self._store.state.stack


def third_plane_of(request: RunRequest) -> ThirdPlane | None:
    """Return the plane that a run will store beside ink and edges, as far as that is known before it starts."""
    if request.augment:
        return "disagreement"
    # A model that is not loaded yet is asked when the run starts.
    return "depth" if request.model is not None and hasattr(request.model.network, "with_depth") else None
