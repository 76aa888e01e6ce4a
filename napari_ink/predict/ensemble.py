"""Ensembles: several networks, or several views of one, whose predictions are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ink.model import InkModel, InputContract
from napari_ink.predict.augmented_views import Orientation, TestTimeAugmentation, orientations, shifted_contracts
from napari_ink.typing import ThirdPlane

if TYPE_CHECKING:
    from torch import Tensor, nn


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
    return [
        EnsembleMember(model.network, contract, turn, model.predicts_edges)
        for model in models
        for contract in shifted_contracts(model.contract, depth, augment)
        for turn in orientations(augment)
    ]


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


def gives_depth(members: Sequence[EnsembleMember]) -> bool:
    """Return whether the only member says at which depth it saw ink (`with_depth`)."""
    return len(members) == 1 and hasattr(members[0].network, "with_depth")


def third_plane(members: Sequence[EnsembleMember], has_depth: bool) -> ThirdPlane | None:
    """Return which plane is stored beside ink and edges; None if none is."""
    return "disagreement" if len(members) > 1 else "depth" if has_depth else None


def stack_place(contract: InputContract, depth: int, place: Tensor) -> Tensor:
    """Return places within the layers that a network reads, 0…1, as places within a stack of `depth` layers, 0…1."""
    window, together = contract.z_window(depth), contract.mean_of[0]
    # The middle of the first and of the last layer, or of their groups, of which the last may end within a layer.
    first = window.start + (together - 1) / 2
    last = first + (contract.layers_read(depth) - 1) * together
    if contract.direction == "reversed":
        first, last = (window.start + window.stop - 1 - one for one in (first, last))
    found: Tensor = (first + place * (last - first)) / max(depth - 1, 1)
    return found


def z_range(members: Sequence[EnsembleMember], depth: int) -> slice:
    """Return the range of layers that covers the windows of all members."""
    windows = [member.contract.z_window(depth) for member in members]
    return slice(min(window.start for window in windows), max(window.stop for window in windows))
