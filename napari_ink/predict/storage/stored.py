"""Summaries of stored predictions: what a list says of each, and the small record beside its store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, ValidationError

from napari_ink.decoding import read_bounded
from napari_ink.durable import write_bytes
from napari_ink.errors import BadInputError, storage_errors
from napari_ink.model.contract import first_fault
from napari_ink.predict.storage.record import doubts_in
from napari_ink.predict.storage.store import Prediction
from napari_ink.predict.tiles import block_area, blocks_in
from napari_ink.region import Region

_LONGEST_NAME = 80


def check_name(name: str) -> str:
    """Return a name that people may give a prediction; raise a `ValueError` for any other text."""
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip()):
        raise ValueError(f"a name has 1 to {_LONGEST_NAME} characters on one line, and no space at its ends")
    return name


class PredictionRecord(BaseModel):
    """What the store itself does not hold: the name, and measurements that take long. All of it may be missing.

    Model, time, region and contract are in the store, which stays the only place that says how it was made.

    Attributes
    ----------
    name
        Name that people gave the prediction; None for that of its model.
    final_blocks
        Number of final blocks when the disagreement was measured.
    mean_disagreement
        Mean of the plane ``disagreement``, 0…1; None if it was not measured or there is no such plane.
    """

    # Other versions may record more, which a renaming must not lose.
    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    name: Annotated[str, AfterValidator(check_name)] | None = None
    final_blocks: Annotated[StrictInt, Field(ge=0)] = 0
    mean_disagreement: Annotated[float, Field(ge=0, le=1)] | None = None


@dataclass(frozen=True, slots=True)
class StoredPrediction:
    """One prediction of a list.

    Attributes
    ----------
    path
        Folder of its store.
    name
        Name that people gave it, or that of its model.
    region, shape
        Region that was requested, and height and width of the segment.
    final_blocks, blocks
        Number of the region's blocks that are final, and of all.
    has_disagreement
        Whether several models or views were averaged.
    mean_disagreement
        Mean of their disagreement, 0…1; None if it was not measured since blocks became final.
    provenance
        Model, contract, stack, region and settings of the run, as JSON values.
    """

    path: Path
    name: str
    region: Region
    shape: tuple[int, int]
    final_blocks: int
    blocks: int
    has_disagreement: bool
    mean_disagreement: float | None
    provenance: Mapping[str, Any]

    @property
    def model(self) -> str:
        """Name of its model."""
        return str(self.provenance["model"]["name"])

    @property
    def model_sha256(self) -> str | None:
        """Hash of its model's file."""
        found: str | None = self.provenance["model"].get("sha256")
        return found

    @property
    def unfamiliar_share(self) -> float | None:
        """Share of the area that is unlike what the model was trained on, 0…1; None if it was not measured."""
        found = self.provenance.get("unfamiliar")
        return None if found is None else float(found["share"])

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences on why the map may be wrong."""
        return doubts_in(self.provenance)

    @property
    def started(self) -> datetime:
        """Time at which the run began, local."""
        return datetime.fromisoformat(self.provenance["started"]).astimezone()

    @property
    def is_complete(self) -> bool:
        """Whether every block of the region is final."""
        return self.final_blocks == self.blocks

    @property
    def done(self) -> float:
        """Share of the region's blocks that are final, 0…1."""
        return self.final_blocks / self.blocks

    @property
    def area(self) -> str:
        """The region in words."""
        if self.region == Region.whole(self.shape):
            return "whole segment"
        return f"{self.region.height} × {self.region.width} px"

    @property
    def share(self) -> str:
        """Final share of the region in words; below 100 % unless it is complete."""
        return f"{100 if self.is_complete else min(round(100 * self.done), 99)} %"

    def as_json(self) -> dict[str, Any]:
        """Return the values of the row as JSON values."""
        return {
            "name": self.name,
            "path": str(self.path),
            "model": self.model,
            "model_sha256": self.model_sha256,
            "started": self.provenance["started"],
            "region": [self.region.y0, self.region.y1, self.region.x0, self.region.x1],
            "done": round(self.done, 4),
            "complete": self.is_complete,
            "mean_disagreement": self.mean_disagreement,
            "unfamiliar_share": self.unfamiliar_share,
            "doubts": list(self.doubts),
            "contract": self.provenance["contract"],
        }


def record_path(store: Path) -> Path:
    """Return the path of the record of a store."""
    return store.with_suffix(".json")


def read_record(store: Path) -> PredictionRecord:
    """Return the record of a store; an empty one if there is none.

    Raises
    ------
    BadInputError
        If it is damaged.
    """
    path = record_path(store)
    if not path.exists():
        return PredictionRecord()
    try:
        return PredictionRecord.model_validate_json(read_bounded(path, BadInputError))
    except ValidationError as error:
        raise BadInputError(
            f"{path} cannot be read ({first_fault(error)}), so it is listed under its model's name; rename it."
        ) from error


def write_record(store: Path, record: PredictionRecord) -> None:
    """Write the record of a store.

    Raises
    ------
    OutputError
        If it cannot be written; the previous record stays.
    """
    path = record_path(store)
    with storage_errors(path):
        write_bytes(path, record.model_dump_json(exclude_none=True).encode() + b"\n")


def summarize(prediction: Prediction, record: PredictionRecord) -> StoredPrediction:
    """Return the row of an open prediction.

    Raises
    ------
    BadInputError
        If its flags cannot be read.
    """
    done, blocks = prediction.done(), blocks_in(prediction.region)
    final = sum(bool(done[block]) for block in blocks)
    has_disagreement = prediction.disagreement is not None
    is_measured = has_disagreement and record.final_blocks == final
    return StoredPrediction(
        prediction.path,
        record.name or str(prediction.provenance["model"]["name"]),
        prediction.region,
        prediction.shape,
        final,
        len(blocks),
        has_disagreement,
        record.mean_disagreement if is_measured else None,
        prediction.provenance,
    )


def mean_disagreement(prediction: Prediction) -> float | None:
    """Return the mean disagreement on ink over the final blocks with papyrus, 0…1; None if there are none.

    Read block by block, so that it takes the same memory for any segment.
    """
    plane, done = prediction.disagreement, prediction.done()
    if plane is None:
        return None
    total = pixels = 0
    for block in blocks_in(prediction.region):
        if not done[block]:
            continue
        y, x = block_area(block, prediction.region).slices
        with suppress(BadInputError):  # a damaged chunk; whoever shows the prediction reports it
            # Blocks without papyrus are final from the start, and are 0 in all planes.
            if prediction.ink[y, x].any() or prediction.edge[y, x].any():
                values = plane[y, x]
                total, pixels = total + int(values.sum(dtype="int64")), pixels + values.size
    return round(total / (255 * pixels), 4) if pixels else None
