"""Detection of devices that compute in bfloat16, as far as this version of torch can tell."""

from __future__ import annotations

import torch

# Private functions of torch, so each may be missing in another version.
_CPU_FEATURES = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")


def has_bfloat16(device: torch.device) -> bool:
    """Return whether a device has instructions for bfloat16; one that emulates it is up to a hundred times slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and any(bool(getattr(torch.cpu, name, _unknown)()) for name in _CPU_FEATURES)


def _unknown() -> bool:
    return False
