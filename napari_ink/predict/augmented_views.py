"""Test-time augmentation: the views of a stack (flipped, rotated, shifted in depth) that a prediction averages over.

The spread of the views shows where not to trust the prediction (Wang et al., "Aleatoric uncertainty estimation with
test-time augmentation", Neurocomputing 2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_ink.errors import BadInputError
from napari_ink.model import InputContract

if TYPE_CHECKING:
    from torch import Tensor

TestTimeAugmentation = Literal["flips", "rotations", "depth"]
AUGMENTATIONS: tuple[TestTimeAugmentation, ...] = ("flips", "rotations", "depth")
"""Flips along rows and columns; rotations by quarter turns; windows of layers some layers higher and lower."""

# In layers as the network sees them. The plain view comes first, so that its layers are those of a run without
# augmentation.
_DEPTH_SHIFTS = (0, -2, 2)


@dataclass(frozen=True, slots=True)
class Orientation:
    """A flip along columns followed by quarter turns, applied to a tile before the network sees it."""

    is_mirrored: bool = False
    quarters: int = 0

    def apply(self, x: Tensor) -> Tensor:
        """Return the tile in this orientation; the last two axes are rows and columns."""
        return _quarters(x.flip(-1) if self.is_mirrored else x, self.quarters)

    def undo(self, x: Tensor) -> Tensor:
        """Return the network's output in the stack's orientation again."""
        back = _quarters(x, -self.quarters)
        return back.flip(-1) if self.is_mirrored else back


def _quarters(x: Tensor, times: int) -> Tensor:
    # torch.rot90 copies even where it has nothing to turn.
    return x.rot90(times, (-2, -1)) if times else x


def check_augmentations(names: Iterable[str]) -> None:
    """Refuse unknown names of augmentations.

    Raises
    ------
    BadInputError
        If a name is not in `AUGMENTATIONS`.
    """
    if unknown := set(names).difference(AUGMENTATIONS):
        raise BadInputError(
            f"There is no augmentation called {', '.join(sorted(unknown))}; choose from {', '.join(AUGMENTATIONS)}."
        )


def orientations(augment: Sequence[TestTimeAugmentation]) -> list[Orientation]:
    """Return the orientations of tiles for these augmentations, the plain one first."""
    has_flips, has_rotations = "flips" in augment, "rotations" in augment
    if has_flips and has_rotations:
        return [Orientation(is_mirrored, quarters) for is_mirrored in (False, True) for quarters in range(4)]
    if has_rotations:
        return [Orientation(quarters=quarters) for quarters in range(4)]
    # Flipped along columns, along rows (a column flip and half a turn), and along both (half a turn).
    return (
        [Orientation(), Orientation(True), Orientation(True, 2), Orientation(False, 2)]
        if has_flips
        else [Orientation()]
    )


def shifted_contracts(own: InputContract, depth: int, augment: Sequence[TestTimeAugmentation]) -> list[InputContract]:
    """Return contracts with the windows of layers for these augmentations, the model's own first.

    Windows that contain fewer layers of a stack of `depth` layers than the model's own are left out.
    """
    if "depth" not in augment:
        return [own]
    own.z_window(depth)  # raises if not even the model's own window fits
    offsets = (own.surface_offset + round(shift * own.mean_of[0]) for shift in _DEPTH_SHIFTS)
    shifted = (own.changed(surface_offset=offset) for offset in offsets)
    return [one for one in shifted if one.layers_read(depth) >= own.layers_read(depth)]
