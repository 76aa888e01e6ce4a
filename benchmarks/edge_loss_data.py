"""Data that `edge_losses.py` trains and scores on: photographs with edges drawn by people, and phantoms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from scipy import ndimage
from scipy.io import loadmat
from torch import Tensor, nn

from napari_ink.annotation import LabelValue
from napari_ink.evaluation import label_edges
from napari_ink.model.losses import IGNORE
from napari_ink.phantom import PhantomConfig, make_phantom
from napari_ink.training import edge_target

Plane = npt.NDArray[Any]
Target = Literal["consensus", "person"]
# A photograph has the channels R, G, B as layers; of a phantom's 65 layers, those around the surface are read.
DEPTH = slice(26, 39, 2)
# Ink that is easy to see, so that a few minutes of training depend on the labels rather than on finding ink.
PLAIN_INK = {"ink_contrast": 30.0, "ink_thickness": 1.5, "surface_wander": 1.0, "flaked": 0.1}
AGREED = 0.3  # share of the people; pixels marked by fewer are ignored (Liu et al. 2017)


@dataclass(frozen=True, eq=False)
class Sample:
    """Grey values ``(z, y, x)``, uint8; targets ``(y, x)``, one for each crop; edges ``(y, x)`` for the scores."""

    values: npt.NDArray[np.uint8]
    targets: list[npt.NDArray[np.uint8]]
    truths: list[npt.NDArray[np.bool_]]
    inside: npt.NDArray[np.bool_]


def bsds(home: Path, part: str, target: Target) -> list[Sample]:
    """Read a part of BSDS500, ``train`` or ``val``, in its published layout (Arbeláez et al. 2011).

    The target is either the consensus of the people or the drawing of one person, a different one for each crop.
    """
    samples = []
    for file in sorted((home / "images" / part).glob("*.jpg")):
        people = loadmat(home / "groundTruth" / part / f"{file.stem}.mat")["groundTruth"][0]
        truths = [person["Boundaries"][0, 0].astype(bool) for person in people]
        share = np.mean(truths, axis=0)
        agreed = np.where(share >= AGREED, 1, np.where(share > 0, IGNORE, 0)).astype(np.uint8)
        targets = [agreed] if target == "consensus" else [truth.astype(np.uint8) for truth in truths]
        values = np.asarray(Image.open(file)).transpose(2, 0, 1)
        samples.append(Sample(values, targets, truths, np.ones(share.shape, dtype=bool)))
    return samples


def phantom_samples(seeds: range, home: Path, shift_px: int) -> list[Sample]:
    """Make phantoms, stored in `home`, and shift the labels of each by `shift_px` pixels in a random direction."""
    home.mkdir(parents=True, exist_ok=True)
    return [_phantom_sample(seed, home, shift_px) for seed in seeds]


def _phantom_sample(seed: int, home: Path, shift_px: int) -> Sample:
    file = home / f"{seed}.npz"
    if not file.exists():
        phantom = make_phantom(PhantomConfig.varied(seed, 384, 384).model_copy(update=PLAIN_INK))
        np.savez(file, values=(phantom.volume[DEPTH] // 257).astype(np.uint8), ink=phantom.ink, mask=phantom.mask)
    with np.load(file) as parts:
        values, ink, mask = parts["values"], parts["ink"], parts["mask"]
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    by = np.rint(shift_px * np.array([np.sin(angle), np.cos(angle)]))
    drawn = ndimage.shift(ink, by, order=0, cval=0)
    labels = np.where(mask, np.where(drawn, LabelValue.INK, LabelValue.PAPYRUS), LabelValue.UNREVIEWED)
    inside = ndimage.binary_erosion(mask, iterations=3)  # at the outline, the ends of strokes are unknown
    return Sample(values, [edge_target(labels.astype(np.uint8))], [label_edges(ink) & inside], inside)


def prepare(values: Plane) -> npt.NDArray[np.float32]:
    """Return grey values of 0 to 255 as the network reads them."""
    return ((values.astype(np.float32) / 255 - 0.4) / 0.25).astype(np.float32)


def draw_batch(samples: list[Sample], rng: np.random.Generator, count: int, size: int) -> tuple[Tensor, Tensor]:
    """Cut `count` random crops, flipped and rotated at random: values ``(b, z, y, x)``, targets ``(b, y, x)``."""
    values, targets = [], []
    for _ in range(count):
        sample = samples[int(rng.integers(len(samples)))]
        target = sample.targets[int(rng.integers(len(sample.targets)))]
        y, x = (int(rng.integers(n - size + 1)) for n in target.shape)
        window = slice(y, y + size), slice(x, x + size)
        turns, flip = int(rng.integers(4)), int(rng.integers(2))
        for plane, gathered in ((sample.values[:, *window], values), (target[window], targets)):
            turned = np.rot90(plane, turns, axes=(-2, -1))
            gathered.append(turned[..., ::-1] if flip else turned)
    return torch.from_numpy(prepare(np.stack(values))), torch.from_numpy(np.stack(targets))


@torch.inference_mode()
def edge_map(network: nn.Module, sample: Sample) -> npt.NDArray[np.float32]:
    """Return probabilities ``(y, x)`` of a whole image by the network's last plane, 0 where the truth is unknown."""
    height, width = sample.inside.shape
    divisor = int(network.size_divisor)  # type: ignore[arg-type]
    padding = (0, -width % divisor, 0, -height % divisor)
    values = F.pad(torch.from_numpy(prepare(sample.values))[None], padding, mode="reflect")
    found = torch.sigmoid(network(values)[0, -1, :height, :width]).numpy()
    return np.where(sample.inside, found, 0).astype(np.float32)
