"""The command that makes a prediction again, from what its store records."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any


def command_again(record: Mapping[str, Any]) -> str | None:
    """Return the command line that makes a prediction again; None where a model of it lies in no file.

    Parameters
    ----------
    record
        A prediction's provenance.
    """
    models = [record["model"], *record.get("others", [])]
    if any(model.get("source") is None for model in models):
        return None
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
