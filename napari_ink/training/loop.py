"""The training loop, a generator of events: its caller decides how to show them and when to stop."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import astuple
from pathlib import Path
from typing import Any

import torch

from napari_ink.errors import BadInputError, DeviceMemoryError, NapariInkError
from napari_ink.memory import memory_kept
from napari_ink.model import save_checkpoint
from napari_ink.training.batching import Batch, batches
from napari_ink.training.distributed import ProcessTeam, joined
from napari_ink.training.events import (
    BatchSkipped,
    CheckpointSaved,
    StepEnded,
    TrainingEnded,
    TrainingEvent,
    TrainingStarted,
    Validated,
)
from napari_ink.training.learner import Learner, StepResult, StepSkipped
from napari_ink.training.plan import Plan
from napari_ink.training.plots import draw_curves, draw_examples
from napari_ink.training.request import TrainRequest
from napari_ink.training.run_folder import RunFolder
from napari_ink.training.run_log import RunLog, read_log
from napari_ink.training.validation import HeldOut, Scores, judge

_MOST_SKIPPED = 5
_MOST_SKIPPED_IN_FP16 = 20  # more, since loss scaling searches for the largest factor by overflowing now and then


def train(request: TrainRequest) -> Generator[TrainingEvent, None, None]:
    """Train a network, and save the moving average of its weights after each validation.

    Closing the generator between two events stops the run; resuming it with `TrainRequest.resume` gives the same
    weights as an uninterrupted run. Under ``torchrun``, several processes train together and the leader writes files.

    Yields
    ------
    TrainingStarted, StepEnded, BatchSkipped, Validated, CheckpointSaved, TrainingEnded
        One at the start, one for each step taken or skipped, one for each validation and each checkpoint it saves, one
        at the end.

    Raises
    ------
    BadInputError
        If the request contradicts itself or the pairs, the folder cannot be written, or the labels hold no ink.
    DeviceMemoryError
        If a batch does not fit in the device's memory.
    NapariInkError
        If several losses in a row are not finite; the last checkpoint is from before them.
    """
    request.check()
    folder = RunFolder(request.out)
    with joined(torch.device(request.device)) as (team, device):
        if team.leads:
            folder.check(request.resume)
        keeping = memory_kept(training=True) if device.type == "cpu" else nullcontext()
        with keeping, closing(_Run(request, folder, team, device).events()) as events:
            try:
                yield from events
            except BadInputError:  # such as a damaged layer, which only training reads
                if team.leads and not request.resume:
                    folder.discard_unlearnt()
                raise


@contextmanager
def _memory_errors(plan: Plan) -> Iterator[None]:
    """Turn torch's out-of-memory errors, which only their text distinguishes, into `DeviceMemoryError`."""
    try:
        yield
    except RuntimeError as error:
        text = str(error).lower()
        if "out of memory" not in text and "can't allocate memory" not in text:
            raise
        settings = plan.settings
        raise DeviceMemoryError(
            f"The memory of {plan.arithmetic.device} cannot hold a batch of {settings.batch_size} crops of "
            f"{settings.crop_size} pixels; begin a new run with fewer or smaller ones."
        ) from error


