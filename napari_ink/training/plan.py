"""Plan of a run: everything that follows from a request, checked before the first step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch

from napari_ink import __version__
from napari_ink.errors import BadInputError
from napari_ink.model import InkEdgeConfig, InkModel, InputContract
from napari_ink.model.familiarity import TrainedOn
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.taught_network import without_forest
from napari_ink.stack import DepthStack, grey_note, is_phantom
from napari_ink.training.batching import step_seed
from napari_ink.training.contract import fit_contract
from napari_ink.training.crops import CropSampler, TrainingPair
from napari_ink.training.distributed import ProcessTeam
from napari_ink.training.lanes import choose_lanes
from napari_ink.training.pairs import describe_pairs
from napari_ink.training.precision import Arithmetic, choose_precision
from napari_ink.training.request import TrainRequest
from napari_ink.training.run_folder import RunFolder, RunRecord, digest_pair
from napari_ink.training.settings import TrainSettings
from napari_ink.training.trained_on import trained_on
from napari_ink.training.validation import Scores, spread
from napari_ink.training.validation_split import hold_out

_SPREAD = "save it over the whole range, since a network that is trained on it will not fit other stacks"


_MOST_FIGURES = 64  # pairs whose texture is measured


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that a run needs, resolved from a request.

    Attributes
    ----------
    request
        Request that the plan was made from.
    settings, config, contract, arithmetic
        Training settings, network sizes, input contract, and device with precision.
    pairs
        Training pairs with their held-out pixels.
    sampler
        Source of the crops.
    network
        Network with its initial weights.
    held_out_by
        Sentence on the choice of held-out pixels.
    notes
        Sentences for the user.
    """

    request: TrainRequest
    settings: TrainSettings
    config: InkEdgeConfig
    contract: InputContract
    arithmetic: Arithmetic
    pairs: tuple[TrainingPair, ...]
    sampler: CropSampler
    network: InkEdgeNetwork
    held_out_by: str
    notes: tuple[str, ...]

    @classmethod
    def make(cls, request: TrainRequest, folder: RunFolder, team: ProcessTeam, device: torch.device) -> Self:
        """Resolve a request, and write its record into the folder.

        Raises
        ------
        BadInputError
            If the request contradicts itself, the pairs, or an earlier run in the folder.
        """
        settings = request.settings
        pairs, held_out_by = hold_out(request.pairs)
        contract, notes = _contract(request, pairs)
        config = request.start.config if request.start is not None else request.config
        config = config or InkEdgeConfig.tiny()
        network = _fresh_or_started(config, request.start, settings.seed)
        _check_crop(settings.crop_size, network.size_divisor)
        sampler = CropSampler(pairs, contract, settings.crop_size, settings.depth)
        network.to(device)
        precision = team.precision(choose_precision(settings.precision, device), device)
        record = RunRecord(
            settings=settings,
            precision_used=precision,
            lanes_used=0 if team.size > 1 else choose_lanes(settings.lanes, settings.batch_size, device),
            config=config,
            contract=contract,
            started_from=None if request.start is None else request.start.sha256,
            pairs=tuple(digest_pair(pair) for pair in pairs),
            processes=team.size,
            device=str(device),
        )
        if team.leads:
            # A resumed run keeps the precision and the lanes it began with, also on a machine where it would choose
            # others.
            record = folder.begin(record)
        arithmetic = Arithmetic(device, record.precision_used, record.lanes_used if device.type == "cpu" else 0)
        share = f"{sampler.ink_px / sampler.reviewed_px:.1%}"
        reads = f"Learns from {sampler.reviewed_px:,} reviewed pixels of {sampler.used} pairs; {share} of them are ink."
        notes = (reads, held_out_by, *notes)
        return cls(request, settings, config, contract, arithmetic, tuple(pairs), sampler, network, held_out_by, notes)

    @cached_property
    def _trained_on(self) -> TrainedOn:
        """What the network was trained on, its start included."""
        start = None if self.request.start is None else TrainedOn.of_card(self.request.start.provenance)
        phantoms = sum(is_phantom(pair.stack) for pair in self.pairs)
        stacks = _measured_stacks(self.pairs, self.contract)
        return trained_on(stacks, self.contract, len(self.pairs) - phantoms, phantoms).joined_with(start)

    def provenance(self, step: int, scores: Scores) -> dict[str, Any]:
        """Return a checkpoint's record of this run, as JSON values."""
        start = self.request.start
        return {
            "made_by": "napari-ink train",
            "data": f"{len(self.pairs)} pairs, the first of them {self.pairs[0].stack.name}",
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "started_from": None if start is None else {"name": start.name, "sha256": start.sha256},
            **({} if "trained_on" in self.request.provenance else {"trained_on": self._trained_on.model_dump()}),
            **self.request.provenance,
            "steps": step,
            "settings": self.settings.model_dump(mode="json"),
            "precision": self.arithmetic.precision,
            "lanes": self.arithmetic.lanes,
            "pairs": describe_pairs(self.pairs),
            "software": {
                "napari-ink": __version__,
                "torch": torch.__version__,
            },
            "thresholds": {"ink": round(scores.ink_threshold, 2), "edge": round(scores.edge_threshold, 2)},
            "validation": {
                "data": self.held_out_by,
                "ink_f0_5": round(scores.ink_f0_5, 3),
                "ink_average_precision": round(scores.ink_average_precision, 3),
                "edge_ods": round(scores.edge_ods, 3),
            },
        }


def _measured_stacks(pairs: Sequence[TrainingPair], contract: InputContract) -> list[DepthStack]:
    """Return some of the pairs' stacks, if their texture does not depend on brightness and contrast."""
    if not contract.scales_by_stack:
        return []
    return [pair.stack for pair in spread(pairs, _MOST_FIGURES)]


def _contract(request: TrainRequest, pairs: Sequence[TrainingPair]) -> tuple[InputContract, tuple[str, ...]]:
    contract = request.contract if request.start is None else request.start.contract
    narrow = {pair.stack.name: note for pair in pairs if (note := grey_note(pair.stack, remedy=_SPREAD))}
    if contract is None:
        contract, fit_notes = fit_contract(pairs, request.settings.seed)
        return contract, (*fit_notes, *_named(narrow))
    notes = [note for pair in pairs for note in contract.notes(pair.stack.shape[0], pair.stack.voxel_size_um)]
    for pair in pairs:
        contract.check_greys(pair.stack.dtype)
        if pair.stack.name not in narrow and (far := contract.grey_notes(pair.stack.grey_sample())):
            narrow[pair.stack.name] = " ".join(far)
    return contract, tuple(dict.fromkeys([*notes, *_named(narrow)]))


def _named(notes: Mapping[str, str]) -> list[str]:
    return [f"{name}: {note}" for name, note in notes.items()]


def _fresh_or_started(config: InkEdgeConfig, start: InkModel | None, seed: int) -> InkEdgeNetwork:
    # The initial weights depend on the run's seed alone, and torch's global generator is left alone.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(step_seed(seed))
        network = InkEdgeNetwork(config)
    if start is not None:
        network.load_state_dict(without_forest(start.network).state_dict())
    return network


def _check_crop(size: int, divisor: int) -> None:
    if size % divisor:
        fits = max(divisor, round(size / divisor) * divisor)
        raise BadInputError(
            f"Crops of {size} pixels do not fit this network; take a multiple of {divisor}, say {fits}."
        )
