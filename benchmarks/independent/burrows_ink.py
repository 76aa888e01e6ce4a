"""Greek capitals, and ink that settles on papyrus grain by grain.

A reed pen draws capitals in lines. Where it went, soot grains fall from above one after another and stick to the first
thing that they touch, be it below or beside (ballistic aggregation). Grains that stick sideways bridge and close the
mouths of burrows. Grains favour what stands out already, as in aggregation limited by diffusion, so that warts of
some pixels grow, with dark pits between them in their shadow. Flakes of the deposit are lost later.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import line

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]
Path = tuple[tuple[float, float], ...]


def _bend(y: float, x: float, tall: float, wide: float, start: float, end: float) -> Path:
    """Return the points ``(y, x)`` of an arc around a middle; angles in turns, from the right over below."""
    turns = 2 * np.pi * np.linspace(start, end, 17)
    return tuple((y + tall * float(np.sin(t)), x + wide * float(np.cos(t))) for t in turns)


# Capitals as lines through points (y, x) in a box from 0 to 1, y downwards.
_LETTERS: tuple[tuple[Path, ...], ...] = (
    (((1, 0.05), (0, 0.5), (1, 0.95)), ((0.65, 0.22), (0.65, 0.78))),  # alpha
    (((0, 0.9), (0, 0.15), (1, 0.15)),),  # gamma
    (((1, 0.0), (0, 0.5), (1, 1.0), (1, 0.0)),),  # delta
    (_bend(0.5, 0.55, 0.5, 0.45, 0.12, 0.88), ((0.5, 0.1), (0.5, 0.75))),  # lunate epsilon
    (((0, 0.1), (1, 0.1)), ((0, 0.9), (1, 0.9)), ((0.5, 0.1), (0.5, 0.9))),  # eta
    (_bend(0.5, 0.5, 0.5, 0.48, 0, 1), ((0.5, 0.1), (0.5, 0.9))),  # theta
    (((0, 0.5), (1, 0.5)),),  # iota
    (((0, 0.12), (1, 0.12)), ((0, 0.88), (0.52, 0.15), (1, 0.9))),  # kappa
    (((1, 0.0), (0, 0.5), (1, 1.0)),),  # lambda
    (((1, 0.0), (0, 0.15), (0.75, 0.5), (0, 0.85), (1, 1.0)),),  # mu
    (((1, 0.1), (0, 0.1), (1, 0.9), (0, 0.9)),),  # nu
    (_bend(0.5, 0.5, 0.42, 0.42, 0, 1),),  # omicron
    (((1, 0.12), (0, 0.12), (0, 0.88), (1, 0.88)),),  # pi
    (((1, 0.2), (0, 0.2)), _bend(0.27, 0.2, 0.27, 0.6, -0.25, 0.25)),  # rho
    (_bend(0.5, 0.6, 0.5, 0.5, 0.13, 0.87),),  # lunate sigma
    (((0, 0.0), (0, 1.0)), ((0, 0.5), (1, 0.5))),  # tau
    (((0, 0.05), (0.5, 0.5), (0, 0.95)), ((0.5, 0.5), (1, 0.5))),  # upsilon
    (((0, 0.05), (1, 0.95)), ((1, 0.05), (0, 0.95))),  # chi
    (_bend(0.6, 0.27, 0.4, 0.25, 0.75, 0.0), _bend(0.6, 0.77, 0.4, 0.25, 0.5, -0.25)),  # omega of a book hand
)
_HEIGHT = (95.0, 160.0)  # height of letters, px
_STROKE = (27.0, 41.0)  # width of strokes, px
_MARGIN = 22  # papyrus that stays blank around the lines, px
_SHARE = (0.11, 0.24)  # smallest and largest share of the area that ink covers
_LOST = 0.06  # share of a stroke that flaked off
_FLAKE = 40  # smallest flake that counts as no ink any more, px

_DOSE = 0.85  # grains that fall on each pixel
_ROUNDS = 24  # rounds in which they fall
_GRAIN = 0.5  # height of a grain, layers
_BODY = 2.0  # how much of a voxel grains fill with the gum around them, over their own share
_FAVOUR = 0.3  # how much what stands out by one grain gets more grains, as a power of e
_SHADOW = 5.0  # how wide what stands out shadows its surroundings: deviation of a Gaussian, px
_TALLEST = 2.5  # how far ink stands above the face at most, layers
_NUCLEI, _WART = 1.0, 2.4  # how much nuclei gain, as a power of e, and how wide they are: deviation of a Gaussian, px
_FIRM = 0.22  # share of char from which papyrus carries a grain


def draw_writing(rng: np.random.Generator, size: int) -> Mask:
    """Return the true ink ``(y, x)``, `size` px a side: where a pen went, less the flakes that fell off."""
    ink = np.zeros((size, size), bool)
    while not _SHARE[0] < ink.mean() < _SHARE[1]:
        nib = rng.uniform(*_STROKE)
        far = ndimage.distance_transform_edt(~draw_middle_lines(rng, size, nib))
        uneven = 0.10 * _smooth_noise(rng, size, 18.0) + 0.05 * _smooth_noise(rng, size, 3.0)
        stroke = far < nib / 2 * np.clip(1 + uneven, 0.6, 1.4)
        loose = _smooth_noise(rng, size, 6.0) + 0.6 * _smooth_noise(rng, size, 50.0)
        labels, _ = ndimage.label(stroke & (loose > np.quantile(loose[stroke], 1 - _LOST)))
        areas = np.bincount(labels.ravel())
        areas[0] = 0
        ink = stroke & (areas[labels] <= _FLAKE)
    return ink


def draw_middle_lines(rng: np.random.Generator, size: int, nib: float) -> Mask:
    """Return the middle lines of letters in lines, ``(y, x)``, no more than `_SHARE` allows once they are wide."""
    canvas = np.zeros((size, size), bool)
    height = rng.uniform(max(_HEIGHT[0], 3.6 * nib), _HEIGHT[1])
    edge, slope = _MARGIN + nib / 2, rng.normal(0, 0.02)
    spots = []
    y = edge + rng.uniform(0, 0.3) * height
    while y + height < size - edge:
        x = edge + rng.uniform(0, 0.4) * height
        while x + 0.5 * height < size - edge:
            wide = height * rng.uniform(0.7, 0.95)
            if x + wide < size - edge:
                spots.append((y + slope * x, x, height * rng.uniform(0.92, 1.05), wide))
            x += wide + nib + rng.uniform(0.08, 0.3) * height
        y += height + nib + rng.uniform(0.15, 0.45) * height
    for index in rng.permutation(len(spots)):
        trial = canvas.copy()
        _draw_letter(trial, _LETTERS[rng.integers(len(_LETTERS))], spots[index])
        if trial.sum() * nib < _SHARE[1] * size**2:
            canvas = trial
    return canvas


def _draw_letter(canvas: Mask, letter: tuple[Path, ...], spot: tuple[float, float, float, float]) -> None:
    """Draw the middle lines of a letter into a canvas in place; the spot is y, x, height and width in px."""
    top, left, tall, wide = spot
    for path in letter:
        points = np.rint([(top + y * tall, left + x * wide) for y, x in path]).astype(int)
        points = np.clip(points, 0, len(canvas) - 1)
        for (y0, x0), (y1, x1) in zip(points[:-1], points[1:], strict=True):
            canvas[line(y0, x0, y1, x1)] = True  # type: ignore[no-untyped-call]


def _smooth_noise(rng: np.random.Generator, size: int, length: float) -> Field:
    """Return a smooth random field ``(y, x)`` of deviation 1; `length` is the blur in px."""
    field = ndimage.gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), length, mode="wrap")
    normed: Field = field / np.float32(field.std())
    return normed


def deposit(rng: np.random.Generator, char: Field, wet: Mask) -> Field:
    """Let grains fall on papyrus where it is wet, and return the share of ink in each voxel ``(z, y, x)``."""
    firm = ndimage.gaussian_filter1d(char, 0.7, axis=0) > _FIRM
    ground = np.where(firm.any(axis=0), firm.argmax(axis=0), len(char) - 4)
    height = -ground.astype(np.float32) / _GRAIN  # in grains, upwards
    face = ndimage.gaussian_filter(ndimage.percentile_filter(height[::4, ::4], 70, size=9), 3.0)
    highest = ndimage.zoom(face, 4, order=1) + _TALLEST / _GRAIN
    # Warts begin at nuclei, and a pen leaves less at the border of a stroke.
    nuclei = np.exp(_NUCLEI * _smooth_noise(rng, len(wet), _WART))
    rate = _DOSE / _ROUNDS * nuclei * ndimage.gaussian_filter(wet.astype(np.float32), 2.0)
    ink = np.zeros(char.shape, np.float32)
    for _ in range(_ROUNDS):
        stands_out = height - ndimage.gaussian_filter(height, _SHADOW)
        chance = rate * np.exp(np.clip(_FAVOUR * stands_out, -2.0, 1.2)) * np.clip((highest - height) / 4, 0, 1)
        falls = wet & (rng.random(wet.shape) < chance)
        beside = ndimage.maximum_filter(height, footprint=ndimage.generate_binary_structure(2, 1))
        landed = np.where(falls, np.maximum(height + 1, beside), height)
        y, x = np.nonzero(falls)
        z = np.clip(np.floor(-landed[y, x] * _GRAIN), 0, len(ink) - 1).astype(np.int64)
        ink[z, y, x] += _GRAIN
        height = landed
    # A grain is a tuft of soot, wider than a voxel.
    spread = ndimage.gaussian_filter(np.minimum(ink, 1), (0.6, 0.7, 0.7), truncate=3.0)
    share: Field = np.minimum(_BODY * spread, 1)
    return share
