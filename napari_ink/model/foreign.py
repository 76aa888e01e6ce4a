"""Networks in TorchScript or ONNX, and contract files that describe their input and output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor, nn

from napari_ink.decoding import decode_text, read_bounded
from napari_ink.errors import CheckpointError
from napari_ink.model.contract import LARGEST_TILE, InputContract, first_fault
from napari_ink.model.outputs import ink_and_edge, logits_of
from napari_ink.model.unknown_weights import short

CONTRACT_SUFFIX = ".contract.json"


class ForeignContract(BaseModel):
    """Contents of a contract file: the input of a network and the meaning of its output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Greys of a stack would be those of another one.
    input: Annotated[InputContract, AfterValidator(InputContract.without_greys)] = Field(
        description="what the network reads from a depth stack"
    )
    layout: Literal["bzyx", "bczyx"] = Field("bzyx", description="axes of its input; c is a single channel")
    fixed_tile: bool = Field(False, description="whether it takes tiles of exactly input.tile_size pixels")
    size_divisor: int = Field(
        1, ge=1, le=LARGEST_TILE, description="what height and width of a tile must be multiples of"
    )
    one_by_one: bool = Field(False, description="whether it takes a single tile at a time")
    ink: int = Field(0, ge=0, description="channel of the output that holds ink")
    edge: int | None = Field(None, ge=0, description="channel that holds edges; null if it predicts none")
    values: Literal["logits", "probabilities"] = Field("logits", description="what the output's values are")
    output_stride: int = Field(
        1, ge=1, le=LARGEST_TILE, description="pixels of the input to one of the output, along each side"
    )
    provenance: dict[str, Any] = Field(
        default_factory=dict, description="where the model comes from, scores, thresholds"
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.input.tile_size % self.divisor:
            raise ValueError(f"tile_size {self.input.tile_size} is not a multiple of size_divisor {self.divisor}")
        if self.divisor % self.output_stride:
            raise ValueError(f"size_divisor {self.divisor} is not a multiple of output_stride {self.output_stride}")
        return self

    @property
    def divisor(self) -> int:
        """Divisor of valid heights and widths of a tile: the tile size itself if it is fixed."""
        return self.input.tile_size if self.fixed_tile else self.size_divisor


def contract_path(path: Path) -> Path:
    """Return the path of a model file's contract file, ``<name>.contract.json`` in the same folder."""
    return path.with_name(path.stem + CONTRACT_SUFFIX)


def read_foreign_contract(path: Path) -> ForeignContract:
    """Read the contract file of the model file at `path`.

    Raises
    ------
    CheckpointError
        If the file does not exist or cannot be read.
    """
    file = contract_path(path)
    if not file.exists():
        raise CheckpointError(
            f"{path} does not say what it reads: put a contract file {file.name} beside it, as docs/models.md shows."
        )
    text = decode_text(read_bounded(file, CheckpointError), CheckpointError, file)
    try:
        return ForeignContract.model_validate_json(text)
    except ValidationError as error:
        raise CheckpointError(f"{file} is not a contract file: {first_fault(error)}; see docs/models.md.") from error


class Adapter(nn.Module):
    """Another program's network with the interface of this package's networks.

    Parameters
    ----------
    name
        Name of the model file, for messages.
    network
        The network, with input and output as `contract` states.
    contract
        Description of the network's input and output.

    Attributes
    ----------
    size_divisor : int
        Height and width of an input must be multiples of this many pixels.
    fixed_tile : int or None
        The only valid height and width; None if others are valid, too.
    """

    def __init__(self, name: str, network: nn.Module, contract: ForeignContract) -> None:
        super().__init__()
        self.network = network
        self.size_divisor = contract.divisor
        self.fixed_tile = contract.input.tile_size if contract.fixed_tile else None
        self._name, self._contract = name, contract

    def forward(self, x: Tensor) -> Tensor:
        """Map prepared grey values ``(b, z, y, x)`` to logits ``(b, 2, y, x)``: ink, edge.

        Raises
        ------
        CheckpointError
            If the network fails on the input, or its output contradicts its contract.
        """
        given = x[:, None] if self._contract.layout == "bczyx" else x
        parts = torch.split(given, 1) if self._contract.one_by_one else (given,)
        planes = self._checked([self._run(part) for part in parts], given)
        if self._contract.output_stride > 1:
            planes = F.interpolate(planes, size=x.shape[-2:], mode="bilinear", align_corners=False)
        if self._contract.values == "probabilities":
            planes = logits_of(planes)
        edge = None if self._contract.edge is None else planes[:, 1:]
        return ink_and_edge(planes[:, :1], edge)

    def _run(self, part: Tensor) -> object:
        try:
            return self.network(part)
        # TorchScript raises torch.jit.Error for what a program raises, and Python's own classes for operations.
        except (RuntimeError, torch.jit.Error, IndexError, TypeError, ValueError) as error:
            if "memory" in str(error).lower():
                raise
            # TorchScript's message is a stack trace with the reason in its last line.
            reason = [type(error).__name__, *str(error).strip().splitlines()][-1].strip()
            raise CheckpointError(
                f"{self._name} cannot read tiles of {tuple(part.shape)} ({short(reason)}); correct its contract file."
            ) from error

    def _checked(self, outputs: list[object], given: Tensor) -> Tensor:
        """Return the planes of ink and edge ``(b, 1 or 2, y, x)``, after a check against the contract."""
        tensors = [output for output in outputs if isinstance(output, Tensor)]
        if len(tensors) < len(outputs):
            kind = type(outputs[0]).__name__
            raise CheckpointError(f"{self._name} gives a {kind}, not one array; export it with a single output.")
        if any(tensor.is_complex() for tensor in tensors):
            raise CheckpointError(f"{self._name} gives complex numbers; export it with an output of real ones.")
        # Outputs that cannot be joined fit no contract: the first one is named.
        can_be_joined = len({tensor.shape[1:] for tensor in tensors}) == 1 and tensors[0].ndim > 0
        output = (torch.cat(tensors) if can_be_joined else tensors[0]).float()
        planes = output[:, None] if output.ndim == 3 else output
        wanted = [self._contract.ink] + ([] if self._contract.edge is None else [self._contract.edge])
        side_y, side_x = (side // self._contract.output_stride for side in given.shape[-2:])
        fits = planes.ndim == 4 and len(planes) == len(given) and planes.shape[2:] == (side_y, side_x)
        if not fits or planes.shape[1] <= max(wanted):
            raise CheckpointError(
                f"{self._name} gives {tuple(output.shape)} where its contract file promises ({len(given)}, at least "
                f"{max(wanted) + 1}, {side_y}, {side_x}); correct output_stride, ink or edge there."
            )
        return planes[:, wanted]
