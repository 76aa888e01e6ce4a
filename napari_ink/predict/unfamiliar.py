"""The map of where not to trust: places whose texture lies outside of what a model was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_ink.model import InkModel
from napari_ink.model.familiarity import TrainedOn
from napari_ink.model.known_texture import nearest
from napari_ink.region import Region
from napari_ink.stack import LOCAL_FIGURES, DepthStack, local_figures, place_side
from napari_ink.typing import UInt8Array

# Three times the distance at which a place is outside is as far as anything needs to be told apart.
_MOST_DISTANCE = 3.0
_LEAST_SHARE = 0.05  # of the measured squares; the rarest hundredth of what a model was trained on is outside, too
UNMEASURED = 255


@dataclass(frozen=True, eq=False)
class UnfamiliarMap:
    """Squares of a region, and how far outside of what the model was trained on each lies.

    Attributes
    ----------
    levels
        For each square ``(y, x)`` uint8: 0 for inside, 1 to 254 for outside, 255 if it was not measured, as beside the
        papyrus.
    side
        Height and width of a square, in pixels.
    first
        Row and column of the first square's first pixel.
    differs_by
        In words, by what the squares outside differ most often; empty if there are none.
    """

    levels: UInt8Array
    side: int
    first: tuple[int, int]
    differs_by: str = ""

    @property
    def share(self) -> float:
        """Share of the measured squares that lie outside, 0…1."""
        measured = self.levels != UNMEASURED
        return float((measured & (self.levels > 0)).sum() / max(measured.sum(), 1))

    @property
    def record(self) -> dict[str, Any]:
        """What a prediction records of it, as JSON values."""
        return {
            "share": round(self.share, 4),
            "mostly": self.differs_by,
            "side": self.side,
            "first": list(self.first),
        }

    @property
    def sentences(self) -> tuple[str, ...]:
        """A sentence for the user, if more squares lie outside than usual."""
        if self.share < _LEAST_SHARE:
            return ()
        return (
            f"{self.share:.0%} of the area is unlike anything that the model was trained on (mostly "
            f"{self.differs_by}): what the map shows there is a guess, even where it is sure. In the window, "
            "the layer 'Unlike training' shows where.",
        )


def squares_in(region: Region, side: int) -> tuple[int, int]:
    """Return the numbers of rows and columns of squares of a region, which begin at multiples of their side."""
    ranges = (region.y0, region.y1), (region.x0, region.x1)
    rows, columns = (-(-stop // side) - start // side for start, stop in ranges)
    return rows, columns


def unfamiliar_map(
    model: InkModel, stack: DepthStack, region: Region, has_papyrus: Callable[[Region], bool] = lambda _: True
) -> UnfamiliarMap | None:
    """Measure where a stack lies outside of what a model was trained on; None if its card does not tell.

    It reads eight layers at 64 × 64 places at most, and so takes a small part of a prediction's time.

    Parameters
    ----------
    model
        Model, with a contract that has the greys of the stack.
    stack
        Depth stack.
    region
        Region to measure.
    has_papyrus
        Whether an area has papyrus.

    Raises
    ------
    StackError
        If the stack cannot be read.
    """
    trained_on = TrainedOn.of_card(model.provenance)
    known = [] if trained_on is None else [one for one in trained_on.places if one.figures == LOCAL_FIGURES]
    contract = model.contract
    # A model that was taught on a segment has been judged by its strokes. Other contracts let figures depend on
    # brightness, or have no single layers to measure.
    is_told = "taught" not in model.provenance and contract.scales_by_stack
    if not known or not is_told or contract.mean_of != (1, 1):
        return None
    window = contract.z_window(stack.shape[0])
    figures = np.stack([*local_figures(stack, window, contract.prepare, region, has_papyrus)])
    flat = figures.reshape(-1, len(LOCAL_FIGURES))
    distances, closest = nearest(known, flat)
    is_outside = distances > 1
    part = (distances[is_outside] - 1) / (_MOST_DISTANCE - 1)
    levels = np.where(np.isnan(distances), UNMEASURED, 0).astype(np.uint8)
    levels[is_outside] = 1 + np.rint(np.minimum(part, 1) * (UNMEASURED - 2)).astype(np.uint8)
    side = place_side(region)
    return UnfamiliarMap(
        levels.reshape(figures.shape[:2]),
        side,
        (region.y0 // side * side, region.x0 // side * side),
        closest.differs_by(flat[is_outside]) if is_outside.any() else "",
    )
