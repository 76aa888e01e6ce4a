"""Measure whether a map depends on the positions of tiles: the ripple of a constant stack, and maps of shifted stacks.

    python benchmarks/seams.py [--model NAME] [--phantoms 4] [--overlap F] [--device cuda]
    python -m tests.model.field_files FOLDER
    python benchmarks/seams.py --models FOLDER/*/*.[pcs]* --overlaps 0 0.25 0.5 0.75 [--side 512]

Each stack is predicted whole, and again without its first rows and columns, which shifts all tiles. The two maps are
compared at a distance from the cut beyond the model's context, since closer pixels miss input in the second stack.

With `--overlaps`, one table shows how the agreement of the two maps depends on the overlap of tiles, for each model and
a part of one test phantom. Of random weights only a comparison of overlaps is meaningful: trained ones may agree more.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
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
# Tiles without a context begin anywhere: cut so that no stride of theirs divides it.
ODD_CUT = 37, 51
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


def shifted_maps(
    volume: npt.NDArray[np.uint16],
    model: InkModel,
    overlap: float | None,
    device: torch.device,
    cut: tuple[int, int] = CUT,
    away: int = AWAY,
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16], float]:
    """Predict a volume whole, and without its first rows and columns.

    Returns
    -------
    whole
        Ink and edges of the whole volume, ``(2, y, x)``.
    apart
        Absolute differences between the two maps, at least `away` pixels from the cut, ``(2, y, x)``.
    processor_s
        Processor time of the first prediction, which does not depend on what else the machine does. On a GPU it leaves
        out the time that the GPU computes.
    """
    began = time.process_time()
    whole = predicted(volume, model, overlap, device)
    processor_s = time.process_time() - began
    shifted = predicted(volume[:, cut[0] :, cut[1] :], model, overlap, device)
    return whole, np.abs(whole[:, cut[0] :, cut[1] :] - shifted)[:, away:, away:], processor_s


def compare_overlaps(paths: Sequence[str], overlaps: Sequence[float], side: int, device: torch.device) -> None:
    """Print how the agreement of shifted maps depends on the overlap of tiles, for each model."""
    volume = next(volumes(1))[1][:, :side, :side]
    print(f"{machine_name(device)}; {volume.shape[1]} x {volume.shape[2]} pixels of a test phantom\n")
    print("| model | overlap | processor seconds | within 3 of 255 | mean difference | largest | spread of ink |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for path in paths:
        model = load_model(path)
        name = f"{Path(path).parent.name}/{model.name}"
        cut = CUT if model.contract.context_px else ODD_CUT
        for overlap in overlaps:
            away = min(AWAY, model.contract.tile_size)
            whole, differences, processor_s = shifted_maps(volume, model, overlap, device, cut, away)
            apart = differences[0]
            agree, spread = (apart <= 3).mean(), whole[0].std()
            print(
                f"| {name} | {overlap:g} | {processor_s:.1f} | {agree:.2%} | {apart.mean():.2f} | {apart.max()} | "
                f"{spread:.1f} |",
                flush=True,
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--phantoms", type=int, default=4, help="number of phantoms of each kind")
    parser.add_argument("--overlap", type=float)
    parser.add_argument("--models", nargs="+", default=[DEFAULT_MODEL], help="with --overlaps: names or files")
    parser.add_argument("--overlaps", nargs="+", type=float, help="compare these overlaps instead")
    parser.add_argument("--side", type=int, default=512, help="with --overlaps: height and width of the part")
    add_device(parser)
    args = parser.parse_args()
    device = device_or_exit(args.device)
    if args.overlaps:
        compare_overlaps(args.models, args.overlaps, args.side, device)
        return
    model = load_model(args.model)
    column = next(volumes(1))[1][:, 250:251, 250:251]
    constant = predicted(np.broadcast_to(column, (column.shape[0], 1400, 1400)).copy(), model, args.overlap, device)
    print(
        f"{machine_name(device)}; constant stack of 1400 x 1400: ripple of ink {np.ptp(constant[0])}, of edges "
        f"{np.ptp(constant[1])} of 255\n"
    )
    print("| stack | processor seconds | within 3 of 255 | largest difference |\n| --- | --- | --- | --- |")
    for name, volume in volumes(args.phantoms):
        _, apart, processor_s = shifted_maps(volume, model, args.overlap, device)
        print(f"| {name} | {processor_s:.1f} | {(apart <= 3).mean():.3%} | {apart.max()} |", flush=True)


if __name__ == "__main__":
    main()
