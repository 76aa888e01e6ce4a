"""Show the effect of each parameter of phantoms: a picture, and the score of a checkpoint.

    python benchmarks/phantoms.py --model ink-tiny-2 --picture docs/images/phantoms.jpg
    python benchmarks/phantoms.py --worlds --world-pictures docs/images

Each parameter is changed alone, starting from the plain phantom of the first row. The scores are of phantoms with seeds
of the published test set; a picture shows the mean of three layers at the surface, and below it the true outlines.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from tqdm import tqdm
from world_table import measure, print_tables, save_pictures

from napari_ink.evaluation import ink_scores, label_edges
from napari_ink.model import InkModel, load_model
from napari_ink.phantom import SETS, WORLDS, Phantom, PhantomConfig, make_phantom, set_config
from napari_ink.stack import stack_of_array

SIDE, TITLE = 192, 18
TURNS: dict[str, dict[str, object]] = {
    "plain": {},
    "ink_contrast": {"ink_contrast": 0.0},
    "ink_thickness": {"ink_thickness": 0.3},
    "ink_texture": {"ink_contrast": -4.0, "ink_thickness": 0.15, "ink_texture": 10.0},
    "surface_wander": {"surface_wander": 5.0},
    "surface_offset": {"surface_offset": 8.0},
    "missing_fibres": {"missing_fibres": 0.2},
    "noise": {"noise": 6.0},
    "rings": {"rings": 8.0},
    "specks": {"specks_per_megapixel": 1000.0},
    "voxel_size_um": {"voxel_size_um": 3.24},
    "voxel_size_um, coarse": {"voxel_size_um": 9.6},
    "reversed_depth": {"reversed_depth": True},
}


def predicted(phantom: Phantom, model: InkModel) -> np.ndarray:
    """Return probabilities of ink ``(y, x)`` for a whole phantom in one pass."""
    contract = model.contract.with_greys_of(stack_of_array(phantom.volume, "phantom"))
    block = contract.prepare(phantom.volume[contract.z_window(len(phantom.volume))])
    with torch.inference_mode():
        logits = model.network(torch.from_numpy(block.copy())[None])
    return torch.sigmoid(logits)[0, 0].numpy()


def picture(name: str, phantom: Phantom) -> Image.Image:
    """Return two views of the surface under a title: the scan, and the scan with the true outlines in blue."""
    middle = len(phantom.volume) // 2 + round(phantom.config.surface_offset)
    first = middle - 2 if phantom.config.reversed_depth else middle
    grey = (phantom.volume[first : first + 3].mean(axis=0) / 257).astype(np.uint8)[:SIDE, :SIDE]
    plain = np.repeat(grey[..., None], 3, axis=2)
    outlined = plain.copy()
    outlined[label_edges(phantom.ink)[:SIDE, :SIDE]] = (86, 180, 233)
    page = Image.new("RGB", (SIDE, 2 * SIDE + TITLE), "white")
    ImageDraw.Draw(page).text((4, 3), name, fill="black")
    page.paste(Image.fromarray(np.concatenate([plain, outlined])), (0, TITLE))
    return page


def side_by_side(pictures: list[Image.Image], columns: int = 7) -> Image.Image:
    """Return one image of all pictures in a grid."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (width + 4), rows * (height + 4)), "white")
    for i, shown in enumerate(pictures):
        page.paste(shown, (i % columns * (width + 4), i // columns * (height + 4)))
    return page


def main() -> None:
    """Change each parameter, save its picture, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="may be given several times; default: the shipped model")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--phantoms", type=int, default=4)
    parser.add_argument("--worlds", action="store_true", help="measure the worlds instead: statistics, ink, time")
    parser.add_argument("--world-pictures", type=Path, metavar="FOLDER", help="save a picture of each world")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.world_pictures:
        save_pictures(args.world_pictures)
    if args.worlds:
        print_tables({world: measure(world, args.phantoms) for world in tqdm(WORLDS, disable=None)})
    if args.worlds or args.world_pictures:
        return
    models = [load_model(name) for name in args.model] if args.model else [load_model()]
    print("| turned | to |", " | ".join(f"F0.5 of {model.name}" for model in models), "|")
    print("| --- | --- |", " | ".join("---" for _ in models), "|")
    seeds, pictures = SETS["test"][: args.phantoms], []
    for knob, turned in tqdm(TURNS.items(), disable=None):
        phantoms = [make_phantom(PhantomConfig(seed=seed, **turned)) for seed in seeds]
        report(knob, turned, phantoms, models)
        pictures.append(picture(knob, phantoms[0]))
    hard = [make_phantom(set_config(seed)) for seed in SETS["hard test"][: args.phantoms]]
    report("hard test set", {}, hard, models)
    pictures.append(picture("hard test set", hard[0]))
    if args.picture:
        side_by_side(pictures).save(args.picture, quality=85)


def report(knob: str, turned: dict[str, object], phantoms: list[Phantom], models: list[InkModel]) -> None:
    """Print one row: the mean F0.5 of each model, at the best threshold of each phantom."""
    means = []
    for model in models:
        scores = [ink_scores(predicted(phantom, model), phantom.ink, phantom.mask).f0_5 for phantom in phantoms]
        means.append(f"{np.mean(scores):.3f}")
    to = ", ".join(f"{name} {value:g}" if not isinstance(value, bool) else name for name, value in turned.items())
    print(f"| {knob} | {to} |", " | ".join(means), "|", flush=True)


if __name__ == "__main__":
    main()
