"""Teaching: a model of one's own from the corrections of one or more projects.

Two models are made one after the other. The quick one, a forest on the features of the start model, is there within
seconds. The deep one continues the training of the start model, for some minutes. Each is judged on strokes that it has
not seen, and put in use only if it is better there than the model in use.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_ink import __version__
from napari_ink.errors import BadInputError, CheckpointError, OutputError, ProjectError, storage_errors
from napari_ink.model import InkModel, InputContract, load_model
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.taught_network import without_forest
from napari_ink.stack import DepthStack
from napari_ink.training.crops import TrainingPair
from napari_ink.training.events import CheckpointSaved, TrainingEvent
from napari_ink.training.loop import train
from napari_ink.training.request import TrainRequest
from napari_ink.training.settings import TrainSettings
from napari_ink.training.supervision import to_hints
from napari_ink.training.teaching.blocks import block_region
from napari_ink.training.teaching.checks import KNOWN, compare_on_known
from napari_ink.training.teaching.corrections import Corrections, check_teachable, labels_digest, read_corrections
from napari_ink.training.teaching.features import FeatureCache
from napari_ink.training.teaching.judging import (
    choose_folds,
    fold_of,
    scores_by_fold,
    with_plausible_threshold,
)
from napari_ink.training.teaching.learned_cells import new_units, save_learned_cells
from napari_ink.training.teaching.lesson import Lesson, Values, labelled_blocks
from napari_ink.training.teaching.replay import replay_pairs
from napari_ink.training.teaching.stroke_forest import check_installed
from napari_ink.training.teaching.stroke_head import StrokeHead
from napari_ink.training.teaching.taught_models import (
    LESSONS,
    NOT_HELD_OUT,
    Kind,
    StrokeScores,
    TaughtModel,
    TaughtModels,
    keep_pictures,
    now,
)
from napari_ink.training.validation import spread
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from torch import nn

# One core of two takes about half a second for a step (docs/decisions/0033-teaching.md).
STEPS_PER_MINUTE = 120
_REPLAY_SHARE = 0.5
_REPLAY_PHANTOMS = 6
# Three times the rate, with fewer replayed crops, forgot nearly everything (docs/decisions/0033-teaching.md).
_LEARNING_RATE = 1e-3
# After the 180 steps of three minutes, the default decay would leave 40 % of the start in the average.
_AVERAGE_DECAY = 0.98
_VALIDATIONS = 6
_MOST_HINTED_BLOCKS = 64
_MOST_FORGOTTEN = 0.005


@dataclass(frozen=True, eq=False)
class TeachRequest:
    """Everything that teaching depends on.

    Attributes
    ----------
    projects
        Folders of the projects to learn from; the models are saved in the first.
    start
        Model to start from.
    minutes
        Time for the deep model, which decides the number of its steps and ends it early on a slow machine; 0 makes the
        quick one only.
    seed
        Seed of all random choices.
    device
        Device of the deep training: ``"cpu"``, ``"cuda"`` or ``"mps"``.
    cores
        Processor cores to use.
    """

    projects: tuple[Path, ...]
    start: InkModel
    minutes: float = 3.0
    seed: int = 0
    device: str = "cpu"
    cores: int = 1


@dataclass(frozen=True, slots=True)
class TeachingNote:
    """Sentence for the user."""

    text: str


@dataclass(frozen=True, slots=True)
class FeaturesRead:
    """Blocks with strokes whose features are there, and number of all."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ModelTaught:
    """A model was saved: its row and its file."""

    row: TaughtModel
    path: Path


TeachingEvent = TeachingNote | FeaturesRead | ModelTaught | TrainingEvent


