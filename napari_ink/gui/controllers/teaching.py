"""Teaching in the window: models from corrections, the list of taught models, and checks of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_ink.annotation import is_project
from napari_ink.gui.jobs.teaching import (
    ModelsListed,
    adapt_job,
    check_job,
    copy_job,
    missing_packages,
    models_job,
    start_of,
    teach_job,
)
from napari_ink.gui.models.prediction import ModelEntry
from napari_ink.gui.models.state import Step
from napari_ink.gui.models.status import TeachingStatus
from napari_ink.training import TaughtModels

if TYPE_CHECKING:
    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.jobs.worker import JobFailed
    from napari_ink.training import AdaptEvent, StepEnded, TaughtModel, TeachingEvent

CONTINUES = "Cancelled; Learn continues from here while labels, projects, start model and minutes stay as they are."
ADAPT_CONTINUES = "Cancelled; Adapt continues from here with the same model."
_ADAPTED = (
    "The adapted model is chosen in Predict; like the one before, it marks {:.1%} of the papyrus. No label has judged "
    "it: compare both maps, and check it on strokes you know."
)
_MARKING = "Marking the segment…"
_MOST_POINTS = 300
_LONGEST_MINUTES = 600.0
_TEACH, _LIST, _CHECK = "teach", "taught models", "check model"


class TeachingController(QObject):
    """Controller that teaches models from the labels, and manages the taught models of the project.

    Signals: `model_chosen` with the model to predict with, once another one is put in use; `prediction_requested` to
    predict with it; `comparison_requested` with the store of a prediction to compare the shown one with, or None.

    Parameters
    ----------
    store
        State of the window.
    jobs
        Runner of background jobs.
    labels
        Controller of the labels, whose project keeps the models.
    chosen_model
        Function that returns the name or path of the model chosen for predictions.
    """

    model_chosen = Signal(object)
    prediction_requested = Signal()
    comparison_requested = Signal(object)

    def __init__(
        self,
        store: StateStore,
        jobs: JobRunner,
        labels: LabelsController,
        chosen_model: Callable[[], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._jobs, self._labels, self._chosen_model = store, jobs, labels, chosen_model
        self._stop = threading.Event()
        self._pace: tuple[float, int] | None = None
        self._paused_at = 0.0
        self._if_cancelled, self._round = CONTINUES, ""
        self._run_folder: Path | None = None
        self._known_project: Path | None = None
        labels.shown.connect(self._on_labels)

    @property
    def status(self) -> TeachingStatus:
        """Status that the panel shows."""
        return self._store.state.teaching

    @property
    def start_model(self) -> str:
        """Model that teaching starts from: the chosen one, or the start of the lesson that made it."""
        status = self.status
        return start_of(self._chosen_model(), status.rows, status.folder or Path())

    def learn(self, minutes: float) -> None:
        """Teach a quick model from the labels, and for some minutes a deep one."""
        project = self._labels.project
        if project is None or self._jobs.is_running(_TEACH):
            return
        if why_not := self._store.state.why_no_learning:
            self._store.notify(why_not, Step.LEARN)
            return
        start = self.start_model
        self._begin("Reading the strokes…", CONTINUES)
        others = tuple(folder for folder in self.status.others if folder != project.folder)
        job = teach_job(project.annotation, (project.folder, *others), start, minutes, self._stop)
        on_event = partial(self._on_event, minutes=minutes)
        self._jobs.run(_TEACH, job, on_event, on_failure=self._on_failure, on_end=self._on_end, step=Step.LEARN)

    def adapt(self) -> None:
        """Adapt the chosen model to the segment without labels."""
        project, stack = self._labels.project, self._store.state.stack
        if project is None or stack is None or self._jobs.is_running(_TEACH):
            return
        if why_not := self._store.state.why_no_adapting:
            self._store.notify(why_not, Step.LEARN)
            return
        start, folder = self.start_model, TaughtModels.of_project(project.folder).folder
        self._begin(_MARKING, ADAPT_CONTINUES)
        job = adapt_job(stack, folder, start, self._stop)
        take, fail = self._on_adapt_event, self._on_failure
        self._jobs.run(_TEACH, job, take, on_failure=fail, on_end=self._on_end, step=Step.LEARN)

    def _begin(self, progress: str, if_cancelled: str) -> None:
        self._stop, self._pace, self._if_cancelled, self._round = threading.Event(), None, if_cancelled, ""
        self._update(progress=progress, done=0, total=0, seconds_left=None, outcome=(), notes=(), interrupted=False)

    def cancel(self) -> None:
        """Stop teaching after the current step; its state is saved, and learning again continues it."""
        if self._jobs.is_running(_TEACH):
            # The job ends by itself, so that no other one begins in the same folder before its state is saved.
            self._stop.set()
            self._jobs.resume(_TEACH)
            self._update(cancelling=True, paused=False)

    def pause(self) -> None:
        """Let teaching wait after the current step; labels can be changed, and predictions run, meanwhile."""
        if self._jobs.is_running(_TEACH) and not self.status.cancelling:
            self._jobs.pause(_TEACH)
            self._paused_at = time.monotonic()
            self._update(paused=True)

    def resume(self) -> None:
        """Continue after a pause, unless a prediction is running."""
        if not self.status.paused:
            return
        if self._store.state.run is not None:
            self._store.notify("Wait for the prediction, or cancel it: learning needs the processor, too.", Step.LEARN)
            return
        if self._pace is not None:
            began, first = self._pace
            self._pace = began + time.monotonic() - self._paused_at, first
        self._jobs.resume(_TEACH)
        self._update(paused=False)

    def add_project(self, folder: Path) -> None:
        """Learn from another project, too."""
        project = self._labels.project
        if project is not None and folder.resolve() == project.folder.resolve():
            self._store.notify("This is the open project, which is learned from anyway.", Step.LEARN)
        elif not is_project(folder):
            self._store.notify(f"{folder} is no project; choose a folder that ends in .ink.", Step.LEARN)
        elif folder not in self.status.others:
            self._update(others=(*self.status.others, folder))
            self._store.succeed(Step.LEARN)

    def clear_projects(self) -> None:
        """Learn from the open project only."""
        self._update(others=())

    def reset(self) -> None:
        """Stop all jobs and forget the models, because another stack is opened."""
        self._stop.set()
        self._jobs.cancel(_TEACH, _LIST, _CHECK)
        self._known_project = None

    def use(self, key: str) -> None:
        """Put a taught model in use for predictions; an empty key goes back to the start model."""
        self._change(lambda models: models.use(key), is_choice=True)

    def predict_with(self, key: str) -> None:
        """Put a taught model in use, and predict with it."""
        self._change(lambda models: models.use(key), is_choice=True, then=self.prediction_requested.emit)

    def rename(self, key: str, name: str) -> None:
        """Give a taught model another name."""
        self._change(lambda models: models.rename(key, name), is_choice=self.status.in_use == key)

    def export(self, key: str, path: Path) -> None:
        """Save a copy of a taught model, which can be used for any segment."""
        if (folder := self.status.folder) is not None:
            job = copy_job(folder, key, path)
            self._jobs.run("export", job, self._on_copied, step=Step.LEARN, busy=f"Writing {path.name}…")

    def check(self, key: str) -> None:
        """Check whether a taught model has learned from anything but ink, and whether it forgot something."""
        project, row = self._labels.project, self._row(key)
        if project is None or row is None or self._jobs.is_running(_CHECK):
            return
        self._update(checking=f"Checking {row.name}: moved labels, reversed depth, known phantoms…")
        job = check_job(project.annotation, project.folder, row)
        take, fail = partial(self._on_listed, is_choice=False), self._on_check_failed
        self._jobs.run(_CHECK, job, take, on_failure=fail, on_end=self._on_checked, step=Step.LEARN)

    def compare(self, key: str) -> None:
        """Compare the newest prediction of a taught model with the shown one, and end a comparison of the two."""
        state = self._store.state
        row = next((row for row in state.predictions.rows if row.model == key), None)
        if row is None:
            self._store.notify(f"Predict with {key} first; then its prediction can be compared.", Step.LEARN)
        elif row.path == state.prediction:
            self._store.notify(f"The shown prediction is by {key}; choose another model to compare with.", Step.LEARN)
        else:
            self._store.succeed(Step.LEARN)
            self.comparison_requested.emit(None if row.path == state.predictions.compared else row.path)

    def _on_labels(self) -> None:
        """List the models of a project once its labels are shown."""
        project = self._labels.project
        if project is not None and project.folder != self._known_project:
            self._known_project = project.folder
            self._update(missing=missing_packages())
            if TaughtModels.of_project(project.folder).folder.is_dir():
                self._list(lambda event: self._on_listed(event, is_choice=bool(event.in_use)))

    def _change(
        self, change: Callable[[TaughtModels], None], is_choice: bool, then: Callable[[], Any] | None = None
    ) -> None:
        def take(event: ModelsListed) -> None:
            self._on_listed(event, is_choice)
            if then is not None:
                then()

        self._list(take, change)

    def _list(self, take: Callable[[ModelsListed], None], change: Callable[[TaughtModels], None] | None = None) -> None:
        if (project := self._labels.project) is not None:
            self._jobs.run(_LIST, models_job(project.folder, change), take, step=Step.LEARN)

    def _on_listed(self, event: ModelsListed, is_choice: bool) -> None:
        self._update(rows=event.rows, in_use=event.in_use, folder=event.folder)
        if not self.status.is_running:
            self._update(interrupted=event.interrupted)
        if is_choice and event.entry is not None:
            self.model_chosen.emit(event.entry)

    def _on_event(self, event: TeachingEvent, minutes: float) -> None:
        from napari_ink.training import FeaturesRead, ModelTaught, StepEnded, TeachingNote, TrainingStarted, Validated

        match event:
            case TeachingNote():
                self._update(notes=(*self.status.notes, event.text))
            case FeaturesRead() if event.done < event.total:
                self._show("Reading features", event.done, event.total)
            case FeaturesRead():
                self._show("Fitting and judging the quick model…", 0, 0)
            case ModelTaught():
                self._update(outcome=(*self.status.outcome, event.row.in_words))
                self._show("Preparing the deep model…", 0, 0)
                self._list(partial(self._on_listed, is_choice=event.row.is_better))
            case TrainingStarted():
                self._pace = time.monotonic(), event.first_step
                self._run_folder = event.run
                self._show("Step", event.first_step, event.steps)
            case StepEnded():
                self._on_step(event, minutes)
            case Validated():
                self._update(scores=(*self.status.scores, (event.step, event.scores.ink_f0_5)))
                self._show_examples()

    def _on_adapt_event(self, event: AdaptEvent | ModelEntry) -> None:
        from napari_ink.training import (
            AdaptationDoubted,
            ModelAdapted,
            PhantomMade,
            RoundBegun,
            StepEnded,
            TeachingNote,
            TrainingStarted,
        )

        match event:
            case TeachingNote():
                self._show(_MARKING, 0, 0)
            case AdaptationDoubted():
                self._update(notes=(event.text,))
                self._store.notify(event.text, Step.LEARN)  # the curve soon hides the notes until the end
            case PhantomMade():
                self._show("Making phantoms to train along", event.done, event.total)
            case RoundBegun():
                self._round = f"Round {event.number} of {event.rounds}, step"
            case TrainingStarted():
                self._pace = time.monotonic(), event.first_step
                self._show(self._round, event.first_step, event.steps)
            case StepEnded():
                self._on_step(event, _LONGEST_MINUTES)
            case ModelAdapted():
                self._update(outcome=(_ADAPTED.format(event.ink_share),))
            case ModelEntry():
                self.model_chosen.emit(event)

    def _on_step(self, event: StepEnded, minutes: float) -> None:
        step, total, left = event.step, self.status.total, None
        if self._pace is not None:
            began, first = self._pace
            took = time.monotonic() - began
            # Teaching ends early on a slow machine.
            left = max(min(took / max(step - first, 1) * (total - step), 60 * minutes - took), 0)
        every = max(1, total // _MOST_POINTS)
        losses = self.status.losses
        if step % every == 0:
            self._update(losses=(*losses, (step, event.ink_loss)))
        if step < total:
            self._show(self._round or "Step", step, total, left)
        else:
            self._show(_MARKING if self._round else "Judging the deep model…", 0, 0)

    def _show(self, progress: str, done: int, total: int, left: float | None = None) -> None:
        self._update(progress=progress, done=done, total=total, seconds_left=left)

    def _show_examples(self) -> None:
        """Show the example crops of the newest validation."""
        if self._run_folder is not None and (picture := self._run_folder / "examples.png").is_file():
            self._update(examples=picture)

    def _on_end(self) -> None:
        was_cancelled, outcome = self.status.cancelling, self.status.outcome
        if was_cancelled:
            outcome = (*outcome, self._if_cancelled)
        self._idle(outcome)

    def _on_failure(self, failure: JobFailed) -> None:
        self._idle(self.status.outcome)
        self._store.fail(failure.message, Step.LEARN)

    def _idle(self, outcome: tuple[str, ...]) -> None:
        self._update(
            progress="", done=0, total=0, seconds_left=None, cancelling=False, paused=False, outcome=outcome,
            losses=(), scores=(), examples=None,
        )  # fmt: skip

    def _on_checked(self) -> None:
        self._update(checking="")

    def _on_check_failed(self, failure: JobFailed) -> None:
        self._update(checking="")
        self._store.fail(failure.message, Step.LEARN)

    def _on_copied(self, path: Path) -> None:
        self._update(outcome=(f"Saved {path}.",))

    def _row(self, key: str) -> TaughtModel | None:
        return next((row for row in self.status.rows if row.key == key), None)

    def _update(self, **changes: Any) -> None:
        self._store.update(teaching=replace(self.status, **changes))
