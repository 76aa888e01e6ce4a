"""Number format that networks compute in: the requested one, if the models and the device allow it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

    from napari_ink.predict.ensemble import EnsembleMember

PrecisionName = Literal["float32", "fast"]
"""Precision that can be requested: full, or bfloat16 where models and device allow it."""

NumberFormat = Literal["float32", "bfloat16"]
"""Number format of a prediction, as its provenance records it."""


def choose_format(
    asked: PrecisionName, members: Sequence[EnsembleMember], device: torch.device, has_bfloat16: bool
) -> tuple[NumberFormat, str | None]:
    """Return the number format to compute in, and why it is not the faster one that was requested.

    Parameters
    ----------
    asked
        Requested precision.
    members
        Ensemble members that predict.
    device
        Device that networks run on.
    has_bfloat16
        Whether that device has instructions for bfloat16.
    """
    from napari_ink.model.inference import takes_reduced_precision

    if asked == "float32":
        return "float32", None
    if not all(takes_reduced_precision(member.network) for member in members):
        return "float32", (
            "The fast precision is only for our own network and those of published files, so this run computes in "
            "float32."
        )
    if not has_bfloat16:
        where = "this processor" if device.type == "cpu" else f"the device {device.type}"
        return "float32", f"The fast precision needs bfloat16, which {where} lacks, so this run computes in float32."
    return "bfloat16", None
