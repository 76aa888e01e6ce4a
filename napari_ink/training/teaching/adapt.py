"""Adaptation: a network is trained further on what it is surest of in segments without labels (self-training).

In each round the network marks blocks of the segments, the surest pixels become pseudo-labels (Lee 2013), and the
network is trained further on them and on phantoms with true labels. Ink that it was less sure of, but that looks like
the ink it was sure of, is found in the next round (Xie et al. 2020). Where the surest pixels are wrong, as on blank
papyrus, it learns its own mistakes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit, logit

from napari_ink.annotation import LabelValue
from napari_ink.errors import BadInputError, OutputError, storage_errors
from napari_ink.model import InkModel, load_model, recommended_thresholds, save_checkpoint
from napari_ink.model.familiarity import TrainedOn, on_ink
from napari_ink.model.network import INK, InkEdgeNetwork
from napari_ink.model.taught_network import without_forest
from napari_ink.stack import DepthStack, find_beside, read_segment_mask
from napari_ink.training.crops import TrainingPair
from napari_ink.training.events import TrainingEvent
from napari_ink.training.loop import train
from napari_ink.training.request import TrainRequest, check_libraries
from napari_ink.training.settings import AugmentationSettings, DepthVariation, TrainSettings
from napari_ink.training.targets import EDGE_UNKNOWN
from napari_ink.training.teaching.blocks import BLOCK_PX
from napari_ink.training.teaching.pseudo_labels import Papyrus, SampledMap, pseudo_labels, sample_map
from napari_ink.training.teaching.replay import world_pair_count, world_pairs
from napari_ink.training.teaching.teach import TeachingNote

# Of the papyrus: pages have 4 to 15 % ink, and what lies between both shares is left open.
_INK_SHARE, _PAPYRUS_SHARE = 0.07, 0.6
_PSEUDO_SHARE = 0.5  # of the crops; the others are phantoms
_MOST_BLOCKS = 64
_MOST_STEPS, _MOST_ROUNDS = 100_000, 20
_CROP_PX, _LEARNING_RATE, _AVERAGE_DECAY = 128, 5e-4, 0.99
_HARMS = "A model that learns from such a map may get worse; look at it first."
_INK, _PAPYRUS = LabelValue.INK, LabelValue.PAPYRUS
_AUGMENTATION = AugmentationSettings(painted_ink=0.8, contrast=0.2, gamma=0.5, blur=0.2, noise=0.03, scale=0.15)
_DEPTH = DepthVariation(shift=4)


@dataclass(frozen=True, eq=False)
class AdaptRequest:
    """Everything that an adaptation depends on.

    Attributes
    ----------
    stacks
        Segments to adapt to. Papyrus masks beside them are used.
    start
        Model to start from.
    out
        Folder to write: the model of each round, and ``adapted.safetensors``.
    rounds
        Number of rounds.
    steps
        Optimiser steps of each round.
    seed
        Seed of all random choices.
    device
        Device of the training: ``"cpu"``, ``"cuda"`` or ``"mps"``.
    resume
        Whether to continue in `out`.
    worlds
        Worlds of the phantoms that are trained along; None for all.
    """

    stacks: Sequence[DepthStack]
    start: InkModel
    out: Path
    rounds: int = 2
    steps: int = 250
    seed: int = 0
    device: str = "cpu"
    resume: bool = False
    worlds: Sequence[str] | None = None

    def check(self) -> None:
        """Refuse a request that cannot be carried out, before anything is written.

        Raises
        ------
        BadInputError
            If a package is missing, a number is out of range, there is no stack, or the start model cannot be trained
            further.
        OutputError
            If the folder exists and is not to be continued, or its parent is missing.
        """
        check_libraries()
        for name, value, most in (("rounds", self.rounds, _MOST_ROUNDS), ("steps", self.steps, _MOST_STEPS)):
            if not 1 <= value <= most:
                raise BadInputError(f"An adaptation cannot take {value:,} {name}; give 1 to {most:,}.")
        if not self.stacks:
            raise BadInputError("There is nothing to adapt to; name at least one stack.")
        names = [stack.name for stack in self.stacks]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise BadInputError(f"Two stacks are named {twice}; give each once, and rename one of two different ones.")
        if not isinstance(without_forest(self.start.network), InkEdgeNetwork):
            raise BadInputError(f"{self.start.name} is not a network of napari-ink, and only those can be adapted.")
        if not self.out.absolute().parent.is_dir():
            raise OutputError(f"There is no folder {self.out.absolute().parent}; create it or choose another.")
        if self.out.exists() and not self.resume:
            raise OutputError(f"{self.out} exists already; choose another name, or continue it with --resume.")


@dataclass(frozen=True, slots=True)
class AdaptationDoubted:
    """The start model's map may have no ink to learn from.

    Attributes
    ----------
    text
        Sentences for the user.
    """

    text: str


@dataclass(frozen=True, slots=True)
class PhantomMade:
    """Phantoms to train along that are made, and number of all."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class RoundBegun:
    """The pseudo-labels of a round are there.

    Attributes
    ----------
    number, rounds
        Number of the round, from 1, and of all.
    ink_px, papyrus_px
        Pixels that were taken for ink and for papyrus.
    """

    number: int
    rounds: int
    ink_px: int
    papyrus_px: int


