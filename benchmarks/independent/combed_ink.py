"""Greek letters in lines, and their ink as a skin that dried on the papyrus.

A reed pen with a soft end draws each letter as a few lines; the width of its stroke swells and shrinks. The ink is a
film that was liquid: it fills the valleys between bundles and is thin on their ridges, so that its top is flatter than
papyrus. Its skin dried first and wrinkled: short waves without direction, like those of old paint. Bubbles left
pinholes. Its border is sharp and ragged, since the pen skipped over fibres, and here and there a flake fell off.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import line
from skimage.morphology import remove_small_objects

Plane = NDArray[np.float32]
Points = NDArray[np.float64]

_HEIGHT = (112.0, 155.0)  # height of letters, px
_STROKE = (29.0, 41.0)  # width of strokes, px
_MARGIN = 28.0  # left blank around the text, px
_LEADING, _GAP = 1.38, 0.34  # from line to line, and between letters, in heights of a letter
_AREA = (0.13, 0.2)  # how much of the area is written on, about
_LOOSE, _SLANT = 0.035, 0.05  # how far ends of lines (in heights) and lines of text (rad) are off, sd
_SWELL, _SWELL_SIZE = 1.3, 14.0  # how far half a stroke swells and shrinks (sd, px), and how smoothly (sigma, px)
_RAGGED, _RAGGED_SIZE = 1.1, 1.6  # the same of its ragged border
_LEVEL, _LEVELLED = 8.0, 0.85  # over how much of the face ink levels (sigma, px), and how much of the relief it takes
_THICK, _THIN = 0.1, 0.35  # ink above the levelled face, and at least, also on ridges (layers)
_WRINKLE, _WAVE = 0.55, 10.0  # how high wrinkles are (layers), and how long (px)
_PINHOLES, _PINHOLE = 1 / 320, (0.7, 2.3)  # pinholes per px, and how large (radius, px)
_FLAKES, _FLAKE_SIZE, _FLAKE_AREA = 2.1, 4.5, 40  # threshold of flakes (sd), how large (sigma, px), and at least (px)
_GRAIN, _GRAIN_SIZE = 0.05, 1.2  # how much ink varies in density (sd, share), and how finely (sigma, px)


@dataclass(frozen=True)
class Skin:
    """A film of ink, all ``(y, x)``.

    Attributes
    ----------
    top
        Where its top lies, in layers.
    covers
        True where there is ink: without flakes that fell off and without pinholes.
    density
        How dense it is, 1 on average.
    truth
        True where it is to be read: without flakes, but with pinholes.
    """

    top: Plane
    covers: NDArray[np.bool_]
    density: Plane
    truth: NDArray[np.bool_]


def lay_skin(face: Plane, rng: np.random.Generator) -> Skin:
    """Write on a face ``(y, x)``, in layers, and return the ink."""
    truth = write_lines(face.shape, rng)
    truth &= ~lose_flakes(face.shape, rng)
    level = face + _LEVELLED * (ndimage.gaussian_filter(face, _LEVEL) - face)
    top = np.minimum(level - _THICK - _WRINKLE * wrinkle_skin(face.shape, rng), face - _THIN)
    covers = truth & ~prick_pinholes(face.shape, rng)
    density = 1 + _GRAIN * make_noise(face.shape, _GRAIN_SIZE, rng)
    return Skin(top.astype(np.float32), covers, density, truth)


def make_noise(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> Plane:
    """Return smooth noise of mean 0 and standard deviation 1; ``size`` is a Gaussian's sigma in px."""
    noise: Plane = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), size, mode="wrap")
    normed: Plane = (noise - noise.mean()) / noise.std()
    return normed


def wrinkle_skin(shape: tuple[int, ...], rng: np.random.Generator) -> Plane:
    """Return wrinkles, about -1 in valleys and 1 on crests: waves of one length, without direction."""
    white = rng.standard_normal(shape, dtype=np.float32)
    # The difference of two Gaussians passes one length of waves: 2 pi sigma, about, for sigmas near each other.
    sigma = _WAVE / (2 * np.pi)
    waves = ndimage.gaussian_filter(white, 0.85 * sigma) - ndimage.gaussian_filter(white, 1.3 * sigma)
    # A skin that became too large for what it covers folds into narrow crests with broad valleys between them.
    folds: Plane = np.tanh(1.5 * waves / waves.std())
    return folds - 0.3 * (1 - folds**2)