class _Run:
    """One run, from its first step or resumed."""

    def __init__(self, request: TrainRequest, folder: RunFolder, team: ProcessTeam, device: torch.device) -> None:
        self._folder, self._team, self._began = folder, team, time.monotonic()
        state = folder.load_state() if request.resume else None
        self._plan = plan = Plan.make(request, folder, team, device)
        self._learner = Learner(plan.network, plan.settings, plan.arithmetic, team, request.start is not None)
        self._held_out = HeldOut(plan.pairs, plan.contract, plan.settings.crop_size, plan.settings.validation_crops)
        self._first = self._best_step = self._looks_since = 0
        # A network that is trained further is validated before its first step, too, so that the best checkpoint is
        # never worse than the start.
        self._looked_at = 0 if request.start is None else -1
        self._best: Scores | None = None
        if state is not None:
            self._restore(state)

    def _restore(self, state: dict[str, Any]) -> None:
        self._learner.load_state_dict(state["learner"])
        self._first, self._looked_at, self._looks_since = state["step"], state["looked_at"], state["looks_since"]
        self._best_step = state["best_step"]
        self._best = Scores(*state["best"]) if state["best"] else None

    def events(self) -> Generator[TrainingEvent, None, None]:
        """Run the remaining steps, and log their events."""
        keeper = RunLog(self._folder, self._first) if self._team.leads else nullcontext()
        with keeper as log, closing(self._learner), closing(self._steps()) as steps:
            step = self._first
            try:
                for event in steps:
                    step = event.step if isinstance(event, StepEnded | BatchSkipped) else step
                    if log is not None:
                        log.record(event)
                    yield event
            # The caller stopped the run: save the state of this step, which may be long after the last validation.
            except GeneratorExit:
                self._save_state(step)
                raise

    def _steps(self) -> Generator[TrainingEvent, None, None]:
        plan, step = self._plan, self._first
        yield TrainingStarted(
            self._folder.path,
            step,
            plan.settings.steps,
            sum(weight.numel() for weight in plan.network.parameters()),
            str(plan.arithmetic.device),
            plan.arithmetic.precision,
            plan.notes,
        )
        if self._is_due(step):
            yield from self._validate(step)  # a trained start, or a run that was stopped just before a validation
        with closing(self._batches(step)) as feed:
            while step < plan.settings.steps and not self._has_stalled:
                step += 1
                with _memory_errors(plan):
                    result = self._learner.step(next(feed), plan.pairs)
                yield self._step_event(step, result)
                self._stop_if_diverged(step)
                if self._is_due(step):
                    yield from self._validate(step)
        yield self._ended()

    def _batches(self, first_step: int) -> Generator[Batch, None, None]:
        arithmetic, team = self._plan.arithmetic, self._team
        given = (arithmetic.device, first_step, team.rank, team.size, max(1, arithmetic.lanes))
        return batches(self._plan.sampler, self._plan.settings, *given)

    def _step_event(self, step: int, result: StepResult | StepSkipped) -> StepEnded | BatchSkipped:
        if isinstance(result, StepSkipped):
            return BatchSkipped(step, result.report, result.learning_rate)
        seconds = time.monotonic() - self._began
        return StepEnded(step, result.ink_loss, result.edge_loss, seconds, result.learning_rate, result.gradient_norm)

    def _stop_if_diverged(self, step: int) -> None:
        skipped = self._learner.skipped_in_a_row
        if skipped >= (_MOST_SKIPPED_IN_FP16 if self._plan.arithmetic.precision == "fp16" else _MOST_SKIPPED):
            kept = f"the checkpoint of step {self._looked_at} is kept in {self._folder.path}" if self._best else ""
            raise NapariInkError(
                f"The last {skipped} batches up to step {step} gave no finite loss or gradient, as {self._folder.log} "
                f"reports in detail; train again with a lower learning rate{kept and ', ' + kept}."
            )

    def _is_due(self, step: int) -> bool:
        settings = self._plan.settings
        return step > self._looked_at and (step % settings.validate_every == 0 or step == settings.steps)

    @property
    def _has_stalled(self) -> bool:
        return 0 < self._plan.settings.patience <= self._looks_since

    def _validate(self, step: int) -> Iterator[TrainingEvent]:
        """Score and save the averaged weights; all files are written before the first event is yielded."""
        began = time.monotonic()
        scores = self._judge()
        is_best = self._best is None or scores.overall > self._best.overall
        self._looked_at = step
        self._looks_since = 0 if is_best else self._looks_since + 1
        if is_best:
            self._best, self._best_step = scores, step
        files = [self._folder.last] + ([self._folder.best] if is_best else [])
        if self._team.leads:
            for path in files:
                self._save_checkpoint(path, step, scores)
            self._save_state(step)
        yield Validated(step, scores, is_best, time.monotonic() - began)
        for path in files:
            yield CheckpointSaved(step, path)
        if self._team.leads:
            draw_curves(read_log(self._folder), self._folder.curves)

    def _judge(self) -> Scores:
        """Return the scores on held-out crops, which the leader computes and shares."""
        numbers = [0.0] * len(Scores.__slots__)
        if self._team.leads:
            examples = list(self._held_out.examples(self._learner.average.module, self._plan.arithmetic))
            numbers = list(astuple(judge(examples)))
            draw_examples(examples, numbers[1], numbers[4], self._folder.examples)
        return Scores(*self._team.as_leader_says(numbers, self._plan.arithmetic.device))

    def _save_checkpoint(self, path: Path, step: int, scores: Scores) -> None:
        plan = self._plan
        save_checkpoint(path, self._learner.average.module, plan.config, plan.contract, plan.provenance(step, scores))

    def _save_state(self, step: int) -> None:
        if not self._team.leads:
            return
        self._folder.save_state(
            {
                "learner": self._learner.state_dict(),
                "step": step,
                "looked_at": self._looked_at,
                "looks_since": self._looks_since,
                "best_step": self._best_step,
                "best": list(astuple(self._best)) if self._best else None,
            }
        )

    def _ended(self) -> TrainingEnded:
        assert self._best is not None  # a run always ends with a validation
        return TrainingEnded(
            self._looked_at,
            "no better score" if self._has_stalled else "all steps taken",
            self._best_step,
            self._best,
            self._folder.best,
            time.monotonic() - self._began,
        )
