"""A model, and what a file says of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_ink.model.config import InkEdgeConfig
from napari_ink.model.contract import Direction, InputContract

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ModelCard:
    """What a model file says of itself, read without running it.

    Attributes
    ----------
    name, path
        What it is called and where it lies.
    config
        The sizes of an `InkEdgeNetwork`; None for other people's networks.
    contract
        What it reads.
    provenance
        Where it comes from, as JSON values; ``validation`` holds its scores, ``thresholds`` where to cut.
    parameters
        Number of its weights; None where only running the file would tell.
    predicts_edges
        Whether it tells edges apart from ink at all.
    """

    name: str
    path: Path
    config: InkEdgeConfig | None
    contract: InputContract
    provenance: Mapping[str, Any]
    parameters: int | None
    predicts_edges: bool = True


@dataclass(frozen=True)
class InkModel:
    """A network ready to predict, with the contract that its input must keep and where it comes from.

    Attributes
    ----------
    name
        What it is called.
    network
        Maps prepared grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``: ink, edge.
    config
        The sizes of an `InkEdgeNetwork`; None for other people's networks, which cannot be trained further.
    contract
        What it reads.
    provenance
        Where it comes from, as JSON values.
    sha256
        Of the file.
    predicts_edges
        Whether it tells edges apart from ink; if not, its edge logits stand for a probability of 0.
    asked
        What in `contract` somebody asked for in place of the model's own values, which stand here.
    source
        The name or file to load it by again; None for one that was never in a file.
    """

    name: str
    network: nn.Module
    config: InkEdgeConfig | None
    contract: InputContract
    provenance: Mapping[str, Any]
    sha256: str
    predicts_edges: bool = True
    asked: Mapping[str, Any] | None = None
    source: str | None = None

    def reading(
        self,
        direction: Direction | None = None,
        surface_offset: int | None = None,
        grey_range: tuple[float, float] | None = None,
    ) -> Self:
        """Return this model with another direction, layer window or grey range; None keeps the model's own.

        Raises
        ------
        ContractError
            If a value makes no sense.
        """
        wanted = {"direction": direction, "surface_offset": surface_offset, "grey_range": grey_range}
        own = {name: getattr(self.contract, name) for name, value in wanted.items() if value is not None}
        if not own:
            return self
        contract = self.contract.changed(**{name: wanted[name] for name in own})
        own = {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}  # as in JSON
        return replace(self, contract=contract, asked={**own, **(self.asked or {})})

    def notes(self) -> tuple[str, ...]:
        """Say in sentences what a user of this model should know."""
        said = []
        if self.asked:
            values = " and ".join(_in_words(name, value) for name, value in self.asked.items())
            said.append(f"That is as asked; the model itself has {values}.")
        if not self.predicts_edges:
            said.append("This model predicts no edges.")
        return tuple(said)


def _in_words(name: str, value: Any) -> str:
    """Say what a model itself has in its contract."""
    if name == "grey_range":
        return "no grey range" if value is None else "the grey range {:g} to {:g}".format(*value)
    return f"the direction {value!r}" if name == "direction" else f"an offset of {value} layers"


def recommended_thresholds(provenance: Mapping[str, Any]) -> dict[str, float]:
    """Return where a model's probabilities of ``ink`` and ``edge`` are best cut, or a half where it does not say."""
    said = provenance.get("thresholds")
    values = said if isinstance(said, Mapping) else {}
    return {what: _fraction(values.get(what)) for what in ("ink", "edge")}


def _fraction(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 < value < 1 else 0.5