@dataclass(frozen=True, slots=True)
class ModelAdapted:
    """The adapted model was saved.

    Attributes
    ----------
    path
        Path of the checkpoint.
    threshold
        Threshold of ink that it recommends, which is that of the start model.
    ink_share
        Share of the sampled papyrus that both mark as ink, 0…1.
    """

    path: Path
    threshold: float
    ink_share: float


AdaptEvent = TeachingNote | AdaptationDoubted | PhantomMade | RoundBegun | ModelAdapted | TrainingEvent


def adapt(request: AdaptRequest) -> Generator[AdaptEvent, None, None]:
    """Train a network further on the surest pixels of its own maps, in several rounds.

    Closing the generator between two events stops; the same request with `resume` continues.

    Yields
    ------
    TeachingNote
        Before a model marks the segments, which takes a minute.
    AdaptationDoubted
        After the first marking, if the map has hardly any clear ink, or more ink than pages have.
    PhantomMade
        After each phantom, before the first round.
    RoundBegun
        At the beginning of each round.
    TrainingStarted, StepEnded, BatchSkipped, Validated, CheckpointSaved, TrainingEnded
        The events of the training of a round.
    ModelAdapted
        At the end.

    Raises
    ------
    BadInputError
        If the request cannot be carried out, a stack cannot be read, or a mask leaves no papyrus.
    OutputError
        If the folder holds something else, or cannot be written.
    """
    request.check()
    papyrus = [_papyrus_of(stack) for stack in request.stacks]
    with storage_errors(request.out):
        request.out.mkdir(exist_ok=True)
    try:
        yield from _adapt(request, papyrus)
    finally:
        # A run that ends before it saved anything leaves its name free.
        with suppress(OSError):
            request.out.rmdir()


def _adapt(request: AdaptRequest, papyrus: Sequence[Papyrus | None]) -> Generator[AdaptEvent, None, None]:
    yield _marking(request, request.start)
    model, maps = request.start, _maps_of(request.start, request.stacks, papyrus)
    before, doubts = maps, _doubts(request.start, maps)
    for doubt in doubts:
        yield AdaptationDoubted(f"{doubt} {_HARMS}")
    phantoms: list[TrainingPair] = []
    for number in range(1, request.rounds + 1):
        file = request.out / f"round-{number}.safetensors"
        if not file.exists():
            labels = pseudo_labels(maps, _INK_SHARE, _PAPYRUS_SHARE)
            if not phantoms:
                for pair in world_pairs(request.worlds, 1 - _PSEUDO_SHARE, request.seed):
                    phantoms.append(pair)
                    yield PhantomMade(len(phantoms), world_pair_count(request.worlds))
            yield RoundBegun(number, request.rounds, *(_count(labels, one) for one in (_INK, _PAPYRUS)))
            share = _PSEUDO_SHARE / len(labels)
            own = [
                TrainingPair(stack, one, edges=_unknown_edges(sampled), share=share)
                for stack, one, sampled in zip(request.stacks, labels, maps, strict=True)
            ]
            yield from _train_round(request, model, [*own, *phantoms], file)
        model = _read_round(file, model)
        yield _marking(request, model)
        maps = _maps_of(model, request.stacks, papyrus)
    yield _save(request, model, before, maps, doubts)


def _doubts(model: InkModel, maps: Sequence[SampledMap]) -> tuple[str, ...]:
    """Return a sentence if the blocks together look like no written page."""
    levels = np.concatenate([np.rint(255 * expit(one.on_papyrus())).astype(np.uint8) for one in maps])
    return on_ink(np.bincount(levels, minlength=256).tolist(), model.provenance)


def _marking(request: AdaptRequest, model: InkModel) -> TeachingNote:
    names = ", ".join(stack.name for stack in request.stacks)
    return TeachingNote(f"{model.name} marks up to {_MOST_BLOCKS} blocks of {BLOCK_PX} × {BLOCK_PX} pixels of {names}.")


