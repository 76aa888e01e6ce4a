"""What a run finds along the border of a segment: on phantoms that are cut, beside the same places of the whole ones.

    python benchmarks/world_phantoms.py --home runs/worlds
    python benchmarks/borders.py --home runs/worlds

Each phantom is cut at the right and below, so that strokes cross its new border. The table has AUC, and the share of
papyrus without ink that is marked, in a band along both, of the cut phantom and of the whole one, in which the papyrus
goes on. Last comes noise of several sizes: the share that is marked in the band, and elsewhere.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from world_phantoms import Kind, entries
from world_table import auc

from napari_ink.annotation import LabelValue
from napari_ink.model import DEFAULT_MODEL, InkModel, load_model, recommended_thresholds
from napari_ink.phantom import WORLDS
from napari_ink.predict import PredictRequest, open_prediction, predict
from napari_ink.stack import stack_of_array

BAND_PX, LEAST_INK = 48, 50
NOISE_SIDES = (384, 400, 421)
_KINDS: tuple[Kind, ...] = ("test", "blank test")


def ink_map(model: InkModel, volume: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """Return the probabilities of ink ``(y, x)`` of a run over a volume."""
    with tempfile.TemporaryDirectory() as home:
        out = Path(home) / "prediction.zarr"
        for _ in predict(PredictRequest(stack_of_array(volume, "phantom"), model, out)):
            pass
        return open_prediction(out).read("ink").astype(np.float32) / 255


def band(side: int) -> npt.NDArray[np.bool_]:
    """Return the places along the right and the lower border of a square."""
    found = np.zeros((side, side), bool)
    found[-BAND_PX:] = found[:, -BAND_PX:] = True
    return found


def of_world(model: InkModel, world: str, home: Path, cut: int) -> npt.NDArray[np.float64]:
    """Return AUC and the share of blank papyrus that is marked, each of cut and whole phantoms of a world."""
    threshold = recommended_thresholds(model.provenance)["ink"]
    rows = []
    for one in (one for kind in _KINDS for one in entries(world, kind) if one.file(home).exists()):
        pair = one.read(home)
        volume = pair.stack.read(slice(None), slice(None), slice(None))
        side = volume.shape[1] - cut
        labels = pair.labels[:side, :side]
        ink, blank = ((labels == value) & band(side) for value in (LabelValue.INK, LabelValue.PAPYRUS))
        maps = ink_map(model, volume[:, :side, :side]), ink_map(model, volume)[:side, :side]
        known = ink | blank
        found = [auc(each[known], ink[known]) if ink.sum() > LEAST_INK else np.nan for each in maps]
        rows.append([*found, *((each[blank] >= threshold).mean() for each in maps)])
    mean: npt.NDArray[np.float64] = np.nanmean(rows, axis=0)
    return mean


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("runs/worlds"), help="folder of the phantoms")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--worlds", nargs="*", default=tuple(WORLDS))
    parser.add_argument("--cut", type=int, default=44, help="rows and columns that are cut off")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model)
    print("| world | AUC, cut | AUC, whole | marked, cut | marked, whole |\n| --- | --- | --- | --- | --- |")
    found = {world: of_world(model, world, args.home, args.cut) for world in args.worlds}
    for world, row in (*found.items(), ("mean", np.mean(list(found.values()), axis=0))):
        print(f"| {world} | " + " | ".join(f"{value:.3f}" for value in row) + " |", flush=True)
    print("\n| noise | marked in the band | elsewhere |\n| --- | --- | --- |")
    for side in NOISE_SIDES:
        noise = np.random.default_rng(1).integers(0, 2**16, (65, side, side), dtype=np.uint16)
        marked = ink_map(model, noise) >= recommended_thresholds(model.provenance)["ink"]
        print(f"| {side} pixels | {marked[band(side)].mean():.3f} | {marked[~band(side)].mean():.3f} |", flush=True)


if __name__ == "__main__":
    main()