def teach(request: TeachRequest) -> Generator[TeachingEvent, None, None]:
    """Make a quick model, and then a deep one, from the corrections of projects.

    Closing the generator between two events stops; the state of the deep training is saved, and the same request with
    unchanged labels continues it.

    Yields
    ------
    TeachingNote, FeaturesRead, ModelTaught
        Notes, progress of the features, and each model once it is saved.
    TrainingStarted, StepEnded, BatchSkipped, Validated, CheckpointSaved, TrainingEnded
        The events of the deep training.

    Raises
    ------
    BadInputError
        If a project or its stack cannot be opened, ink or papyrus is not labelled at all, a package is missing, or the
        start model cannot be taught.
    """
    check_installed()
    if not 0 <= request.minutes < float("inf"):
        raise BadInputError(f"Teaching cannot take {request.minutes:g} minutes; give 0 or more.")
    corrections = [read_corrections(folder) for folder in request.projects]
    check_teachable(corrections)
    start, note = adapted(without_lessons(request.start), corrections[0].stack)
    lesson = Lesson(start, corrections)
    yield TeachingNote(_read_in_words(corrections))
    if note:
        yield TeachingNote(note)
    for done, total in lesson.read():
        yield FeaturesRead(done, total)
    teacher = _Teacher(request, lesson)
    yield teacher.quick()
    if request.minutes > 0:
        yield from teacher.deep()


