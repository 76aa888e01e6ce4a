"""Ensembles: several networks, or several views of one, whose predictions are averaged.

Averaging over views is test-time augmentation; the spread of the views shows where not to trust the prediction (Wang et
al., "Aleatoric uncertainty estimation with test-time augmentation", Neurocomputing 2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_ink.errors import BadInputError
from napari_ink.model import InkModel, InputContract

if TYPE_CHECKING:
    from torch import Tensor, nn

TestTimeAugmentation = Literal["flips", "rotations", "depth"]
AUGMENTATIONS: tuple[TestTimeAugmentation, ...] = ("flips", "rotations", "depth")
"""Flips along rows and columns; rotations by quarter turns; windows of layers some layers higher and lower."""

# In layers. The plain view comes first, so that its layers are those of a run without augmentation.
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


@dataclass(frozen=True, eq=False)
class EnsembleMember:
    """One network in one view.

    Attributes
    ----------
    network
        Maps prepared grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``.
    contract
        Input contract: the layers to read and how grey values are scaled.
    turn
        Orientation of the tiles that the network sees.
    predicts_edges
        Whether the network predicts edges; if not, its edge logits are meaningless.
    """

    network: nn.Module
    contract: InputContract
    turn: Orientation = Orientation()
    predicts_edges: bool = True


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


def members_of(models: Sequence[InkModel], augment: Sequence[TestTimeAugmentation], depth: int) -> list[EnsembleMember]:
    """Return the ensemble members: every model in every view.

    Parameters
    ----------
    models
        Models to predict with, at least one.
    augment
        Augmentations, which give views besides the plain one.
    depth
        Number of layers of the stack; a view that reads fewer of them than the plain one is left out.

    Raises
    ------
    ContractError
        If a model does not fit the stack.
    """
    turns = _turns("flips" in augment, "rotations" in augment)
    return [
        EnsembleMember(model.network, contract, turn, model.predicts_edges)
        for model in models
        for contract in _contracts(model.contract, depth, "depth" in augment)
        for turn in turns
    ]


def _turns(has_flips: bool, has_rotations: bool) -> list[Orientation]:
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


def _contracts(own: InputContract, depth: int, has_shifts: bool) -> list[InputContract]:
    if not has_shifts:
        return [own]
    layers = _layers(own, own.surface_offset, depth)
    own.z_window(depth)  # raises if not even the model's own window fits
    return [
        own.changed(surface_offset=own.surface_offset + shift)
        for shift in _DEPTH_SHIFTS
        if _layers(own, own.surface_offset + shift, depth) >= layers
    ]


def _layers(contract: InputContract, offset: int, depth: int) -> int:
    start = depth // 2 + offset - contract.depth_layers // 2
    return min(start + contract.depth_layers, depth) - max(start, 0)


def combine(outputs: Sequence[Tensor], predicts_edges: Sequence[bool]) -> Tensor:
    """Return the mean of the members' probabilities, and their disagreement.

    Parameters
    ----------
    outputs
        Probabilities of each member, ``(b, 2, y, x)`` in 0…1.
    predicts_edges
        For each member, whether it predicts edges; the mean of edges is over those that do.

    Returns
    -------
    Tensor
        ``(b, 2, y, x)`` for a single member; else ``(b, 3, y, x)``: the means of ink and of edges, and the disagreement
        on ink, twice the standard deviation, which is at most 1.
    """
    import torch

    if len(outputs) == 1:
        return outputs[0]
    ink = torch.stack([output[:, 0] for output in outputs])
    edges = [output[:, 1] for output, is_edge in zip(outputs, predicts_edges, strict=True) if is_edge]
    edge = torch.stack(edges).mean(0) if edges else torch.zeros_like(ink[0])
    return torch.stack([ink.mean(0), edge, 2 * ink.std(0, correction=0)], dim=1)


def channels_of(members: Sequence[EnsembleMember]) -> int:
    """Return the number of values that `combine` gives for each pixel."""
    return 2 if len(members) == 1 else 3


def z_range(members: Sequence[EnsembleMember], depth: int) -> slice:
    """Return the range of layers that covers the windows of all members."""
    windows = [member.contract.z_window(depth) for member in members]
    return slice(min(window.start for window in windows), max(window.stop for window in windows))
