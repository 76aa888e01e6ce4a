"""What families of published networks share, and the description of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from napari_ink.model.contract import LARGEST_TILE
from napari_ink.model.unknown_weights import short

if TYPE_CHECKING:
    from torch import nn

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of weights, by name."""

Side = Annotated[int, Field(ge=1, le=LARGEST_TILE)]
"""Layers, height or width of a crop."""

Crop = tuple[Side, Side, Side]
"""Layers, height and width of a crop that a network was trained on."""

SMALLEST_TILE = 32  # input contracts refuse smaller ones


class ConfigPart(BaseModel):
    """A part of a training configuration, with the entries that are read from it."""

    # Most entries are about training, and new ones appear; those that change predictions are read and checked.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class LayoutError(ValueError):
    """What a family looked for in weights of another network."""


def looked_for(error: Exception) -> str:
    """Return why no network can be built for weights, as part of a sentence."""
    if isinstance(error, KeyError | LayoutError):
        return f"looked for {short(str(error.args[0]))}"
    return "their sizes do not fit together"  # the text of any other error is about the code


def module_count(shapes: Shapes, parent: str) -> int:
    """Return how many modules with a number, such as ``parent.0``, have weights."""
    return len({found[1] for name in shapes if (found := re.match(rf"{re.escape(parent)}\.(\d+)\.", name))})


@dataclass(frozen=True)
class Family:
    """A family of networks whose files hold weights and a training configuration.

    Attributes
    ----------
    name
        Name of the family.
    config
        Model of the entries of its configurations that are read; it refuses values that are not known here.
    contract
        Returns the entries of a network's input contract.
    network
        Returns a network for the shapes of its weights. If they are of another network, it raises a `KeyError` or
        `LayoutError` that names what was looked for.
    provenance
        Returns what a configuration says about the network's origin.
    unused
        Prefixes of the names of weights that prediction does not need.
    prefix
        Put before the names of a file's weights, for a network that is part of a larger one here.
    """

    name: str
    config: type[BaseModel]
    contract: Callable[[Any], dict[str, Any]]
    network: Callable[[Any, Shapes], nn.Module]
    provenance: Callable[[Any], dict[str, Any]] = lambda _: {}
    unused: tuple[str, ...] = ()
    prefix: str = ""