class _Teacher:
    """Makes, judges and saves the models of one lesson."""

    def __init__(self, request: TeachRequest, lesson: Lesson) -> None:
        self._request, self._lesson = request, lesson
        self._models = TaughtModels.of_project(request.projects[0])
        self._digest = labels_digest(lesson.corrections)
        self._samples, self._unit = lesson.samples, lesson.unit
        self._in_use = lesson.values_of_start()
        self._folds, self._judged_on = self._folds_since() or choose_folds(lesson.units, request.seed)
        self._fold = fold_of(self._unit, self._folds)
        self._unseen = lesson.cross_validate(self._folds, request.seed, request.cores)
        if scores_by_fold(self._unseen, self._samples.is_ink, self._fold) is None:
            # All samples are one fold that is judged by what it taught.
            self._in_use = lesson.values_of_start()
            self._folds, self._judged_on, self._fold = [], NOT_HELD_OUT, np.zeros(len(self._unit), np.intp)

    def _folds_since(self) -> tuple[list[list[int]], str] | None:
        """Return folds of what was painted since the model in use was taught, to compare with it there.

        On strokes that it has learned from, it would look too good. None if there is no such model, or too little.
        """
        lesson, key = self._lesson, self._models.current
        if not key:
            return None
        try:
            is_new = new_units(self._models.cells_path(key), lesson.corrections)
            folds, _ = choose_folds([unit for unit in lesson.units if is_new[unit.number]], self._request.seed)
            chosen = fold_of(self._unit, folds) >= 0
            if not chosen.any():
                return None
            values = np.full(len(chosen), np.nan, np.float32)
            values[chosen] = lesson.values_of(load_model(self._models.path(key)), chosen)
        except (ProjectError, CheckpointError):
            return None  # of an earlier version, or damaged
        self._in_use, groups = values, sum(len(fold) for fold in folds)
        name = self._models.row(key).name
        return folds, f"Compared with {name}, which was in use, on {groups} groups of strokes painted since."

    def quick(self) -> ModelTaught:
        """Fit, judge and save the quick model."""
        lesson = self._lesson
        head = lesson.fit(self._samples, self._request.seed, self._request.cores)
        values = self._unseen if self._folds else head.probability(self._samples.features)
        network = without_forest(lesson.model.network)
        assert isinstance(network, InkEdgeNetwork)
        before, after = self._judge(values, self._fold)
        after = with_plausible_threshold(after, lesson.map_of(head))
        made = self._save("quick", head.on(network), lesson.model.contract, (before, after), {})
        if made.row.is_better:
            self._in_use = values
        return made

    def deep(self) -> Iterator[TeachingEvent]:
        """Train, judge and save the deep model."""
        request, lesson = self._request, self._lesson
        held_out = self._held_out()
        judged = np.isin(self._unit, held_out) if held_out else np.ones(len(self._unit), bool)
        steps = max(10, round(request.minutes * STEPS_PER_MINUTE))
        # The same labels, start and settings continue in the same folder; others begin in another.
        folder = request.projects[0] / LESSONS / f"{self._digest[:12]}-{lesson.model.sha256[:8]}-{request.seed}-{steps}"
        can_resume = (folder / "request.json").is_file()
        with storage_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.exists() and not can_resume:
                shutil.rmtree(folder)  # a crash left it before anything was learned
        learned_from = self._samples.only(~judged) if held_out else self._samples
        head = lesson.fit(learned_from, request.seed, request.cores)
        training = TrainRequest(
            self._pairs(head, held_out),
            folder,
            _settings(steps, request.seed),
            start=lesson.model,
            device=request.device,
            resume=can_resume,
        )
        yield from _until(_resumed_or_begun(training), request.minutes, steps)
        model = load_model(folder / "best.safetensors")
        values = np.full(len(judged), np.nan, np.float32)
        values[judged] = lesson.values_of(model, judged)
        if held_out:
            self._judged_on = f"Judged on {len(held_out)} groups of strokes that were held out."
        fold = np.where(judged, 0, -1)
        # With the contract that the start was trained with: this one may be fitted to other greys.
        trained = replace(model, contract=request.start.contract)
        gain, found = compare_on_known(request.start, trained)
        forgot = gain < -_MOST_FORGOTTEN
        scored = self._judge(values, fold)
        made = self._save("deep", model.network, model.contract, scored, model.provenance, {KNOWN: found}, forgot)
        keep_pictures(folder, made.path)
        yield made
        shutil.rmtree(folder, ignore_errors=True)

    def _held_out(self) -> list[int]:
        """Return the numbers of the units to hold out of the deep training; none if they are too few."""
        is_ink, usable = self._samples.is_ink, []
        for fold in self._folds:
            mine = np.isin(self._unit, fold)
            # By samples, not by labelled pixels: strokes that are too thin give none to judge on.
            if all(0 < is_ink[part].sum() < part.sum() for part in (mine, ~mine)):
                usable.append(fold)
        return usable[self._request.seed % len(usable)] if usable else []

    def _pairs(self, head: StrokeHead, held_out: Sequence[int]) -> list[TrainingPair]:
        """Return the training pairs: each project with hints from a head, and phantoms."""
        lesson, first, pairs = self._lesson, 0, list[TrainingPair]()
        for one, cache in zip(lesson.corrections, lesson.caches, strict=True):
            count = len(one.units.units)
            own = [number - first for number in held_out if first <= number < first + count]
            first += count
            masked = one.units.mask(own) & (one.labels > 0) if own else None
            share = (1 - _REPLAY_SHARE) / len(lesson.corrections)
            hints = _hints(head, cache, one)
            pairs.append(TrainingPair(one.stack, one.labels, masked, one.edges, hints, share, not held_out))
        request = self._request
        trained, taught = request.start.contract, lesson.model.contract
        return [*pairs, *replay_pairs(_REPLAY_PHANTOMS, trained, taught, _REPLAY_SHARE, request.seed)]

    def _judge(self, values: Values, fold: npt.NDArray[np.intp]) -> tuple[StrokeScores, StrokeScores]:
        """Return the scores of the model in use and of new values, on the same samples."""
        before, after = (scores_by_fold(found, self._samples.is_ink, fold) for found in (self._in_use, values))
        assert before is not None and after is not None  # folds hold both kinds
        return before, after

    def _save(
        self,
        kind: Kind,
        network: nn.Module,
        contract: InputContract,
        judged: tuple[StrokeScores, StrokeScores],
        provenance: Mapping[str, Any],
        checks: Mapping[str, str] = MappingProxyType({}),
        forgot: bool = False,
    ) -> ModelTaught:
        start, corrections, (before, after) = self._lesson.model, self._lesson.corrections, judged
        key = self._models.new_key(kind)
        row = TaughtModel(
            key=key,
            name=key,
            kind=kind,
            made_at=now(),
            started_from=start.source or start.name,
            started_from_sha256=start.sha256,
            strokes=len(self._lesson.units),
            ink_px=sum(one.ink_px for one in corrections),
            papyrus_px=sum(one.papyrus_px for one in corrections),
            projects=tuple(one.folder.name for one in corrections),
            labels_sha256=self._digest,
            before=before,
            after=after,
            judged_on=self._judged_on,
            is_better=after.auc > before.auc and after.f0_5 >= before.f0_5 and not forgot,
            checks=dict(checks),
        )
        known = next((one for one in self._models.rows() if kind == "quick" and one.is_same_lesson(row)), None)
        if known is not None:
            # A lesson that was stopped and continues makes its quick model again.
            if known.is_better:
                self._models.use(known.key)
            return ModelTaught(known, self._models.path(known.key))
        assert start.config is not None  # FeatureCache refuses other networks
        stated = {**provenance, **_provenance(row)}
        path = self._models.cells_path(key)
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            save_learned_cells(path, corrections)
        return ModelTaught(row, self._models.add(row, network, start.config, contract, stated))


