"""Phantoms of papyrus made of strands: tubes of three kinds, laid one by one along the fibres of two crossed plies.

Thin strands, vascular bundles and open vessels wander, taper and swell in collapsed tissue, whose cells leave voids
along the fibres. Plies part in patches; thin cracks and sharp-edged holes go through the sheet, and mineral specks lie
in it. Neighbours lie in front and behind. The ink (`strands_ink`) is written on the face: its plates stand a little
proud of it, take on the relief of the papyrus under them and are as much brighter as is asked for, while the cracks
between them are darker. The scan saturates, blurs and adds noise. All of it was written from the published statistics
alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from independent.strands_ink import SIDE, Doubles, Floats, Ink, Mask, lay_ink, line_noise, plane_noise, stack_noise
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.special import erf

LARGEST: float = 30.0  # grey values of 8 bits
GREYS: dict[str, float] = {"strong": 25.0, "medium": 12.0, "weak": 5.0}  # grey values of 8 bits

LAYERS = 65
MIDDLE = 32  # layer
FIRST, PLANES = -14, 29  # depth in voxels of a sheet's first plane, and number of planes; the middle is at 0
DEPTH = (np.arange(PLANES) + FIRST)[:, None, None].astype(np.float32)  # voxels
FACE, BACK = -7.1, 7.1  # mean depth in voxels
EDGE = 0.55  # voxels, softness of a sheet's faces
FIBRES, NEIGHBOUR_FIBRES = 430, 300  # in each ply
NEIGHBOUR_DENSITY = 0.62  # over that of the sheet
ALONG_X, ALONG_Y = (0.35, 1.0), (1.0, 0.35)  # factors of wavelengths along y and x

AIR, RANGE = 13.0, 214.0  # grey values of 8 bits: of air, and from air to saturation
SATURATION = 0.80  # density at which 63 % of the range are reached
BLUR = 0.95  # voxels
NOISE, NOISE_BLUR = 2.6, 0.45  # grey values of 8 bits; voxels
HAZE = 0.8  # grey values of 8 bits, of white noise that is then smoothed along the depth

INK_STREAM = 50000  # added to a seed, so that ink changes nothing else
WRITTEN_LAYERS = (15, 40)  # layers about the face, in which the contrast is measured
TRIAL = 90  # grey values per density of ink, at a guess
RISE = 0.017  # voxels that plates of 2 voxels stand proud of the face, per grey value
MOST_RISE = 0.8  # voxels
RELIEF = 0.004  # share of the relief below that ink evens out, per grey value


@dataclass(frozen=True)
class Kind:
    """Kind of tube: its share of all, and ranges of its radii in voxels and of its density."""

    share: float
    across: tuple[float, float]
    deep: tuple[float, float]
    density: tuple[float, float]


STRAND = Kind(0.62, (1.7, 4.2), (1.1, 1.9), (0.5, 1.15))
BUNDLE = Kind(0.22, (4, 8.5), (1.7, 3.0), (0.8, 1.9))
VESSEL = Kind(0.16, (3.5, 7), (1.6, 2.6), (0.7, 1.5))
KINDS = (STRAND, BUNDLE, VESSEL)


@dataclass(frozen=True)
class Fissures:
    """Kind of crack: factors of its wavelengths along y and x, mean depths of its ends, and how often it is shut."""

    squeeze: tuple[float, float]
    ends: tuple[float, float]  # voxels
    shut: float  # standard deviations


# Those along and across the fibres of each ply, and two kinds through the sheet.
FISSURES = (
    Fissures((0.18, 1), (-9, 1), 0.75),
    Fissures((1, 0.18), (-1, 9), 0.75),
    Fissures((1, 0.6), (-9, 9), 1.0),
    Fissures((0.6, 1), (-9, 9), 1.0),
)


@dataclass(frozen=True)
class Holes:
    """Kind of hole: its share of all, its ends, which axis it is long along, and whether the face lacks it."""

    share: float
    ends: tuple[float, float]  # depths in voxels
    is_along_y: bool
    is_in_face: bool


HOLES = (
    Holes(0.35, (-20, 0), False, True),
    Holes(0.40, (0, 20), True, False),
    Holes(0.25, (-20, 20), False, True),
)


@dataclass(frozen=True, eq=False)
class Tube:
    """A tube along x: its columns, and in each of them its middle, radii, density, and how open a vessel is.

    Planes and rows count from 0; lengths are in voxels.
    """

    columns: npt.NDArray[np.intp]
    row: Doubles
    plane: Doubles
    across: Doubles
    deep: Doubles
    density: Doubles
    openness: Doubles | None  # None unless it is a vessel


@dataclass(frozen=True, eq=False)
class Sheet:
    """A sheet in a frame of its own: planes of density, depths of face and back in voxels, and holes in its face."""

    density: Floats
    face: Floats
    back: Floats
    hole: Mask

    def cut_at(self, face: Floats) -> Floats:
        """Density ``(plane, y, x)`` between a face and the back."""
        return np.asarray(self.density * _share(DEPTH - face) * _share(self.back - DEPTH))


@dataclass(frozen=True, eq=False)
class Scene:
    """What is scanned: a sheet, the layer ``(y, x)`` of its middle, and density ``(z, y, x)`` of its neighbours."""

    sheet: Sheet
    middle: Floats
    neighbours: Floats

    def scan(self, density: Floats, first: int = 0, stop: int = LAYERS) -> Floats:
        """Greys ``(z, y, x)`` of some layers, without noise, with the sheet of the density given."""
        scanned = np.maximum(_placed(density, self.middle, first, stop), self.neighbours[first:stop])
        scanned = gaussian_filter(scanned, BLUR)
        return np.asarray(AIR + RANGE * (1 - np.exp(-scanned / SATURATION)))


@dataclass(frozen=True, eq=False)
class WrittenSheet:
    """A sheet with ink of any density.

    Attributes
    ----------
    raised
        Density ``(plane, y, x)`` without ink, to a face that plates have raised.
    plates, cracks
        Share ``(plane, y, x)`` of each voxel that is plate or crack.
    load
        How much ink a plate holds ``(y, x)``, about 1.
    relief
        Density ``(plane, y, x)`` that softens the relief under the plates.
    deepest
        Density ``(plane, y, x)`` that a crack can take away.
    """

    raised: Floats
    plates: Floats
    cracks: Floats
    load: Floats
    relief: Floats
    deepest: Floats

    @classmethod
    def of(cls, sheet: Sheet, ink: Ink, contrast: float) -> WrittenSheet:
        """Sheet whose plates stand the prouder, the stronger their contrast is to be."""
        rise = np.clip(RISE * contrast * ink.plates * ink.load * ink.thickness / 2, 0, MOST_RISE)
        face: Floats = np.asarray(sheet.face - rise, dtype=np.float32)
        below = DEPTH - face
        within = _share(below) * _share(ink.thickness - below)
        # Ink fills cell voids a little.
        relief = RELIEF * contrast * (gaussian_filter(sheet.density, (1, 2, 2)) - sheet.density)
        return cls(sheet.cut_at(face), within * ink.plates, within * ink.cracks, ink.load, relief, 0.65 * sheet.density)

    def with_ink(self, density: float) -> Floats:
        """Density ``(plane, y, x)`` of the sheet with ink of the density given."""
        inked = self.raised + self.plates * (self.load * density + self.relief)
        return np.asarray(np.maximum(inked - self.cracks * np.minimum(1.7 * density, self.deepest), 0))


def phantom(seed: int, contrast: float | None) -> tuple[npt.NDArray[np.unsignedinteger], npt.NDArray[np.bool_]]:
    """Return a volume ``(z, y, x)`` and its true ink ``(y, x)``; no ink if the contrast is None, nor at 0."""
    rng = np.random.default_rng(seed)
    sheet, neighbour = _sheet(rng, FIBRES), _sheet(rng, NEIGHBOUR_FIBRES)
    middle = MIDDLE + 1.35 * plane_noise(rng, (30, 260), 3.2) + 0.75 * plane_noise(rng, (8, 60), 2.6)
    scene = Scene(sheet, middle, _neighbours(rng, neighbour.cut_at(neighbour.face), middle))
    if contrast:
        ink = lay_ink(np.random.default_rng(seed + INK_STREAM), seed % 3 == 2, sheet.hole)
        written = WrittenSheet.of(sheet, ink, contrast)
        greys = scene.scan(written.with_ink(_fitted_density(scene, written, ink, contrast)))
        strokes = ink.strokes
    else:
        greys, strokes = scene.scan(sheet.cut_at(sheet.face)), np.zeros((SIDE, SIDE), bool)
    return np.clip(np.round(_with_noise(rng, greys)), 0, 255).astype(np.uint8), strokes


def _fitted_density(scene: Scene, written: WrittenSheet, ink: Ink, contrast: float) -> float:
    """Density of ink at which plates are brighter than bare papyrus by the contrast, in the mean."""
    face = scene.sheet.face
    bare = scene.scan(scene.sheet.cut_at(face), *WRITTEN_LAYERS)
    below = np.arange(*WRITTEN_LAYERS)[:, None, None] - scene.middle - face
    measured = (below > -0.5) & (below < ink.thickness) & (ink.plates > 0.9) & (ink.to_crack > 2.5)

    def brighter(density: float) -> float:
        """Grey values by which plates are brighter than papyrus."""
        return float((scene.scan(written.with_ink(density), *WRITTEN_LAYERS) - bare)[measured].mean())

    # Raised plates are brighter without any ink in them; the rest grows nearly in proportion to the density.
    by_relief, trial = brighter(0.0), contrast / TRIAL
    return max(trial * (contrast - by_relief) / (brighter(trial) - by_relief), 0.0)


def _with_noise(rng: np.random.Generator, greys: Floats) -> Doubles:
    """Greys with noise of the detector, and with haze that is the same all over a layer."""
    noise = gaussian_filter(rng.standard_normal(greys.shape, dtype=np.float32), NOISE_BLUR)
    noise *= NOISE / noise.std()
    haze = gaussian_filter1d(rng.standard_normal(LAYERS), 3) * HAZE
    return np.asarray(greys + noise + haze[:, None, None])


def _neighbours(rng: np.random.Generator, sheet: Floats, middle: Floats) -> Floats:
    """Density ``(z, y, x)`` of two sheets in front and two behind, all of them the same one turned and shifted."""
    # Bounded, so that neighbours do not reach far into the sheet.
    front = middle - 25 + np.minimum(3.5 * plane_noise(rng, (40, 300), 3.2), 5.5)
    back = middle + 20.5 + np.maximum(3.2 * plane_noise(rng, (40, 300), 3.2), -5.5)
    front_share = np.clip(1.6 * plane_noise(rng, (20, 300), 3) + 0.55, 0, 1)
    back_share = np.clip(1.6 * plane_noise(rng, (20, 300), 3) + 0.7, 0, 1)
    placed = _placed(sheet[::-1, ::-1], front) * front_share * NEIGHBOUR_DENSITY
    for density in (
        _placed(np.roll(sheet[:, :, ::-1], 190, 1), back) * back_share * NEIGHBOUR_DENSITY,
        _placed(np.roll(sheet, 100, 2), back + 20) * NEIGHBOUR_DENSITY,
        _placed(np.roll(sheet, 260, 1), front - 19) * NEIGHBOUR_DENSITY,
    ):
        placed = np.maximum(placed, density)
    return np.asarray(placed)


def _placed(density: Floats, middle: Floats, first: int = 0, stop: int = LAYERS) -> Floats:
    """Density ``(z, y, x)`` of a sheet ``(plane, y, x)`` whose middle lies at the layer ``(y, x)`` given."""
    plane = np.arange(first, stop, dtype=np.float32)[:, None, None] - middle - FIRST
    before = np.floor(plane).astype(np.int32)
    rest = (plane - before).astype(np.float32)
    # Catmull-Rom splines, as linear interpolation would blur by the fraction of a layer.
    weights = (
        -0.5 * rest + rest * rest - 0.5 * rest**3,
        1 - 2.5 * rest * rest + 1.5 * rest**3,
        0.5 * rest + 2 * rest * rest - 1.5 * rest**3,
        -0.5 * rest * rest + 0.5 * rest**3,
    )
    padded = np.pad(density, ((3, 3), (0, 0), (0, 0)))
    placed = np.zeros(plane.shape, np.float32)
    for number, weight in enumerate(weights):
        placed += weight * np.take_along_axis(padded, np.clip(before + number + 2, 0, PLANES + 5), 0)
    return np.maximum(placed, 0)


def _share(inside: Floats, softness: float = EDGE) -> Floats:
    """Share of a voxel within a soft edge that it lies so many voxels inside of."""
    return np.asarray(0.5 + 0.5 * erf(inside / softness))


def _sheet(rng: np.random.Generator, fibres: int) -> Sheet:
    """Random sheet whose fibres run along x in front and along y behind."""
    thickness = np.clip(1 + 0.10 * plane_noise(rng, (30, 400), 3), 0.7, 1.3)
    face = FACE * thickness + 0.55 * plane_noise(rng, (5, 60), 2.2, ALONG_X) + 0.5 * plane_noise(rng, (12, 200), 2.5)
    back = BACK * thickness + 0.6 * plane_noise(rng, (5, 60), 2.2, ALONG_Y) + 0.8 * plane_noise(rng, (12, 200), 2.5)
    meeting = 0.8 * plane_noise(rng, (20, 250), 3)
    density = _plies(rng, meeting, fibres)
    _part_plies(rng, density, meeting)
    for kind in FISSURES:
        _crack(rng, density, kind)
    hole = _pierce(rng, density)
    _add_specks(rng, density)
    return Sheet(density, face, back, hole)


def _plies(rng: np.random.Generator, meeting: Floats, fibres: int) -> Floats:
    """Density ``(plane, y, x)`` of tubes and tissue in two plies, which meet at a depth ``(y, x)``."""
    front, front_lumen = _tubes(rng, (-7.5, 0.8), fibres)
    back, back_lumen = (planes.transpose(0, 2, 1) for planes in _tubes(rng, (-0.8, 7.5), fibres))
    is_front = _share(meeting - DEPTH, 1.3)
    tissue = 0.47 * np.exp(0.36 * stack_noise(rng, PLANES, (4, 90), 2.2, 1.5) - 0.06)
    along_x = stack_noise(rng, PLANES, (2.2, 24), 1.2, 1.3, ALONG_X)
    along_y = stack_noise(rng, PLANES, (2.2, 24), 1.2, 1.3, ALONG_Y)
    cells = np.where(is_front > 0.5, along_x, along_y)
    tissue = tissue * np.clip(1 - 0.75 / (1 + np.exp(-(cells - 1.3) * 5)), 0, 1)
    tubes = np.maximum(front * is_front, back * (1 - is_front))
    lumen = np.maximum(front_lumen * is_front, back_lumen * (1 - is_front))
    density = np.sqrt(tissue**2 + tubes**2) * np.exp(0.42 * stack_noise(rng, PLANES, (7, 150), 2.7, 1.8))
    return np.asarray(density * (1 - 0.7 * lumen))


def _part_plies(rng: np.random.Generator, density: Floats, meeting: Floats) -> None:
    """Part the plies in patches, in place."""
    gap = np.clip(0.9 * plane_noise(rng, (14, 140), 2.6) - 0.35, 0, 2.2)
    density *= 1 - 0.6 * np.clip((gap - np.abs(DEPTH - meeting)) / 0.8 + 0.3, 0, 1) * (gap > 0)


def _crack(rng: np.random.Generator, density: Floats, kind: Fissures) -> None:
    """Crack the sheet along a contour of noise, wherever other noise opens it, in place."""
    noise = plane_noise(rng, (6, 110), 2.6, kind.squeeze)
    slope_y, slope_x = np.gradient(noise)
    distance = np.abs(noise - 0.25) / (np.hypot(slope_y, slope_x) + 1e-3)
    opening = np.clip(plane_noise(rng, (20, 160), 3) - kind.shut, 0, 1.3)
    crack = np.clip((opening * 2.2 - distance) / 0.8 + 0.5, 0, 1) * (opening > 0)
    top = kind.ends[0] + plane_noise(rng, (15, 120), 3)
    bottom = kind.ends[1] + 2 * plane_noise(rng, (15, 120), 3)
    density *= 1 - 0.65 * crack * ((top < DEPTH) & (bottom > DEPTH))


def _pierce(rng: np.random.Generator, density: Floats) -> Mask:
    """Holes ``(y, x)`` in the face, from among those that are cut into the sheet, in place."""
    in_face = np.zeros((SIDE, SIDE), bool)
    ys, xs = np.mgrid[:SIDE, :SIDE]
    ragged = 0.16 * plane_noise(rng, (2, 40), 2.4)
    for _ in range(rng.integers(3, 7)):
        y, x = rng.uniform(0, SIDE, 2)
        radius, stretch = np.exp(rng.uniform(np.log(5), np.log(30))), rng.uniform(1, 3.2)
        kind = HOLES[rng.choice(len(HOLES), p=[one.share for one in HOLES])]
        along_y, along_x = (stretch, 1) if kind.is_along_y else (1, stretch)
        distance = np.hypot((ys - y) / (radius * along_y), (xs - x) / (radius * along_x)) + ragged
        missing = np.clip((1 - distance) * radius / 1.5, 0, 1)
        density *= 1 - 0.93 * missing * ((kind.ends[0] <= DEPTH) & (kind.ends[1] >= DEPTH))
        if kind.is_in_face:
            in_face |= distance < 1
    return in_face


def _add_specks(rng: np.random.Generator, density: Floats) -> None:
    """Strew bright mineral specks of one to four voxels, in place."""
    for _ in range(rng.poisson(70)):
        plane, y, x = rng.integers(5, PLANES - 5), rng.integers(1, SIDE - 1), rng.integers(1, SIDE - 1)
        height, width = rng.integers(1, 3), rng.integers(1, 3)
        density[plane, y : y + height, x : x + width] += rng.uniform(1.5, 4)


def _tubes(rng: np.random.Generator, ends: tuple[float, float], count: int) -> tuple[Floats, Floats]:
    """Density and openness ``(plane, y, x)`` of tubes along x, whose middles lie between two depths."""
    density = np.zeros((PLANES, SIDE, SIDE), np.float32)
    lumen = np.zeros_like(density)
    tilt, drift = rng.normal(0, 0.04), line_noise(rng, SIDE, 110) * 5
    for _ in range(count):
        _add(_tube(rng, ends, tilt, drift), density, lumen)
    return density, lumen


def _tube(rng: np.random.Generator, ends: tuple[float, float], tilt: float, drift: Doubles) -> Tube:
    """Random tube in a ply that is tilted and drifts."""
    number = rng.choice(len(KINDS), p=[kind.share for kind in KINDS])
    length = int(np.clip(rng.lognormal(5.0, 0.7), 45, 900))
    start = int(rng.integers(-length + 20, SIDE - 20))
    columns = np.arange(max(start, 0), min(start + length, SIDE))
    along, count = (columns - start) / length, len(columns)
    taper = np.clip(np.minimum(along, 1 - along) * length / 14, 0, 1) ** 0.6
    # Drawn for every kind, of which one is taken: what a seed makes depends on the number of draws.
    width = [rng.uniform(*kind.across) for kind in KINDS][number]
    height = [rng.uniform(*kind.deep) for kind in KINDS][number]
    across = width * (1 + 0.13 * line_noise(rng, count, 18)) * (0.3 + 0.7 * taper)
    deep = height * (1 + 0.1 * line_noise(rng, count, 18)) * (0.5 + 0.5 * taper)
    crossing, slope = rng.uniform(-25, SIDE + 25), tilt + rng.normal(0, 0.022)
    row = crossing + slope * (columns - SIDE / 2) + drift[columns] + 1.5 * line_noise(rng, count, 30)
    plane = rng.uniform(ends[0] + 0.8, ends[1] - 0.8) - FIRST + 0.8 * line_noise(rng, count, 40)
    density = [rng.uniform(*kind.density) for kind in KINDS][number]
    knots = 1 + 0.26 * line_noise(rng, count, 12) + 0.12 * line_noise(rng, count, 3.5)
    return Tube(
        columns,
        row,
        plane,
        np.maximum(across, 0.8),
        np.maximum(deep, 0.7),
        density * np.clip(knots, 0.15, 2),
        np.clip(0.75 + 0.5 * line_noise(rng, count, 25), 0, 1) if KINDS[number] is VESSEL else None,
    )


def _add(tube: Tube, density: Floats, lumen: Floats) -> None:
    """Add a tube to density and openness ``(plane, y, x)``, in place; where tubes meet, the larger value stays."""
    reach_y, reach_z = (int(np.ceil(radius.max() + 2)) for radius in (tube.across, tube.deep))
    rows = np.round(tube.row).astype(int) + np.arange(-reach_y, reach_y + 1)[None, :, None]
    planes = np.round(tube.plane).astype(int) + np.arange(-reach_z, reach_z + 1)[:, None, None]
    planes, rows, columns = np.broadcast_arrays(planes, rows, tube.columns)
    there = (rows >= 0) & (rows < SIDE) & (planes >= 0) & (planes < PLANES)
    voxels = (planes[there], rows[there], columns[there])
    radius = np.sqrt(((rows - tube.row) / tube.across) ** 2 + ((planes - tube.plane) / tube.deep) ** 2)
    solid = tube.density / (1 + np.exp(np.clip((radius - 1) * 6, -30, 30)))
    density[voxels] = np.maximum(density[voxels], solid[there])
    if tube.openness is not None:
        hollow = np.clip((0.72 - radius) * 5, 0, 1) * tube.openness
        lumen[voxels] = np.maximum(lumen[voxels], hollow[there])
