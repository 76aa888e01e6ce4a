"""The option `--device` of the benchmarks; a missing device is reported in one sentence, with exit code 2."""

from __future__ import annotations

import argparse
import sys

import torch

from napari_ink.errors import BadInputError
from napari_ink.predict.device import choose_device


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option `--device`, by default the CPU, as in the figures of docs/benchmarks.md."""
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")


def device_or_exit(name: str) -> torch.device:
    """Return the device of a name, or end this program with one sentence and the exit code 2."""
    try:
        return choose_device(name)
    except BadInputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def machine_name(device: torch.device) -> str:
    """Return the name of the processor or GPU, for the heading of a table."""
    import platform

    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()}, CPU"
