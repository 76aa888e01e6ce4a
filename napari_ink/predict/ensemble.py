"""Who predicts: one network, or several views of it or several networks, whose answers are put together.

Averaging over views is known as test-time augmentation; how far they are apart tells where not to trust them (Wang et
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
"""Mirrored along rows and along columns; turned by quarters; read some layers higher and lower."""

_DEPTH_SHIFTS = (0, -2, 2)


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a tile is turned before the network sees it: mirrored along columns first, then by quarter turns."""

    is_mirrored: bool = False
    quarters: int = 0

    def apply(self, x: Tensor) -> Tensor:
        """Turn the last two axes."""
        return _quarters(x.flip(-1) if self.is_mirrored else x, self.quarters)

    def undo(self, x: Tensor) -> Tensor:
        """Turn them back."""
        back = _quarters(x, -self.quarters)
        return back.flip(-1) if self.is_mirrored else back


def _quarters(x: Tensor, times: int) -> Tensor:
    # torch copies what it turns by nothing.
    return x.rot90(times, (-2, -1)) if times else x


@dataclass(frozen=True, eq=False)
class EnsembleMember:
    """One of those who predict.

    Attributes
    ----------
    network
        Maps prepared grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``.
    contract
        What it reads.
    turn
        How it sees a tile.
    predicts_edges
        Whether it tells edges; if not, its edge logits mean nothing.
    """

    network: nn.Module
    contract: InputContract
    turn: Orientation = Orientation()
    predicts_edges: bool = True


def check_augmentations(names: Iterable[str]) -> None:
    """Refuse names of views that there are none of.

    Raises
    ------
    BadInputError
        If one is none of `AUGMENTATIONS`.
    """
    if unknown := set(names).difference(AUGMENTATIONS):
        raise BadInputError(
            f"There is no augmentation called {', '.join(sorted(unknown))}; choose from {', '.join(AUGMENTATIONS)}."
        )


def members_of(models: Sequence[InkModel], augment: Sequence[TestTimeAugmentation], depth: int) -> list[EnsembleMember]:
    """Return every model in every view.

    Parameters
    ----------
    models
        At least one.
    augment
        Which views there are besides the plain one.
    depth
        Layers of the stack; a view that reads less of it than the plain one is left out.

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
    # Mirrored along columns, along rows, and both, which is half a turn.
    return (
        [Orientation(), Orientation(True), Orientation(True, 2), Orientation(False, 2)]
        if has_flips
        else [Orientation()]
    )


def _contracts(own: InputContract, depth: int, has_shifts: bool) -> list[InputContract]:
    if not has_shifts:
        return [own]
    layers = _layers(own, own.surface_offset, depth)
    own.z_window(depth)  # raises where not even the model's own fits
    return [
        own.changed(surface_offset=own.surface_offset + shift)
        for shift in _DEPTH_SHIFTS
        if _layers(own, own.surface_offset + shift, depth) >= layers
    ]


def _layers(contract: InputContract, offset: int, depth: int) -> int:
    start = depth // 2 + offset - contract.depth_layers // 2
    return min(start + contract.depth_layers, depth) - max(start, 0)


def combine(answers: Sequence[Tensor], tell_edges: Sequence[bool]) -> Tensor:
    """Put the members' probabilities together.

    Parameters
    ----------
    answers
        Of each member, ``(b, 2, y, x)`` in 0…1.
    tell_edges
        Whether each tells edges; the mean is over those that do.

    Returns
    -------
    Tensor
        ``(b, 2, y, x)`` where there is one member; else ``(b, 3, y, x)``: the means of ink and edge, and how far the
        members disagree on ink, as twice the standard deviation, which is 1 at most.
    """
    import torch

    if len(answers) == 1:
        return answers[0]
    ink = torch.stack([answer[:, 0] for answer in answers])
    edges = [answer[:, 1] for answer, tells in zip(answers, tell_edges, strict=True) if tells]
    edge = torch.stack(edges).mean(0) if edges else torch.zeros_like(ink[0])
    return torch.stack([ink.mean(0), edge, 2 * ink.std(0, correction=0)], dim=1)


def channels_of(members: Sequence[EnsembleMember]) -> int:
    """Return how many values `combine` gives for each pixel."""
    return 2 if len(members) == 1 else 3


def z_range(members: Sequence[EnsembleMember], depth: int) -> slice:
    """Return the layers that any member reads."""
    windows = [member.contract.z_window(depth) for member in members]
    return slice(min(window.start for window in windows), max(window.stop for window in windows))
