"""The models that can be chosen in the panel: those shipped, and checkpoints that the user points to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_ink.model import DEFAULT_MODEL, InputContract, ModelCard, read_card, recommended_thresholds, shipped_models

if TYPE_CHECKING:
    from napari_ink.model import Direction
    from napari_ink.predict import DeviceName, TestTimeAugmentation


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


Where = Literal["whole", "visible", "roi"]


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of a prediction.

    Attributes
    ----------
    model
        Which one.
    device
        Where it runs.
    where
        The whole segment, what is in sight when Run is pressed, or the regions of interest that were drawn.
    use_mask
        Whether to leave out what the papyrus mask does.
    direction, offset
        Which way and where the depth is read; None for as the model has it.
    augment
        Views besides the plain one.
    grey_range
        Grey values that are spread over the whole range; None where they are taken as they are.
    """

    model: ModelEntry
    device: DeviceName = "auto"
    where: Where = "whole"
    use_mask: bool = True
    direction: Direction | None = None
    offset: int | None = None
    augment: tuple[TestTimeAugmentation, ...] = ()
    grey_range: tuple[float, float] | None = None