def prick_pinholes(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return where bubbles left pinholes ``(y, x)``."""
    radius = np.zeros(shape, np.float32)
    count = rng.poisson(_PINHOLES * radius.size)
    at = rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)
    radius[at] = rng.uniform(*_PINHOLE, count)
    far, (near_y, near_x) = ndimage.distance_transform_edt(radius == 0, return_indices=True)
    holes: NDArray[np.bool_] = far < radius[near_y, near_x]
    return holes


def lose_flakes(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return where flakes of more than 40 px fell off ``(y, x)``."""
    noise = make_noise(shape, _FLAKE_SIZE, rng) + 0.25 * make_noise(shape, 1.0, rng)
    flakes: NDArray[np.bool_] = remove_small_objects(noise > _FLAKES, max_size=_FLAKE_AREA)
    return flakes


def write_lines(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return where the pen went ``(y, x)``: letters in lines, as many as the area that is to be written on holds."""
    height, width = rng.uniform(*_HEIGHT), rng.uniform(*_STROKE)
    left = rng.uniform(*_AREA) * shape[0] * shape[1]
    path = np.ones(shape, bool)
    for corner, name in lay_out_letters(shape, height, width, rng):
        if left <= 0:
            break
        for points in LETTERS[name]:
            loose = points + _LOOSE * rng.standard_normal((1, 2)) + 0.3 * _LOOSE * rng.standard_normal(points.shape)
            drawn = corner + height * loose[:, ::-1]
            left -= width * float(np.hypot(*np.diff(drawn, axis=0).T).sum())
            draw_path(path, drawn)
    far = ndimage.distance_transform_edt(path)
    half = width / 2 + _SWELL * make_noise(shape, _SWELL_SIZE, rng) + _RAGGED * make_noise(shape, _RAGGED_SIZE, rng)
    strokes: NDArray[np.bool_] = far < half
    return strokes


def lay_out_letters(
    shape: tuple[int, ...], height: float, width: float, rng: np.random.Generator
) -> list[tuple[Points, str]]:
    """Return the corner ``(y, x)`` and the name of each letter of a page, in random order.

    What does not fit is left out: the letters at the end of that order are those that time took.
    """
    edge = _MARGIN + width / 2
    high, wide = (side - 2 * edge for side in shape)
    slant = _SLANT * rng.standard_normal()
    letters: list[tuple[Points, str]] = []
    lines = 1 + int((high - height) / (_LEADING * height))
    y = edge + rng.uniform(0, high - height - (lines - 1) * _LEADING * height)
    for _ in range(lines):
        names, starts, end = choose_letters(wide, height, width, rng)
        x = edge + rng.uniform(0, wide - end)
        for name, start in zip(names, starts, strict=True):
            letters.append((np.array([y + slant * (x + start - shape[1] / 2), x + start]), name))
        y += _LEADING * height
    return [letters[index] for index in rng.permutation(len(letters))]


def choose_letters(
    room: float, height: float, width: float, rng: np.random.Generator
) -> tuple[list[str], list[float], float]:
    """Return names of letters that fill one line of ``room`` px, where each starts and where the last one ends (px)."""
    names: list[str] = []
    starts: list[float] = []
    end, start = 0.0, 0.0
    while True:
        name = str(rng.choice(list(LETTERS)))
        reach = start + height * max(float(points[:, 0].max()) for points in LETTERS[name])
        if reach > room:
            return names, starts, end
        names.append(name)
        starts.append(start)
        end, start = reach, reach + _GAP * height + width / 2


def draw_path(path: NDArray[np.bool_], points: Points) -> None:
    """Set false in a path ``(y, x)`` where lines from point to point ``(n, 2)`` go, y and x in px."""
    ends = np.rint(points).astype(int)
    for start, end in zip(ends[:-1], ends[1:], strict=True):
        y, x = line(*start, *end)  # type: ignore[no-untyped-call]
        inside = (y >= 0) & (x >= 0) & (y < path.shape[0]) & (x < path.shape[1])
        path[y[inside], x[inside]] = False


def _go(*points: tuple[float, float]) -> Points:
    """Return a stroke from point to point, x to the right and y down, in heights of a letter."""
    return np.array(points, dtype=np.float64)


def _turn(x: float, y: float, wide: float, high: float, start: float, stop: float) -> Points:
    """Return a bow around ``(x, y)`` with half axes in heights of a letter, between angles in degrees, clockwise."""
    angle = np.radians(np.linspace(start, stop, 25))
    return np.stack([x + wide * np.cos(angle), y + high * np.sin(angle)], axis=1)


# Each letter as strokes of points (x, y), in heights of a letter.
LETTERS: dict[str, list[Points]] = {
    "alpha": [_go((0, 1), (0.42, 0), (0.84, 1)), _go((0.17, 0.66), (0.67, 0.66))],
    "gamma": [_go((0.05, 1), (0.05, 0), (0.65, 0))],
    "delta": [_go((0, 1), (0.44, 0), (0.88, 1), (0, 1))],
    "epsilon": [_turn(0.42, 0.5, 0.42, 0.5, 45, 315), _go((0.05, 0.5), (0.6, 0.5))],
    "eta": [_go((0.03, 0), (0.03, 1)), _go((0.72, 0), (0.72, 1)), _go((0.03, 0.48), (0.72, 0.48))],
    "iota": [_go((0.1, 0), (0.1, 1))],
    "kappa": [_go((0.03, 0), (0.03, 1)), _go((0.68, 0), (0.05, 0.55), (0.72, 1))],
    "lambda": [_go((0, 1), (0.42, 0), (0.84, 1))],
    "mu": [_go((0, 1), (0.12, 0), (0.52, 0.72), (0.92, 0), (1.04, 1))],
    "nu": [_go((0.03, 1), (0.03, 0), (0.76, 1), (0.76, 0))],
    "omicron": [_turn(0.43, 0.5, 0.43, 0.48, 0, 360)],
    "pi": [_go((0.05, 1), (0.05, 0), (0.75, 0), (0.75, 1))],
    "rho": [_go((0.05, 1), (0.05, 0)), _turn(0.1, 0.28, 0.5, 0.28, -90, 90)],
    "sigma": [_turn(0.45, 0.5, 0.45, 0.5, 50, 310)],
    "tau": [_go((0, 0), (0.8, 0)), _go((0.4, 0), (0.4, 1))],
    "upsilon": [_go((0, 0), (0.4, 0.5), (0.8, 0)), _go((0.4, 0.5), (0.4, 1))],
    "phi": [_turn(0.45, 0.5, 0.45, 0.28, 0, 360), _go((0.45, -0.08), (0.45, 1.08))],
    "chi": [_go((0, 0), (0.76, 1)), _go((0.76, 0), (0, 1))],
}
