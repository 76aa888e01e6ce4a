"""The record in a prediction store's attributes, checked for types, ranges and agreement with its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, ValidationError

from napari_ink.errors import BadInputError
from napari_ink.model import Direction
from napari_ink.model.contract import first_fault

_LARGEST_TILE = 2**16


def _is_time(text: str) -> str:
    try:
        datetime.fromisoformat(text).timestamp()
    except (OverflowError, OSError) as error:
        raise ValueError(f"{text} is not a time") from error
    return text


Pixels = Annotated[StrictInt, Field(ge=0, lt=2**31)]
Side = Annotated[StrictInt, Field(ge=1, le=_LARGEST_TILE)]
Area = tuple[Pixels, Pixels, Pixels, Pixels]


class _Part(BaseModel):
    # Extra keys are ignored, since other versions record more.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Contract(_Part):
    direction: Direction
    surface_offset: StrictInt


class _Model(_Part):
    name: str
    source: str | None = None
    sha256: str | None = None
    predicts_edges: StrictBool = True
    provenance: dict[str, Any]


class _Member(_Model):
    contract: _Contract | None = None


class _Stack(_Part):
    source: str
    name: str | None = None
    fingerprint: str | None = None
    shape: tuple[Pixels, Pixels, Pixels]
    voxel_size_um: Annotated[StrictFloat | StrictInt, Field(gt=0, lt=1e9)] | None = None


class _Unfamiliar(_Part):
    share: Annotated[StrictFloat | StrictInt, Field(ge=0, le=1)]
    mostly: str
    side: Side
    first: tuple[Pixels, Pixels]


class Record(_Part):
    """The attributes of a store that the program uses; `describe_run` documents their meaning."""

    region: Area
    tile: tuple[Side, Side]
    tile_asked: StrictInt | None = None
    batch_size: StrictInt | None = None
    overlap: Annotated[StrictFloat | StrictInt, Field(ge=0, lt=1)] = 0.25
    started: Annotated[str, AfterValidator(_is_time)]
    model: _Model
    contract: _Contract
    others: tuple[_Member, ...] = ()
    asked_instead_of: dict[str, Any] | None = None
    augment: tuple[str, ...] = ()
    stack: _Stack
    mask: str | None = None
    mask_sha256: str | None = None
    device: str | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    planes: tuple[str, ...] | None = None
    complete: StrictBool = False
    left_out: tuple[Area, ...] = ()
    continued: tuple[dict[str, Any], ...] = ()
    unfamiliar: _Unfamiliar | None = None
    outside_of_training: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def doubts_in(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sentences of a checked record on why the map may be wrong, the one on the training first."""
    return (*values.get("outside_of_training", ()), *values.get("doubts", ()))


def check_record(path: Path, values: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    """Refuse a record with invalid values, or one that does not fit a segment of `shape` ``(y, x)``.

    Raises
    ------
    BadInputError
        If a value is invalid; the message names it.
    """
    try:
        record = Record.model_validate(values)
    except ValidationError as error:
        raise _damaged(path, first_fault(error)) from error
    y0, y1, x0, x1 = record.region
    if not (y0 < y1 <= shape[0] and x0 < x1 <= shape[1]):
        raise _damaged(path, f"region {y0}:{y1},{x0}:{x1} in a segment of {shape[0]} × {shape[1]} pixels")
    if record.stack.shape[1:] != shape:
        _, height, width = record.stack.shape
        raise _damaged(path, f"stack of {height} × {width} pixels, but {shape[0]} × {shape[1]} are stored")


def _damaged(path: Path, what: str) -> BadInputError:
    return BadInputError(f"The record of {path} is damaged ({what}); predict again under another name.")
