"""Reconstruction of the command line that repeats a prediction, from the provenance in its store."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari_ink.errors import ContractError
from napari_ink.mean_factor import seen_side

if TYPE_CHECKING:
    from napari_ink.model import InputContract


def why_no_command(record: Mapping[str, Any]) -> str | None:
    """Return the reason why no command can repeat a prediction; None if one can.

    Parameters
    ----------
    record
        A prediction's provenance.
    """
    for model in (record["model"], *record.get("others", [])):
        if model.get("provenance", {}).get("format") == "map of another program":
            return f"its map was made by another program, with {model.get('name')}"
        if model.get("source") is None:
            return f"its model {model.get('name')} was given from Python and is in no file"
    if _has_moved(record) and _offset_as_before(record) is None:
        return "it read its layers in reverse, and this version has no single offset that reads the same layers"
    if record.get("mask_sha256") and not record.get("mask"):
        return "its mask was given from Python and is in no file"
    return None


def _has_moved(record: Mapping[str, Any]) -> bool:
    """Return whether this version reads other layers with the same contract than the version of the prediction.

    A window that is read in reverse is mirrored about the middle of the stack; earlier versions did not do that.
    """
    return any([*_window(contract, record["stack"]["shape"][0])] != window for contract, window in _contracts(record))


def _offset_as_before(record: Mapping[str, Any]) -> int | None:
    """Return the offset with which all models read the same layers as before; None if there is none."""
    depth = record["stack"]["shape"][0]
    common = [
        {
            offset
            for offset in range(-depth, depth + 1)
            if [*_window(contract.changed(surface_offset=offset), depth)] == window
        }
        for contract, window in _contracts(record)
    ]
    return min(set.intersection(*common), key=abs, default=None) if common else None


def _would_be_resampled(record: Mapping[str, Any]) -> bool:
    """Return whether the voxel sizes call for means, which earlier versions did not take."""
    stack = record["stack"]
    return any(
        contract.fitted(stack.get("voxel_size_um"), stack.get("layer_step_um")).mean_of != (1, 1)
        for contract, _ in _contracts(record)
    )


def _window(contract: InputContract, depth: int) -> tuple[int, int]:
    try:
        window = contract.z_window(depth)
    except ContractError:
        return 0, 0  # the window lies outside of the stack
    return window.start, window.stop


def _contracts(record: Mapping[str, Any]) -> list[tuple[InputContract, list[int]]]:
    """Return the contract and the window of layers of each model; an empty list if the record is damaged."""
    from pydantic import ValidationError

    from napari_ink.model import InputContract

    with suppress(KeyError, ValidationError):
        return [
            (InputContract.model_validate(one["contract"]), [*one["z_window"]])
            for one in (record, *record.get("others", []))
        ]
    return []


def command_again(record: Mapping[str, Any]) -> str | None:
    """Return the command line that repeats a prediction; None if none can (`why_no_command`).

    Parameters
    ----------
    record
        A prediction's provenance.
    """
    if why_no_command(record) is not None:
        return None
    models = [record["model"], *record.get("others", [])]
    y0, y1, x0, x1 = record["region"]
    # AGAIN.zarr is a placeholder, so that the command cannot overwrite the prediction.
    words = ["napari-ink", "predict", record["stack"]["source"], "-o", "AGAIN.zarr"]
    for model in models:
        words += ["--model", model["source"]]
    if [y0, x0, y1, x1] != [0, 0, *record["stack"]["shape"][1:]]:
        words += ["--region", f"{y0}:{y1},{x0}:{x1}"]
    if record.get("mask"):
        words += ["--mask", record["mask"]]
    if (asked := record.get("asked_instead_of")) and "direction" in asked:
        words += ["--direction", record["contract"]["direction"].replace(" ", "-")]
    # Options only for what differs from the model's own contract, so that the command stays short.
    if _has_moved(record):
        words += ["--offset", str(_offset_as_before(record))]
    elif asked and "surface_offset" in asked:
        words += ["--offset", str(record["contract"]["surface_offset"])]
    if asked and "grey_range" in asked:
        words += ["--grey-range", *(f"{value:g}" for value in record["contract"]["grey_range"])]
    if record.get("augment"):
        words += ["--augment", ",".join(record["augment"])]
    layers, side = record["contract"].get("mean_of", (1, 1))
    if (layers, side) != (1, 1) or _would_be_resampled(record):
        words += ["--resample", "none" if (layers, side) == (1, 1) else f"{layers},{side}"]
    # Stated in any case, since their defaults may differ in a later version.
    words += ["--overlap", str(record["overlap"]), "--tile-size", str(seen_side(record["tile"], side))]
    words += ["--device", record["device"]]
    if record.get("precision") == "bfloat16":
        words += ["--precision", "fast"]
    return shlex.join(words)
