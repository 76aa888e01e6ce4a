"""Ink maps as TIFF in the convention of the Vesuvius Challenge's tools, which record in the file how it was made.

The file's description begins with a line that names the convention, followed by JSON; resolution tags state the size of
a pixel. https://github.com/ScrollPrize/villa (`ink_detection/inference/provenance.py`) defines both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import napari_ink
from napari_ink.decoding import decoder_errors
from napari_ink.durable import replacing
from napari_ink.errors import BadInputError, OutputError
from napari_ink.export.write_labels import check_output
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from napari_ink.predict import Prediction

CONVENTION = "vesuvius_ink_inference"
SCHEMA = 1
SUFFIXES = (".tif", ".tiff")
PREDICTIONS_FOLDER = "preds"
_UM_AN_INCH = 25400
_LARGEST = 2**32 - 1
_TILE = 512
_LONGEST_DESCRIPTION = 2**22
_DIRECTIONS = {"as stored": "forward", "reversed": "reverse"}

What = Literal["ink", "edge"]


def write_map(prediction: Prediction, out: Path, what: What = "ink") -> Path:
    """Write a map of probabilities as a tiled BigTIFF of uint8 with its record, and return its path.

    Parameters
    ----------
    prediction
        Complete prediction.
    out
        File to write, or a folder: then the name is ``SEGMENT_MODEL_forward_DDMMYY[_vN].tif``.
    what
        Plane to write.

    Raises
    ------
    BadInputError
        If the prediction is not complete, or has no such plane.
    OutputError
        If the file exists, has another suffix, or cannot be written.
    """
    if not prediction.complete:
        raise BadInputError(f"{prediction.path} is not complete; continue it with `napari-ink predict --resume`.")
    if what == "edge" and not prediction.predicts_edges:
        raise BadInputError(f"{prediction.path} holds no edges; export the map of ink.")
    path = out / map_name(prediction.provenance, out) if out.is_dir() else out
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path} does not end in .tif; a map with its record is a TIFF.")
    check_output(path)
    height, width = prediction.shape
    resolution = resolution_of(prediction.provenance["stack"].get("voxel_size_um"))
    scale: dict[str, Any] = {} if resolution is None else {"resolution": (resolution,) * 2, "resolutionunit": "INCH"}
    import tifffile

    with replacing(path) as partial:
        tifffile.imwrite(
            partial,
            _tiles(prediction, what),
            shape=(height, width),
            dtype=np.uint8,
            tile=(_TILE, _TILE),
            compression="lzw",
            photometric="minisblack",
            bigtiff=True,
            metadata=None,
            description=description_of(prediction.provenance),
            software=f"napari-ink {napari_ink.__version__}",
            **scale,
        )
    return path


def map_name(record: Mapping[str, Any], folder: Path) -> str:
    """Return the name of a map that no file in a folder has, in the convention's form."""
    model = Path(str(record["model"].get("source") or record["model"]["name"])).stem
    day = datetime.fromisoformat(record["started"]).strftime("%d%m%y")
    parts = (record["stack"].get("name") or "segment", model, _DIRECTIONS[record["contract"]["direction"]], day)
    stem = re.sub(r"[^\w.+-]+", "-", "_".join(map(str, parts)))
    names = (f"{stem}{'' if version == 1 else f'_v{version}'}.tif" for version in range(1, 10_000))
    return next(name for name in names if not (folder / name).exists())


def description_of(record: Mapping[str, Any]) -> str:
    """Return the description of a map: the line that names the convention, and its record in ASCII."""
    contract, stack, model = record["contract"], record["stack"], record["model"]
    first, last = record["z_window"]
    layers = list(range(first, last))
    tile = max(record["tile"])
    voxel = stack.get("voxel_size_um")
    scale = {"level": "0", "axes": ["z", "y", "x"], "unit": "micrometer", "um_per_px_y": voxel, "um_per_px_x": voxel}
    document = {
        "schema": SCHEMA,
        "tool": "napari-ink",
        "tool_version": record["version"],
        "created_utc": record["started"],
        "checkpoint": {"name": Path(str(model.get("source") or model["name"])).name, "sha256": model.get("sha256")},
        "input": {"zarr": stack["source"], "level": "0", "shape": list(stack["shape"]), "depth_axis_first": True},
        "run": {
            "layer_indices": layers[::-1] if contract["direction"] == "reversed" else layers,
            "layer_start": first,
            "layer_end": last,
            "direction": _DIRECTIONS[contract["direction"]],
            "patch_size": tile,
            "stride": tile - round(tile * record["overlap"]),
            "overlap": record["overlap"],
            "blend_mode": "squared sine",
            "tta_mirror": "flips" in record.get("augment", ()),
            "amp_dtype": "bf16" if record.get("precision") == "bfloat16" else None,
            "batch_size": record.get("batch_size"),
            "device": record.get("device"),
            "torch_version": record.get("torch"),
            "mask": record.get("mask"),
            "preprocessing": contract.get("normalisation", "fixed"),
        },
        "physical_scale": None if voxel is None else scale,
        # Everything else that is needed to repeat it, in words of our own.
        "napari_ink": record,
    }
    body = json.dumps({CONVENTION: document}, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return f"{CONVENTION} v{SCHEMA}\n{body}"


def read_map_record(path: Path, remedy: str = "write the map again") -> Mapping[str, Any] | None:
    """Return the record in the description of a TIFF, ours or that of another program; None if it has none.

    Parameters
    ----------
    path
        File to read.
    remedy
        What to do if it is damaged, as the end of a sentence.

    Raises
    ------
    BadInputError
        If the file is damaged, or its record is.
    """
    import tifffile

    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return None
    with decoder_errors(BadInputError, path, remedy), tifffile.TiffFile(path) as file:
        text = str(file.pages.first.tags.valueof("ImageDescription", default=""))
        if not re.match(rf"{CONVENTION} v\d+\n", text):
            return None
        if len(text) > _LONGEST_DESCRIPTION:
            raise ValueError(f"its record has {len(text)} characters")
        document = json.loads(text.split("\n", 1)[1]).get(CONVENTION)
        if not isinstance(document, dict):
            raise TypeError("its record is no JSON object")
        return document


def resolution_of(um: float | None) -> tuple[int, int] | None:
    """Return pixels an inch as a fraction of two numbers of 32 bits; None if the size of a pixel is unknown."""
    if um is None or um <= 0:
        return None
    exact = Fraction(_UM_AN_INCH) / Fraction(repr(float(um)))
    if exact > _LARGEST:
        return None
    near = exact.limit_denominator(max(int(_LARGEST / max(exact, Fraction(1))) // 2, 1))
    return (near.numerator, near.denominator) if near else None


def _tiles(prediction: Prediction, what: What) -> Iterator[UInt8Array]:
    height, width = prediction.shape
    for top in range(0, height, _TILE):
        band = prediction.read(what, slice(top, min(top + _TILE, height)))
        for left in range(0, width, _TILE):
            yield np.ascontiguousarray(band[:, left : left + _TILE])
