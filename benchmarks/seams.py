"""Measure whether a map depends on the positions of tiles: the ripple of a constant stack, and maps of shifted stacks.

    python benchmarks/seams.py [--model NAME] [--phantoms 4] [--overlap F] [--device cuda]

Each stack is predicted whole, and again without its first 96 rows and 64 columns, which shifts all tiles. The two maps
are compared at a distance from the cut beyond the model's context, since closer pixels miss input in the second stack.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from devices import add_device, device_or_exit, machine_name

from napari_ink.model import DEFAULT_MODEL, InkModel, load_model
from napari_ink.phantom import SETS, make_phantom, set_config
from napari_ink.predict import PredictRequest, open_prediction, predict
from napari_ink.stack import open_stack

CUT = 96, 64
AWAY = 128
Levels = npt.NDArray[np.uint8]


def predicted(
    volume: npt.NDArray[np.uint16], model: InkModel, overlap: float | None, device: torch.device
) -> npt.NDArray[np.int16]:
    """Return ink and edges of a volume, ``(2, y, x)``."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "stack.npy", volume)
        stack, out = open_stack(Path(folder) / "stack.npy"), Path(folder) / "p.zarr"
        for _ in predict(PredictRequest(stack, model, out, device=device.type, overlap=overlap)):
            pass
        stored = open_prediction(out)
        return np.stack([stored.read("ink"), stored.read("edge")]).astype(np.int16)


def volumes(phantoms: int) -> Iterator[tuple[str, npt.NDArray[np.uint16]]]:
    """Yield test phantoms of both kinds, outside every training set, and noise."""
    for kind in ("test", "hard test"):
        for seed in SETS[kind][:phantoms]:
            yield f"{kind} {seed}", make_phantom(set_config(seed)).volume
    yield "noise", np.random.default_rng(0).integers(0, 2**16, (65, 900, 900), np.uint16)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--phantoms", type=int, default=4, help="number of phantoms of each kind")
    parser.add_argument("--overlap", type=float)
    add_device(parser)
    args = parser.parse_args()
    device = device_or_exit(args.device)
    model = load_model(args.model)
    column = next(volumes(1))[1][:, 250:251, 250:251]
    constant = predicted(np.broadcast_to(column, (column.shape[0], 1400, 1400)).copy(), model, args.overlap, device)
    print(
        f"{machine_name(device)}; constant stack of 1400 x 1400: ripple of ink {np.ptp(constant[0])}, of edges "
        f"{np.ptp(constant[1])} of 255\n"
    )
    print("| stack | seconds | within 3 of 255 | largest difference |\n| --- | --- | --- | --- |")
    for name, volume in volumes(args.phantoms):
        began = time.perf_counter()
        whole = predicted(volume, model, args.overlap, device)
        seconds = time.perf_counter() - began
        cut = predicted(volume[:, CUT[0] :, CUT[1] :], model, args.overlap, device)
        apart = np.abs(whole[:, CUT[0] :, CUT[1] :] - cut)[:, AWAY:, AWAY:]
        print(f"| {name} | {seconds:.1f} | {(apart <= 3).mean():.3%} | {apart.max()} |", flush=True)


if __name__ == "__main__":
    main()
