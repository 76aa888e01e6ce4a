"""TorchScript files, which are programs that torch's own interpreter runs."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from napari_ink.decoding import decoder_errors
from napari_ink.errors import CheckpointError
from napari_ink.model.archives import check_archive


def load_torchscript(path: Path) -> nn.Module:
    """Load a network that `torch.jit.save` wrote.

    A TorchScript file contains a program. It can compute and allocate memory, but cannot access files, the network or
    other programs.

    Raises
    ------
    CheckpointError
        If it is no TorchScript.
    """
    check_archive(path, "a TorchScript file")
    remedy = (
        "weights alone say nothing of their network, so export it whole, with "
        "torch.jit.trace(network, example).save(file)"
    )
    with decoder_errors(CheckpointError, path, remedy), warnings.catch_warnings():
        # torch recommends torch.export instead, whose files are read with pickle.
        warnings.simplefilter("ignore", DeprecationWarning)
        network: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    return network.eval()
