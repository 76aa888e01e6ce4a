"""Models to choose from (shipped ones and checkpoints of the user), and the settings of a prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from napari_ink.model import DEFAULT_MODEL, InputContract, ModelCard, read_card, recommended_thresholds, shipped_models

if TYPE_CHECKING:
    from napari_ink.model import Direction
    from napari_ink.predict import DeviceName, PrecisionName, TestTimeAugmentation
    from napari_ink.stack import DepthStack


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """Model to choose from: name or path, title, description, input contract and recommended thresholds."""

    name_or_path: str
    title: str
    about: str
    contract: InputContract
    thresholds: tuple[float, float] = (0.5, 0.5)
    is_ours: bool = True

    def contract_for(self, stack: DepthStack | None, resample: tuple[float, float] | None = None) -> InputContract:
        """Return the contract with which a stack is read: other people's models read means of smaller voxels."""
        if stack is None or self.is_ours:
            return self.contract
        if resample is not None:
            return self.contract.changed(mean_of=resample)
        return self.contract.fitted(stack.voxel_size_um, stack.layer_step_um)

    def resampling_of(self, stack: DepthStack | None, resample: tuple[float, float] | None = None) -> tuple[str, ...]:
        """Return a sentence on how a stack is resampled for the model; nothing if it is not."""
        if stack is None:
            return ()
        return self.contract_for(stack, resample).resampling_notes(stack.voxel_size_um, stack.layer_step_um)


def known_models() -> tuple[ModelEntry, ...]:
    """Return the shipped models, the default model first."""
    cards = sorted(shipped_models(), key=lambda card: (card.name != DEFAULT_MODEL, card.name))
    return tuple(_entry(card.name, card) for card in cards)


def model_entry(path: Path) -> ModelEntry:
    """Read the header of a checkpoint that the user selected.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint.
    """
    return _entry(str(path), read_card(path))


def _entry(name_or_path: str, card: ModelCard) -> ModelEntry:
    contract = card.contract
    parts = [] if card.parameters is None else [f"{card.parameters / 1e6:.1f} million parameters"]
    parts.append(f"reads {contract.depth_layers} depth layers")
    if contract.voxel_size_um is not None:
        parts.append(f"trained at {contract.voxel_size_um:g} µm a voxel")
    # Measured on validation data at training time, where the record has them; 0.5 otherwise.
    thresholds = recommended_thresholds(card.provenance)
    return ModelEntry(
        name_or_path,
        card.name,
        ", ".join(parts),
        contract,
        (thresholds["ink"], thresholds["edge"]),
        is_ours=card.config is not None,
    )


Where = Literal["whole", "visible", "roi"]


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of a prediction.

    Attributes
    ----------
    model
        Model that predicts.
    device
        Device to run it on.
    where
        Whole segment, visible region when Run is pressed, or regions of interest.
    use_mask
        Whether to skip pixels outside the papyrus mask.
    direction, offset
        Direction of reading and offset along the depth; None for those of the model.
    both_directions
        Whether to predict twice, as stored and reversed, instead of in one direction.
    augment
        Transformed views to average with the plain one.
    grey_range
        Grey values that are stretched over the whole range; None to use the values unchanged.
    precision
        Full precision, or the fast one where model and device allow it.
    resample
        Layers, and pixels along each side of a square, whose means are read; None for what the voxel sizes call for.
    """

    model: ModelEntry
    device: DeviceName = "auto"
    where: Where = "whole"
    use_mask: bool = True
    direction: Direction | None = None
    offset: int | None = None
    augment: tuple[TestTimeAugmentation, ...] = ()
    grey_range: tuple[float, float] | None = None
    precision: PrecisionName = "float32"
    resample: tuple[float, float] | None = None
    both_directions: bool = False

    def for_run(self, is_second: bool = False) -> Self:
        """Return the settings of the first or the second run, which differ only if both directions are predicted."""
        return replace(self, direction="reversed" if is_second else "as stored") if self.both_directions else self
