"""Crackled ink on a face of draped fibres, and the noise that papyrus and ink share.

Capitals are written with a broad reed pen. The fluid levels out over the fibres, so that ink is thick in valleys and
thin on crests, and gathers at the rims of strokes. It dries into plates, which lift and tilt, part at cracks, and fall
off where papyrus is torn or in clusters. It was written from the published statistics alone, independently of the
worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.intp]
Masks = npt.NDArray[np.bool_]
Polyline = list[tuple[float, float]]

SIDE = 512  # pixels of each side of a phantom
ROWS, COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)  # pixels
SQUEEZE = 0.85  # of columns, which makes plates a little longer along the fibres
PEN_REACH = 60  # pixels from the middle of a stroke that may still be inked
FAR = 1e3  # pixels


def _arc(first: float, last: float, count: int) -> Polyline:
    """Arc of a circle in a unit box, between two angles in radians, clockwise from the top."""
    return [(0.5 + 0.48 * np.sin(angle), 0.5 - 0.48 * np.cos(angle)) for angle in np.linspace(first, last, count)]


# In unit boxes, as (x, y) with y downwards. The order decides which letters a seed writes.
LETTERS: dict[str, list[Polyline]] = {
    "alpha": [[(0, 1), (0.5, 0), (1, 1)], [(0.2, 0.68), (0.8, 0.68)]],
    "delta": [[(0, 1), (0.5, 0), (1, 1), (0, 1)]],
    "lambda": [[(0, 1), (0.5, 0), (1, 1)]],
    "gamma": [[(0.9, 0.02), (0.1, 0), (0.1, 1)]],
    "tau": [[(0, 0.02), (1, 0)], [(0.5, 0), (0.48, 1)]],
    "pi": [[(0.1, 1), (0.1, 0.02), (0.9, 0), (0.9, 1)]],
    "nu": [[(0.05, 1), (0.1, 0), (0.9, 1), (0.92, 0)]],
    "eta": [[(0.1, 0), (0.1, 1)], [(0.9, 0), (0.9, 1)], [(0.1, 0.5), (0.9, 0.48)]],
    "iota": [[(0.5, 0), (0.5, 1)]],
    "kappa": [[(0.1, 0), (0.1, 1)], [(0.9, 0), (0.12, 0.55), (0.95, 1)]],
    "mu": [[(0, 1), (0.15, 0), (0.5, 0.75), (0.85, 0), (1, 1)]],
    "upsilon": [[(0, 0), (0.5, 0.5), (1, 0)], [(0.5, 0.5), (0.5, 1)]],
    "chi": [[(0.05, 0), (0.95, 1)], [(0.95, 0), (0.05, 1)]],
    "omicron": [_arc(0, 2 * np.pi, 24)],
    "sigma": [_arc(0.6, 2 * np.pi - 0.6, 20)],
    "epsilon": [_arc(0.6, 2 * np.pi - 0.6, 20), [(0.05, 0.5), (0.7, 0.5)]],
    "rho": [[(0.1, 1), (0.1, 0), (0.7, 0.05), (0.85, 0.28), (0.65, 0.5), (0.1, 0.55)]],
}


@dataclass(frozen=True)
class Ink:
    """Ink on a face: arrays ``(y, x)``, lengths in voxels."""

    label: Masks  # with its cracks
    solid: Masks  # without
    top: Floats  # layers
    bottom: Floats  # layers
    density: Floats
    thickness: float  # on average, within the label


@dataclass(frozen=True)
class Hand:
    """A way to write: lengths in pixels, angles in radians."""

    height: float
    stroke: float
    rotation: float
    pen: float


@dataclass(frozen=True)
class Plates:
    """Plates of dried ink: arrays ``(y, x)``, lengths in pixels, those along x squeezed."""

    numbers: Indices  # of the plate at each pixel
    to_crack: Floats  # distance to the nearest crack
    centres: Floats  # (plate, 2)
    y: Floats  # where each pixel lies
    x: Floats

    @property
    def count(self) -> int:
        """Number of plates, up to the last that covers a pixel."""
        return int(self.numbers.max()) + 1


def noise(rng: np.random.Generator, along_y: float, along_x: float | None = None) -> Floats:
    """Noise ``(y, x)`` of mean 0 and standard deviation 1, smoothed over so many pixels, which are equal by default."""
    white = rng.standard_normal((SIDE, SIDE))
    smooth = ndimage.gaussian_filter(white, (along_y, along_y if along_x is None else along_x), mode="wrap")
    return ((smooth - smooth.mean()) / smooth.std()).astype(np.float32)  # type: ignore[no-any-return]


def noise_along(rng: np.random.Generator, scale: int) -> Floats:
    """Noise along a line of standard deviation 1, smoothed over so many pixels."""
    # What the filter mirrors at the ends is cut off.
    margin = 4 * scale + 4
    smooth = ndimage.gaussian_filter1d(rng.standard_normal(SIDE + 2 * margin), scale)[margin:][:SIDE]
    return smooth / (smooth.std() + 1e-9)  # type: ignore[no-any-return]


def lay_ink(
    rng: np.random.Generator, face: Floats, height: Floats, torn: Masks, density: Floats, thickness: float
) -> Ink:
    """Ink of a mean thickness in voxels on a face, which is given in layers, as heights, and where it is torn."""
    strokes = _written(rng)
    plates = _plates(rng)
    label = strokes & ~_flaked(rng, plates)[plates.numbers] & ~torn
    label = ndimage.binary_opening(label, iterations=2)
    thick = _thickness(rng, strokes, label, height, thickness)
    lift = _lift(rng, plates)
    crack = (0.95 + 0.35 * noise(rng, 12)).clip(0.35, 2)
    bottom = face - lift
    return Ink(
        label=label,
        solid=label & (plates.to_crack > crack),
        top=bottom - thick,
        bottom=bottom,
        density=density * (1 + 0.05 * noise(rng, 2)),
        thickness=thickness,
    )


def _written(rng: np.random.Generator) -> Masks:
    """Strokes ``(y, x)`` of lines of capitals, between margins."""
    height = rng.uniform(125, 185)
    stroke = float(np.clip(height * rng.uniform(0.17, 0.24), 23, 44))
    line_count = 3 if height < 128 else 2
    leading = height * rng.uniform(1.25, 1.4)
    rotation = np.deg2rad(rng.uniform(-4, 4))
    y = (SIDE - (line_count - 1) * leading - height) / 2 + rng.uniform(-12, 12)
    hand = Hand(height, stroke, rotation, np.deg2rad(rng.uniform(20, 60)))
    outside = np.full((SIDE, SIDE), FAR)
    for _ in range(line_count):
        outside = np.minimum(outside, _outside_line(rng, hand, y))
        y += leading
    # Ink wicks further along the fibres than across.
    outside += 1.6 * noise(rng, 1.5, 7) + 1.0 * noise(rng, 4)
    return outside < 0


def _outside_line(rng: np.random.Generator, hand: Hand, y: float) -> Floats:
    """Distance ``(y, x)`` from the rims of a line of letters whose top is at y, in pixels and negative inside."""
    outside = np.full((SIDE, SIDE), FAR)
    x = rng.uniform(32, 60)
    while True:
        letter = rng.choice(list(LETTERS))
        width = hand.height * (0.3 if letter == "iota" else rng.uniform(0.62, 0.8))
        if x + width > SIDE - rng.uniform(25, 60):
            return outside
        for polyline in LETTERS[letter]:
            corners = np.array(polyline, float) * [width, hand.height] + [x, y]
            corners += rng.normal(0, 2.5, corners.shape)
            outside = np.minimum(outside, _outside_stroke(rng, hand, corners))
        x += width + hand.stroke * rng.uniform(1.2, 1.7)


def _outside_stroke(rng: np.random.Generator, hand: Hand, corners: Floats) -> Floats:
    """Distance ``(y, x)`` from the rim of a stroke through corners ``(corner, xy)``, in pixels and negative inside."""
    cos, sin = np.cos(hand.rotation), np.sin(hand.rotation)
    corners = (corners - SIDE / 2) @ np.array([[cos, sin], [-sin, cos]]) + SIDE / 2
    pieces = []
    for start, end in zip(corners[:-1], corners[1:], strict=True):
        count = max(2, int(np.hypot(*(end - start)) / 2))
        pieces.append(start + (end - start) * np.linspace(0, 1, count)[:, None])
    path = np.concatenate(pieces)
    steps = np.gradient(path, axis=0)
    direction = np.arctan2(steps[:, 1], steps[:, 0])
    # A broad nib draws thick across its edge and thin along it.
    width = hand.stroke * (0.80 + 0.45 * np.abs(np.sin(direction - hand.pen)))
    width = width * (1 + 0.28 * ndimage.gaussian_filter1d(rng.standard_normal(len(path)), 8))
    width = np.clip(ndimage.gaussian_filter1d(width, 4), 20, 58)
    pixels = np.c_[COLUMNS.ravel(), ROWS.ravel()]
    distance, nearest = cKDTree(path).query(pixels, distance_upper_bound=PEN_REACH)
    is_near = np.isfinite(distance)
    outside = np.full(SIDE * SIDE, FAR)
    outside[is_near] = distance[is_near] - width[nearest[is_near]] / 2
    return outside.reshape(SIDE, SIDE)


def _plates(rng: np.random.Generator) -> Plates:
    """Plates of 8 to 30 pixels around points that keep a distance, smaller in some places than in others."""
    spacing = rng.uniform(11, 17)
    coarseness = np.exp(0.35 * noise(rng, 40))
    points = rng.uniform(-10, SIDE + 10, (int((SIDE / spacing) ** 2 * 3), 2))
    apart = spacing * 0.72 * _at(coarseness, points)
    tree = cKDTree(points)
    is_kept = np.ones(len(points), bool)
    for i, point in enumerate(points):
        if is_kept[i]:
            close = np.array(tree.query_ball_point(point, apart[i]))
            is_kept[close[close > i]] = False
    warped_y = ROWS + 2.2 * noise(rng, 5)
    warped_x = (COLUMNS + 2.2 * noise(rng, 5)) * SQUEEZE
    centres = points[is_kept] * [1, SQUEEZE]
    distances, numbers = cKDTree(centres).query(np.c_[warped_y.ravel(), warped_x.ravel()], k=2)
    to_crack = (distances[:, 1] - distances[:, 0]).reshape(SIDE, SIDE) / 2
    return Plates(numbers[:, 0].reshape(SIDE, SIDE), to_crack.astype(np.float32), centres, warped_y, warped_x)


def _at(field: Floats, points: Floats) -> Floats:
    """Values of a field at points ``(point, yx)``, or at its rim where they lie outside."""
    y, x = points.astype(int).clip(0, SIDE - 1).T
    return field[y, x]  # type: ignore[no-any-return]


def _flaked(rng: np.random.Generator, plates: Plates) -> Masks:
    """Plates that have fallen off, in clusters."""
    clusters = _at(noise(rng, 28), plates.centres / np.array([1, SQUEEZE]))[: plates.count]
    looseness = clusters + 0.8 * rng.standard_normal(plates.count)
    return looseness > np.quantile(looseness, 1 - rng.uniform(0.08, 0.16))


def _thickness(rng: np.random.Generator, strokes: Masks, label: Masks, height: Floats, mean: float) -> Floats:
    """Thickness ``(y, x)`` of a fluid that has filled the valleys between fibres, in voxels."""
    level = ndimage.gaussian_filter(ndimage.grey_closing(height, size=(11, 5)), (3.5, 2.5))
    thick = (level - height).clip(0, 2.2 * mean) + 0.45 * mean
    load = (1 + 0.22 * noise(rng, 14)).clip(0.4, 1.7)
    # Strokes dry from their rims, to which ink is drawn.
    rim = 1 + 0.25 * np.exp(-ndimage.distance_transform_edt(strokes) / 4)
    thick = thick * load * rim
    thick *= mean / thick[label].mean()
    return thick.clip(0.3, 2.3 * mean)  # type: ignore[no-any-return]


def _lift(rng: np.random.Generator, plates: Plates) -> Floats:
    """Height ``(y, x)`` of the plates over the face, to which they lie tilted, with rims curled up, in voxels."""
    numbers, centres = plates.numbers, plates.centres
    tilt = rng.normal(0, 0.035, (plates.count, 2))
    lift = rng.normal(0, 0.22, plates.count)[numbers]
    lift = lift + tilt[numbers, 0] * (plates.y - centres[numbers, 0])
    lift = lift + tilt[numbers, 1] * (plates.x - centres[numbers, 1])
    curl = 0.35 * np.exp(-plates.to_crack / 2.5)
    return (lift + curl).clip(0, 1.0)  # type: ignore[no-any-return]
