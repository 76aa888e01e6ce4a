"""Ink of random kinds, painted on crops of bare papyrus, so that a network does not learn one kind of ink only.

What the strokes do to the papyrus is drawn anew for each crop: one or two changes of `ink_changes`, in a film of any
thickness, whole, cracked or flaked.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image, ImageDraw
from torch import Tensor

from napari_ink.annotation import LabelValue
from napari_ink.training.ink_changes import CHANGES, blurred, noise

Array = npt.NDArray[Any]

_LEAST_PAPYRUS = 0.5  # share of a crop
_LEAST_INK, _MOST_INK, _ATTEMPTS = 0.03, 0.45, 6
_WIDTHS_PX = (5.0, 26.0)
_LEAST_WEIGHT = 0.03  # of a layer, beyond which nothing is computed
_LETTER_WIDTHS = (3.0, 7.0)  # side of a letter, in widths of its strokes


def can_be_painted(labels: Tensor) -> bool:
    """Whether a crop is papyrus without ink or further supervision, but for what is not reviewed."""
    is_papyrus = labels == LabelValue.PAPYRUS
    return bool(labels.max() != LabelValue.INK and (labels < 4).all() and is_papyrus.float().mean() > _LEAST_PAPYRUS)


def paint_ink(values: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return a crop with random ink and its labels; what is given is not changed.

    Parameters
    ----------
    values
        Prepared grey values ``(z, y, x)`` of bare papyrus.
    labels
        uint8 ``(y, x)``.
    rng
        Source of all random choices.
    """
    height, width = labels.shape
    strokes = torch.from_numpy(_strokes(rng, height, width)).to(values.device)
    strokes &= labels == LabelValue.PAPYRUS
    labels = torch.where(strokes, LabelValue.INK, labels).to(labels.dtype)
    weights = _along_depth(rng, values)
    reached = torch.nonzero(weights > _LEAST_WEIGHT)[:, 0]
    z = slice(int(reached[0]), int(reached[-1]) + 1)
    film = _film(rng, strokes, values.device) * weights[z, None, None]
    changed = values[z]
    for change in rng.choice(len(CHANGES), rng.integers(1, 3), replace=False):
        changed = torch.lerp(changed, CHANGES[change](rng, changed), film)
    return torch.cat([values[: z.start], changed, values[z.stop :]]), labels


def _strokes(rng: np.random.Generator, height: int, width: int) -> Array:
    """Return random signs of lines and arcs, bool ``(y, x)``."""
    drawn = np.zeros((height, width), bool)
    for _ in range(_ATTEMPTS):
        drawn = _signs(rng, height, width) if rng.random() < 0.8 else _blots(rng, height, width)
        if _LEAST_INK <= drawn.mean() <= _MOST_INK:
            break
    return drawn


def _signs(rng: np.random.Generator, height: int, width: int) -> Array:
    picture = Image.new("1", (width, height))
    pen = ImageDraw.Draw(picture)
    thickness = math.exp(rng.uniform(*np.log(_WIDTHS_PX)))
    side = thickness * rng.uniform(*_LETTER_WIDTHS)
    apart = side * rng.uniform(1.0, 1.5)
    turn = rng.uniform(0, math.pi)
    across, down = (np.arange(-1, math.ceil(1.5 * n / apart) + 1) for n in (width, height))
    for row in down:
        for column in across:
            if rng.random() < 0.2:
                continue  # a gap between words
            place = np.array([column, row]) * apart - 0.25 * np.array([width, height]) + rng.uniform(0, 0.2 * side, 2)
            for _ in range(rng.integers(1, 4)):
                points = place + side * _stroke(rng)
                points = (points - (width / 2, height / 2)) @ _rotation(turn) + (width / 2, height / 2)
                pen.line([tuple(point) for point in points], fill=1, width=max(2, round(thickness)), joint="curve")
    return np.array(picture, bool)


def _stroke(rng: np.random.Generator) -> Array:
    """Return points ``(n, 2)`` of a line or an arc within a square of side 1."""
    if rng.random() < 0.5:
        return rng.random((int(rng.integers(2, 4)), 2))
    angles = rng.uniform(0, 2 * math.pi) + np.linspace(0, rng.uniform(1.5, 6.2), 12)
    return 0.5 + rng.uniform(0.25, 0.5) * np.stack([np.cos(angles), np.sin(angles)], 1)


def _rotation(turn: float) -> Array:
    return np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])


def _blots(rng: np.random.Generator, height: int, width: int) -> Array:
    smooth = noise(rng, (1, height, width), rng.uniform(6, 20))[0].numpy()
    blots: Array = smooth > np.quantile(smooth, rng.uniform(0.6, 0.95))
    return blots


def _film(rng: np.random.Generator, strokes: Tensor, device: torch.device) -> Tensor:
    """Return how much ink lies at each pixel ``(y, x)``, 0 to 1: whole, thinned out, cracked or flaked."""
    film = strokes.float()
    if rng.random() < 0.6:
        pattern = noise(rng, (1, *strokes.shape), math.exp(rng.uniform(0, math.log(8))))[0].to(device)
        share = rng.uniform(0.35, 0.95)
        film = film * (pattern < pattern.flatten().quantile(share)).float()
    if rng.random() < 0.5:
        film = blurred(film[None], rng.uniform(0.5, 2.0))[0]
    return film


def _along_depth(rng: np.random.Generator, values: Tensor) -> Tensor:
    """Return the weight of each layer ``(z,)``: a bell near where the sheet is brightest, thin or through the sheet."""
    depth = len(values)
    brightness = F.avg_pool1d(values.mean((1, 2))[None, None], 3, 1, 1)[0, 0]
    inner = brightness[depth // 4 : depth - depth // 4]
    middle = depth // 4 + int(inner.argmax()) + rng.uniform(-7, 3)
    width = math.exp(rng.uniform(math.log(1.2), math.log(6)))
    return torch.exp(-0.5 * ((torch.arange(depth, device=values.device) - middle) / width) ** 2)