def adapted(model: InkModel, stack: DepthStack) -> tuple[InkModel, str]:
    """Return a model whose contract fits a stack's grey values, with a sentence if it had to be changed."""
    sample = stack.grey_sample()
    if not model.contract.grey_notes(sample):
        return model, ""
    # Where the stack's values lie, nothing says which of them to clip.
    unclipped = model.contract.changed(clip=(0.0, 1.0))
    prepared = unclipped.prepare(sample.reshape(1, 1, -1))
    mean = unclipped.mean + float(prepared.mean()) * unclipped.std
    std = float(prepared.std()) * unclipped.std
    contract = unclipped.changed(mean=round(mean, 4), std=round(max(std, 1e-3), 4))
    note = "The stack's grey values lie far from what the start model was trained on, so they are scaled to fit."
    return replace(model, contract=contract), note


def without_lessons(model: InkModel) -> InkModel:
    """Return a model without the forest of an earlier lesson."""
    return replace(model, network=without_forest(model.network))


def _read_in_words(corrections: Sequence[Corrections]) -> str:
    ink, papyrus = sum(one.ink_px for one in corrections), sum(one.papyrus_px for one in corrections)
    groups = sum(len(one.units.units) for one in corrections)
    return f"Learns from {ink:,} pixels of ink and {papyrus:,} of papyrus in {_count(groups)} of strokes."


def _count(groups: int) -> str:
    return f"{groups} group" if groups == 1 else f"{groups} groups"


def _settings(steps: int, seed: int) -> TrainSettings:
    return TrainSettings(
        steps=steps,
        learning_rate=_LEARNING_RATE,
        average_decay=_AVERAGE_DECAY,
        freeze_norms=True,
        seed=seed,
        validate_every=max(5, steps // _VALIDATIONS),
        patience=0,  # the person chose how long it takes
    )


def _resumed_or_begun(training: TrainRequest) -> Generator[TrainingEvent | TeachingNote, None, None]:
    """Yield the events of a training; begin again if an interrupted one cannot be resumed, as after an upgrade."""
    has_begun = False
    try:
        with closing(train(training)) as events:
            for event in events:
                has_begun = True
                yield event
            return
    except OutputError:
        # Later errors, such as a full disk, must not cost what was learned.
        if has_begun or not training.resume or not training.out.is_dir():
            raise
    yield TeachingNote("The interrupted lesson was begun in another way or its state is damaged, so it begins again.")
    shutil.rmtree(training.out)
    with closing(train(replace(training, resume=False))) as events:
        yield from events


def _until(
    events: Generator[TrainingEvent | TeachingNote, None, None], minutes: float, steps: int
) -> Iterator[TrainingEvent | TeachingNote]:
    """Yield the events of a training, and end it once its time is over and a checkpoint is there."""
    took, began = 0.0, time.monotonic()
    with closing(events):
        for event in events:
            # A caller that pauses does so before it asks for the next event.
            took += time.monotonic() - began
            yield event
            began = time.monotonic()
            if took > 60 * minutes and isinstance(event, CheckpointSaved) and event.step < steps:
                yield TeachingNote(
                    f"The time was over after step {event.step} of {steps}; the best weights so far are used."
                )
                return


def _hints(head: StrokeHead, cache: FeatureCache, corrections: Corrections) -> UInt8Array:
    """Return hints ``(y, x)`` from a head, in blocks with strokes; 0 elsewhere."""
    hints = np.zeros(corrections.labels.shape, np.uint8)
    for block in spread(labelled_blocks(corrections), _MOST_HINTED_BLOCKS):
        area = block_region(block, cache.shape)
        hints[area.slices] = to_hints(head.area(cache, area))
    return hints


def _provenance(row: TaughtModel) -> dict[str, Any]:
    return {
        "made_by": "napari-ink teach",
        "data": f"{_count(row.strokes)} of strokes in {', '.join(row.projects)}",
        "date": row.made_at[:10],
        "started_from": {"name": row.started_from, "sha256": row.started_from_sha256},
        "software": {"napari-ink": __version__, "torch": torch.__version__},
        "thresholds": {"ink": round(row.after.threshold, 2), "edge": 0.5},
        "validation": {"data": row.judged_on, "auc_on_strokes": row.after.auc, "f0_5_on_strokes": row.after.f0_5},
    }
