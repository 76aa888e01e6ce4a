"""Description of torch and its devices as JSON, for `napari-ink doctor`, which runs it as a process of its own."""

from __future__ import annotations

import json
import sys
from typing import Any


def device_facts() -> dict[str, Any]:
    """Return what networks run on here; whatever is wrong is a sentence in ``problems``."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of torch's is missing or damaged
        return {"problems": [f"torch cannot be loaded ({' '.join(str(error).split())}); install it again."]}
    from napari_ink.model.bfloat16 import has_bfloat16
    from napari_ink.predict import choose_device, cores_for_torch, device_title

    device = choose_device("auto")
    facts: dict[str, Any] = {"device": device_title(device), "cores for networks": cores_for_torch()}
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        facts["device"] += f", compute capability {card.major}.{card.minor}, {card.total_memory / 1e9:.1f} GB"
        facts["devices"] = torch.cuda.device_count()
    facts["CUDA of torch"] = torch.version.cuda or "none: a build without CUDA"
    facts["precision fast"] = "bfloat16" if has_bfloat16(device) else "not on this device"
    return {**facts, "problems": []}


if __name__ == "__main__":
    json.dump(device_facts(), sys.stdout)
