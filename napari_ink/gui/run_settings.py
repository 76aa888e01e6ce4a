"""What a person chooses for a prediction before Run is pressed, or while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from napari_ink.gui.models import ModelEntry
    from napari_ink.model import Direction
    from napari_ink.predict import Augmentation, DeviceName

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
    augment: tuple[Augmentation, ...] = ()
    grey_range: tuple[float, float] | None = None
