"""Loaded models, and cards that describe model files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_ink.model.config import InkEdgeConfig
from napari_ink.model.contract import Direction, InputContract, SampledStack

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ModelCard:
    """Description of a model file, read without running it.

    Attributes
    ----------
    name, path
        Name of the model and path of its file.
    config
        Sizes of an `InkEdgeNetwork`; None for other networks.
    contract
        Input contract.
    provenance
        Origin of the model, as JSON values; ``validation`` holds its scores, ``thresholds`` the recommended thresholds.
    parameters
        Number of weights; None if only running the file would show it.
    predicts_edges
        Whether it predicts edges in addition to ink.
    has_forest
        Whether a forest that learned from strokes predicts the ink, on the features of the network.
    """

    name: str
    path: Path
    config: InkEdgeConfig | None
    contract: InputContract
    provenance: Mapping[str, Any]
    parameters: int | None
    predicts_edges: bool = True
    has_forest: bool = False


@dataclass(frozen=True)
class InkModel:
    """A network ready to predict, with its input contract and its origin.

    Attributes
    ----------
    name
        Name of the model.
    network
        Maps prepared grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``: ink, edge.
    config
        Sizes of an `InkEdgeNetwork`; None for other networks, which cannot be trained further.
    contract
        Input contract.
    provenance
        Origin of the model, as JSON values.
    sha256
        Digest of the file.
    predicts_edges
        Whether it predicts edges; if not, its edge logits mean a probability of 0.
    asked
        The model's own values of those entries of `contract` that the user overrode.
    source
        Name or file to load the model by; None for a model without a file.
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
        mean_of: tuple[float, float] | None = None,
    ) -> Self:
        """Return this model with another direction, layer window, grey range or resampling; None keeps its own value.

        Raises
        ------
        ContractError
            If a value is invalid.
        """
        wanted = {
            "direction": direction,
            "surface_offset": surface_offset,
            "grey_range": grey_range,
            "mean_of": None if mean_of == self.contract.mean_of else mean_of,
        }
        own = {name: getattr(self.contract, name) for name, value in wanted.items() if value is not None}
        if not own:
            return self
        contract = self.contract.changed(**{name: wanted[name] for name in own})
        own = {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}  # as in JSON
        return replace(self, contract=contract, asked={**own, **(self.asked or {})})

    def with_greys_of(self, stack: SampledStack) -> Self:
        """Return this model with the greys of a stack in its contract; see `InputContract.with_greys_of`."""
        contract = self.contract.with_greys_of(stack)
        return self if contract is self.contract else replace(self, contract=contract)

    def notes(self) -> tuple[str, ...]:
        """Return sentences for the user about overridden values and missing edges."""
        notes = []
        if self.asked:
            values = " and ".join(_in_words(name, value) for name, value in self.asked.items())
            notes.append(f"That is as asked; the model itself has {values}.")
        if not self.predicts_edges:
            notes.append("This model predicts no edges.")
        return tuple(notes)


def _in_words(name: str, value: Any) -> str:
    """Return a contract's value in words."""
    if name == "mean_of":
        return "no resampling"
    if name == "grey_range":
        return "no grey range" if value is None else "the grey range {:g} to {:g}".format(*value)
    return f"the direction {value!r}" if name == "direction" else f"an offset of {value} layers"


def recommended_thresholds(provenance: Mapping[str, Any]) -> dict[str, float]:
    """Return the recommended thresholds of a model for ``ink`` and ``edge``; 0.5 without a recommendation."""
    stated = provenance.get("thresholds")
    values = stated if isinstance(stated, Mapping) else {}
    return {what: _fraction(values.get(what)) for what in ("ink", "edge")}


def _fraction(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 < value < 1 else 0.5
