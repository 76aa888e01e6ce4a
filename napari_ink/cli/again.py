"""The command that makes a prediction again, from what its store records."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any


def why_no_command(record: Mapping[str, Any]) -> str | None:
    """Return why no command makes a prediction again, where something of it lies in no file; None where one does.

    Parameters
    ----------
    record
        A prediction's provenance.
    """
    for model in (record["model"], *record.get("others", [])):
        if model.get("source") is None:
            return f"its model {model.get('name')} was given from Python and lies in no file"
    if record.get("mask_sha256") and not record.get("mask"):
        return "its mask was given from Python and lies in no file"
    return None


def command_again(record: Mapping[str, Any]) -> str | None:
    """Return the command line that makes a prediction again; None where there is none, see `why_no_command`.

    Parameters
    ----------
    record
        A prediction's provenance.
    """
    if why_no_command(record) is not None:
        return None
    models = [record["model"], *record.get("others", [])]
    y0, y1, x0, x1 = record["region"]
    words = ["napari-ink", "predict", record["stack"]["source"], "-o", "AGAIN.zarr"]
    for model in models:
        words += ["--model", model["source"]]
    if [y0, x0, y1, x1] != [0, 0, *record["stack"]["shape"][1:]]:
        words += ["--region", f"{y0}:{y1},{x0}:{x1}"]
    if record.get("mask"):
        words += ["--mask", record["mask"]]
    if (asked := record.get("asked_instead_of")) and "direction" in asked:
        words += ["--direction", record["contract"]["direction"].replace(" ", "-")]
    if asked and "surface_offset" in asked:
        words += ["--offset", str(record["contract"]["surface_offset"])]
    if record.get("augment"):
        words += ["--augment", ",".join(record["augment"])]
    words += ["--overlap", str(record["overlap"]), "--tile-size", str(max(record["tile"]))]
    words += ["--device", record["device"]]
    return shlex.join(words)
