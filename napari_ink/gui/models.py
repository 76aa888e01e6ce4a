"""The models that can be chosen in the panel: those shipped, and checkpoints that the user points to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_ink.model import DEFAULT_MODEL, InputContract, ModelCard, read_card, recommended_thresholds, shipped_models


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be chosen: what to load, what to call it, what it reads, and what else is known of it."""

    name_or_path: str
    title: str
    about: str
    contract: InputContract
    thresholds: tuple[float, float] = (0.5, 0.5)


def known_models() -> tuple[ModelEntry, ...]:
    """Return the shipped models, the default one first."""
    cards = sorted(shipped_models(), key=lambda card: (card.name != DEFAULT_MODEL, card.name))
    return tuple(_entry(card.name, card) for card in cards)


def model_entry(path: Path) -> ModelEntry:
    """Read the header of a checkpoint that the user points to.

    Raises
    ------
    CheckpointError
        If the file is no checkpoint.
    """
    return _entry(str(path), read_card(path))


def _entry(name_or_path: str, card: ModelCard) -> ModelEntry:
    contract = card.contract
    parts = [] if card.parameters is None else [f"{card.parameters / 1e6:.1f} million parameters"]
    parts.append(f"reads {contract.depth_layers} depth layers")
    if contract.voxel_size_um is not None:
        parts.append(f"trained at {contract.voxel_size_um:g} µm a voxel")
    thresholds = recommended_thresholds(card.provenance)
    return ModelEntry(name_or_path, card.name, ", ".join(parts), contract, (thresholds["ink"], thresholds["edge"]))