def _papyrus_of(stack: DepthStack) -> Papyrus | None:
    file = find_beside(stack).mask
    return None if file is None else read_segment_mask(file, stack.shape[1:])[:, :]


def _maps_of(model: InkModel, stacks: Sequence[DepthStack], papyrus: Sequence[Papyrus | None]) -> list[SampledMap]:
    most = max(1, _MOST_BLOCKS // len(stacks))
    return [sample_map(model, stack, mask, most) for stack, mask in zip(stacks, papyrus, strict=True)]


def _unknown_edges(sampled: SampledMap) -> npt.NDArray[np.uint8]:
    """Return edge labels of a segment, unknown wherever there are pseudo-labels.

    What is surely ink ends inside of strokes, and true edges lie where nothing is sure: without this a network learns
    that the segment has none.
    """
    edges = np.zeros(sampled.shape, np.uint8)
    for area in sampled.areas:
        edges[area.slices] = EDGE_UNKNOWN
    return edges


def _count(labels: Sequence[npt.NDArray[np.uint8]], value: LabelValue) -> int:
    return sum(int((one == value).sum()) for one in labels)


def _train_round(
    request: AdaptRequest, model: InkModel, pairs: Sequence[TrainingPair], file: Path
) -> Generator[TrainingEvent, None, None]:
    """Yield the events of a round's training, and store its model in `file`."""
    folder = file.with_suffix("")
    can_resume = (folder / "request.json").is_file()
    with storage_errors(folder):
        if folder.exists() and not can_resume:
            shutil.rmtree(folder)  # a crash left it before anything was learned
    known = TrainedOn.of_card(request.start.provenance)
    training = TrainRequest(
        pairs,
        folder,
        _settings(request),
        start=model,
        device=request.device,
        resume=can_resume,
        # The segments were not labelled, so what the model was trained on stays what it was.
        provenance={"made_by": "napari-ink adapt", "trained_on": None if known is None else known.model_dump()},
    )
    with closing(train(training)) as events:
        yield from events
    with storage_errors(file):
        os.replace(folder / "last.safetensors", file)
        shutil.rmtree(folder, ignore_errors=True)  # what cannot be removed does no harm


def _settings(request: AdaptRequest) -> TrainSettings:
    return TrainSettings(
        steps=request.steps,
        crop_size=_CROP_PX,
        learning_rate=_LEARNING_RATE,
        average_decay=_AVERAGE_DECAY,
        validate_every=request.steps,
        patience=0,
        edge_tolerance_px=1,
        seed=request.seed,
        depth=_DEPTH,
        augmentation=_AUGMENTATION,
    )


def _read_round(file: Path, start: InkModel) -> InkModel:
    model = load_model(file)
    if (model.provenance.get("started_from") or {}).get("sha256") != start.sha256:
        raise OutputError(f"{file} was made from another model; choose another name, or remove it.")
    return model


def _save(
    request: AdaptRequest,
    model: InkModel,
    before: Sequence[SampledMap],
    after: Sequence[SampledMap],
    doubts: Sequence[str],
) -> ModelAdapted:
    """Save the adapted model, moved to mark as much at the start model's threshold as that one did.

    Pseudo-labels have a share of ink of their own, which says nothing about the segment's.
    """
    start, network = request.start, model.network
    assert isinstance(network, InkEdgeNetwork) and model.config is not None  # a round's checkpoint has both
    cuts = recommended_thresholds(start.provenance)
    logits_before, logits_after = (np.concatenate([one.on_papyrus() for one in maps]) for maps in (before, after))
    cut = float(logit(cuts["ink"]))
    share = float((logits_before >= cut).mean())
    bias = network.heads.bias
    assert bias is not None
    with torch.no_grad():
        bias[INK] += cut - float(np.quantile(logits_after, 1 - share))
    provenance: dict[str, Any] = {
        **model.provenance,
        "data": f"pseudo-labels of {', '.join(stack.name for stack in request.stacks)}, and phantoms",
        "started_from": {"name": start.name, "sha256": start.sha256},
        "adapted": {
            "segments": [{"name": one.name, "fingerprint": one.fingerprint()} for one in request.stacks],
            "rounds": request.rounds,
            "steps": request.steps,
            "seed": request.seed,
            **({"doubts": list(doubts)} if doubts else {}),
        },
        "thresholds": cuts,
    }
    path = save_checkpoint(request.out / "adapted.safetensors", network, model.config, model.contract, provenance)
    return ModelAdapted(path, cuts["ink"], share)
