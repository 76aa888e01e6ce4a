"""What a family of published networks has to say about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from torch import nn

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Family:
    """A family of networks whose files hold weights and a training configuration.

    Attributes
    ----------
    name
        Name of the family.
    config
        The entries of its configurations that are read; a value that is not known here is a fault.
    contract
        Returns the entries of a network's input contract.
    network
        Returns a network for the shapes of its weights; it raises a `LookupError` or `ValueError` that names what was
        looked for, if they are of another.
    provenance
        Returns what a configuration says about the network's origin.
    unused
        Beginnings of the names of weights that prediction does not need.
    """

    name: str
    config: type[BaseModel]
    contract: Callable[[Any], dict[str, Any]]
    network: Callable[[Any, Shapes], nn.Module]
    provenance: Callable[[Any], dict[str, Any]] = lambda _: {}
    unused: tuple[str, ...] = ()
