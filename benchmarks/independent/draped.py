"""Phantoms whose fibres are dropped one after another, and drape over what lies below.

A sheet is two plies at right angles, which part in blisters. A ply grows fibre by fibre: each is flat, some are hollow
or end within the volume, and each sinks into those below and is painted between its upper and its lower side. Pith
fills the room between them. Fibres are torn off where a field of noise is high and where the sheet has snapped. Ink
follows the face (see `draped_ink`); bits of fibres lie on it, and broken sheets above and below. The scan blurs, adds
haze, rings and noise, and saturates.

It was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from independent.draped_ink import COLUMNS, ROWS, SIDE, Floats, Indices, Ink, Masks, lay_ink, noise, noise_along
from scipy import ndimage

LARGEST = 24.0  # contrast to train with, grey values of 8 bits
GREYS = {"strong": 20.0, "medium": 10.0, "weak": 0.0}  # grey values of 8 bits; ink of 0 is only raised and cracked

LAYERS = 65
PAD = 24  # layers above and below the volume, where sheets may lie as well
DEPTH = LAYERS + 2 * PAD  # layers
BLUR_MARGIN = 6  # layers above and below the volume that are blurred into it
MIDDLE = 32  # layer
AIR = 22.0  # grey value of 8 bits
GAIN = 110.0  # grey values of 8 bits per unit of density
SCALES = (1.0, 1.14, 0.90, 1.3, 1.0)  # size of papyrus in voxels, over the usual size
BEYOND = 50  # pixels outside the volume, where fibres that cross it end
MOST_FIBRES = 900  # of a ply


@dataclass(frozen=True)
class Quality:
    """How a sheet is preserved."""

    ply: float  # height of a ply in voxels, at a scale of 1
    density: float
    tearing: float  # standard deviations of noise above which fibres are torn


READ = Quality(ply=5.8, density=1.0, tearing=2.05)
NEIGHBOUR = Quality(ply=4.2, density=0.72, tearing=1.05)


class Painter:
    """Densities that are painted between depths, of which only the steps from layer to layer are stored."""

    def __init__(self) -> None:
        self._steps = np.zeros((DEPTH + 2, SIDE, SIDE), np.float32)

    def paint(
        self, top: Floats, bottom: Floats, y: Indices, x: Indices, density: Floats, *, is_turned: bool = False
    ) -> None:
        """Density is added between two depths in layers at pixels, whose y and x are swapped if turned."""
        self._step(top, y, x, density, is_turned)
        self._step(bottom, y, x, -density, is_turned)

    def _step(self, depth: Floats, y: Indices, x: Indices, density: Floats, is_turned: bool) -> None:
        """Density is added from a depth on, which is shared by two layers if it lies within one."""
        steps = self._steps.transpose(0, 2, 1) if is_turned else self._steps
        depth = np.clip(depth + PAD, 0, DEPTH - 0.01)
        layer = np.floor(depth).astype(np.intp)
        share = depth - layer
        steps[layer, y, x] += density * (1 - share)
        steps[layer + 1, y, x] += density * share

    def volume(self) -> Floats:
        """Density ``(z, y, x)`` of what was painted so far, padded."""
        return np.cumsum(self._steps, 0)[:DEPTH]


@dataclass(frozen=True)
class Bed:
    """Sheet on which fibres fall, and which grows by them: arrays ``(y, x)``, with fibres along x."""

    painter: Painter
    ground: Floats  # layer where the height is 0
    height: Floats  # voxels over the ground
    torn: Masks  # where the uppermost fibre is missing
    tearing: Floats  # above 0 where fibres are missing, but for noise of each
    scale: float  # of `SCALES`
    is_turned: bool = False

    def turned(self) -> Bed:
        """Bed of the same memory, with y and x swapped."""
        return replace(
            self,
            ground=self.ground.T,
            height=self.height.T,
            torn=self.torn.T,
            tearing=self.tearing.T,
            is_turned=not self.is_turned,
        )


@dataclass(frozen=True)
class Fibre:
    """A fibre to drop: lengths in voxels, angles in radians."""

    y: float  # in the middle of the volume
    angle: float
    half_width: float
    half_height: float
    density: float
    start: float = -BEYOND  # x
    end: float = SIDE + BEYOND  # x
    hollowness: float = 0.0  # share of the density that its core lacks
    meander: float = 2.0


@dataclass(frozen=True)
class Draped:
    """A fibre on its bed: arrays of the pixels that it covers, lengths in voxels."""

    y: Indices
    x: Indices
    across: Floats  # place across the fibre, from -1 to 1
    top: Floats  # height over the ground
    bottom: Floats
    middle: Floats
    half_height: Floats


def phantom(seed: int, contrast: float | None) -> tuple[npt.NDArray[np.unsignedinteger], npt.NDArray[np.bool_]]:
    """Return a volume ``(z, y, x)`` and its true ink ``(y, x)``; no ink if the contrast is None."""
    rng = np.random.default_rng(seed)
    scale = SCALES[seed % len(SCALES)] * rng.uniform(0.97, 1.03)
    middle = _relief(rng)
    painter = Painter()
    sheet = _make_sheet(rng, painter, middle, scale, READ)
    ink = None if contrast is None else _lay_ink(rng, sheet, contrast)
    _scatter_debris(rng, sheet, ink)
    _add_neighbours(rng, sheet, middle)
    density = painter.volume()
    # Fibres that were painted over each other share their room.
    density = np.where(density > 0.9, 0.9 + 0.75 * np.tanh((density - 0.9) / 0.75), density).clip(0, None)
    if ink is not None:
        density += _painted(ink)
    _add_grains(rng, density)
    volume = _scanned(rng, density, middle)
    return volume, np.zeros((SIDE, SIDE), bool) if ink is None else ink.label


def _relief(rng: np.random.Generator) -> Floats:
    """Layer ``(y, x)`` of the middle of the sheet, which wanders as far as the segmentation misses it."""
    wander = 1.75 * noise(rng, 30, 75) + 1.2 * noise(rng, 14, 28) + _facets(rng, 46, 1.1)
    # Creases that the segmentation only half follows.
    for _ in range(rng.integers(1, 3)):
        distance = _from_line(rng, 200) + 10 * noise(rng, 50)
        depth = rng.choice([-1, 1]) * rng.uniform(1.2, 2.6)
        wander += depth * np.exp(-np.abs(distance) / rng.uniform(7, 18))
    # A fault: a step of the sheet.
    if rng.random() < 0.5:
        distance = _from_line(rng, 150) + 14 * noise(rng, 40)
        wander += rng.uniform(-1.1, 1.1) * np.tanh(distance / 2.5)
    wander = wander.clip(-4.5, 4.5)
    return MIDDLE + rng.uniform(-3, 3) + wander


def _facets(rng: np.random.Generator, step: int, strength: float) -> Floats:
    """Field ``(y, x)`` that is linear between knots so many pixels apart, as a coarse mesh of a segmentation is."""
    count = SIDE // step + 3
    knots = rng.standard_normal((count, count)) * strength
    places = [ROWS / step + rng.random(), COLUMNS / step + rng.random()]
    return ndimage.map_coordinates(knots, places, order=1).astype(np.float32)  # type: ignore[no-any-return]


def _from_line(rng: np.random.Generator, reach: float) -> Floats:
    """Signed distance ``(y, x)`` from a line that passes the centre within a reach, in pixels."""
    angle, offset = rng.uniform(0, np.pi), rng.uniform(-reach, reach)
    return (COLUMNS - SIDE / 2) * np.cos(angle) + (ROWS - SIDE / 2) * np.sin(angle) - offset  # type: ignore[no-any-return]


def _make_sheet(rng: np.random.Generator, painter: Painter, middle: Floats, scale: float, quality: Quality) -> Bed:
    """Sheet of two plies at right angles around a middle in layers, as the bed that its upper ply leaves."""
    tearing_of_upper, tearing_of_lower = _tearing(rng, quality.tearing)
    # Plies part in blisters like lenses.
    gap = 2.6 * scale * (noise(rng, 34, 50) - 0.55).clip(0, 1.6)
    crush = np.exp(0.10 * noise(rng, 45))
    height = np.zeros((SIDE, SIDE), np.float32)
    torn = np.zeros((SIDE, SIDE), bool)
    ply = quality.ply * scale
    lower = Bed(painter, middle + ply + gap * 0.5, height, torn, tearing_of_lower, scale)
    upper = Bed(painter, middle + ply - gap * 0.5, height, torn, tearing_of_upper, scale)
    _lay_ply(rng, lower.turned(), ply, quality.density)
    # The plies were pressed together, which flattened the lower one.
    height[:] = 0.55 * height + 0.45 * ndimage.gaussian_filter(height, 10) * crush
    _lay_ply(rng, upper, ply, quality.density)
    return upper


def _tearing(rng: np.random.Generator, threshold: float) -> list[Floats]:
    """Fields ``(y, x)`` that are above 0 where fibres are torn, of the upper ply and of the lower."""
    shared = 0.8 * noise(rng, 30) + 0.35 * noise(rng, 8)
    own = [noise(rng, 9, 30), noise(rng, 30, 9)]
    fields: list[Floats] = [(0.80 * shared + 0.6 * field) - threshold for field in own]
    # The brittle sheet has snapped.
    for _ in range(rng.integers(0, 3)):
        distance = _from_line(rng, 180) + 9 * noise(rng, 30) + 2 * noise(rng, 4)
        width = (rng.uniform(1.0, 2.6) * (1 + 0.9 * noise(rng, 45))).clip(0, 6)
        for field in fields:
            field[np.abs(distance) < width] = 2
    return fields


def _lay_ply(rng: np.random.Generator, bed: Bed, thickness: float, density: float) -> None:
    """Fibres fall on a bed until it is thicker by so many voxels, and pith fills the room between them."""
    base = bed.height.copy()
    angle = np.deg2rad(rng.normal(0, 2.2))
    # The density drifts across the fibres, and steps where two strips of pith meet.
    strips = 0.10 * noise_along(rng, 40) + 0.12 * np.sign(np.arange(SIDE) - rng.uniform(-200, 700))
    for _ in range(MOST_FIBRES):
        profile = (bed.height - base).mean(1)
        if profile.mean() > thickness:
            break
        # Fibres fall where the ply is thin, or it would grow unevenly.
        candidates = rng.uniform(0, SIDE, 4)
        y = float(candidates[np.argmin(profile[candidates.astype(int)])])
        _drop(rng, bed, _drawn_fibre(rng, y, angle, float(strips[int(y)]), density, bed.scale))
    _fill_with_pith(rng, bed, base, density)


def _drawn_fibre(
    rng: np.random.Generator, y: float, angle: float, denser_by: float, density: float, scale: float
) -> Fibre:
    """Fibre at y, which may be a thick bundle, be hollow, or end within the volume."""
    if rng.random() < 0.13:
        half_width, half_height = rng.uniform(5, 8.5), rng.uniform(1.9, 2.7)
        own_density, hollowness = rng.normal(1.08, 0.15), 0.55 * (rng.random() < 0.5)
    else:
        half_width = float(np.clip(rng.lognormal(1.22, 0.42), 1.5, 7.5))
        half_height = float(np.clip(0.40 * half_width, 0.8, 1.9))
        own_density, hollowness = rng.normal(0.82, 0.2), 0.75 * (rng.random() < 0.35)
    start, end = float(-BEYOND), float(SIDE + BEYOND)
    if rng.random() < 0.3:
        cut = rng.uniform(0, SIDE)
        start, end = (cut, end) if rng.random() < 0.5 else (start, cut)
    return Fibre(
        y=y,
        angle=angle + np.deg2rad(rng.normal(0, 0.9)),
        half_width=half_width * scale,
        half_height=half_height * scale,
        density=max(0.3, own_density + denser_by) * density,
        start=start,
        end=end,
        hollowness=hollowness,
    )


def _fill_with_pith(rng: np.random.Generator, bed: Bed, base: Floats, density: float) -> None:
    """Three weak and patchy layers of crushed pith fill a ply from its base to its height, where it is not torn."""
    y, x = np.indices((SIDE, SIDE))
    is_whole = bed.tearing < 0.15
    for number in range(3):
        pith = (0.14 + 0.15 * noise(rng, 4, 14) + 0.10 * noise(rng, 2)).clip(0, 0.55) * density * is_whole
        bottom = base + (bed.height - base) * number / 3
        top = base + (bed.height - base) * (number + 1) / 3
        bed.painter.paint(bed.ground - top, bed.ground - bottom, y, x, pith, is_turned=bed.is_turned)


def _drop(rng: np.random.Generator, bed: Bed, fibre: Fibre) -> None:
    """Fibre that falls on a bed, raises it, and is painted where it is not torn."""
    draped = _drape(rng, bed, fibre)
    if draped is None:
        return
    y, x = draped.y, draped.x
    resistance = 0.45 * rng.standard_normal() + 0.12 * noise_along(rng, 10)
    is_gone = bed.tearing[y, x] + resistance[x] > 0
    density = (fibre.density * (1 + 0.13 * noise_along(rng, 18))).clip(0.1, 1.9)[x] * ~is_gone
    ground = bed.ground[y, x]
    bed.painter.paint(ground - draped.top, ground - draped.bottom, y, x, density, is_turned=bed.is_turned)
    if fibre.hollowness > 0:
        rise = 0.55 * draped.half_height * np.sqrt(np.clip(1 - (draped.across / 0.6) ** 2, 0, 1))
        top = np.minimum(draped.middle + rise, draped.top)
        bottom = np.maximum(draped.middle - rise, draped.bottom)
        lacking = -density * fibre.hollowness * (top > bottom)
        bed.painter.paint(ground - top, ground - bottom, y, x, lacking, is_turned=bed.is_turned)
    is_upmost = draped.top > bed.height[y, x]
    bed.torn[y[is_upmost], x[is_upmost]] = is_gone[is_upmost]
    bed.height[y, x] = np.maximum(bed.height[y, x], draped.top)


def _drape(rng: np.random.Generator, bed: Bed, fibre: Fibre) -> Draped | None:
    """Shape of a fibre that has sunk into a bed, or None if it covers next to nothing."""
    along = np.arange(SIDE)
    course = fibre.y + np.tan(fibre.angle) * (along - SIDE / 2)
    course = course + fibre.meander * noise_along(rng, 60) + 0.5 * noise_along(rng, 12)
    half_width = fibre.half_width * (1 + 0.14 * noise_along(rng, 25)).clip(0.5, 1.6)
    half_height = fibre.half_height * (1 + 0.16 * noise_along(rng, 30)).clip(0.5, 1.6)
    # Ends are splintered.
    taper = np.sqrt(np.clip(np.minimum(along - fibre.start, fibre.end - along) / 12.0, 0, 1))
    half_width, half_height = half_width * taper, half_height * taper
    reach = int(np.ceil(half_width.max())) + 1
    y = np.floor(course).astype(int)[None] + np.arange(-reach, reach + 1)[:, None]
    x = np.broadcast_to(along, y.shape)
    across = (y - course) / np.maximum(half_width, 0.3)
    is_covered = (np.abs(across) < 1) & (y >= 0) & (y < SIDE) & (half_width > 0.6)
    if is_covered.sum() < 30:
        return None
    below = bed.height[y.clip(0, SIDE - 1), x]
    middle = _support(below, is_covered, 7 * bed.scale) + 0.75 * half_height
    rise = half_height * np.sqrt(np.clip(1 - across * across, 0, 1))
    top = middle + rise
    bottom = np.maximum(middle - rise, below - 0.4)
    is_covered &= top > bottom
    y, x = y[is_covered], x[is_covered]
    return Draped(y, x, across[is_covered], top[is_covered], bottom[is_covered], middle[x], half_height[x])


def _support(below: Floats, is_covered: Masks, stiffness: float) -> Floats:
    """Height ``(x,)`` of what lies below a fibre, smoothed along it over so many voxels."""
    # Where it runs out of the volume, nothing is known of what lies below.
    count = is_covered.sum(0)
    mean = np.where(is_covered, below, 0).sum(0) / np.maximum(count, 1)
    weight = (count > 0) * 1.0
    smooth = ndimage.gaussian_filter1d(mean * weight, stiffness)
    return smooth / (ndimage.gaussian_filter1d(weight, stiffness) + 1e-6)  # type: ignore[no-any-return]


def _lay_ink(rng: np.random.Generator, sheet: Bed, contrast: float) -> Ink:
    """Ink on a sheet, as dense as the papyrus just below it but for a contrast in grey values of 8 bits."""
    thickness = float(np.interp(contrast, [0.0, 10.0, 20.0], [1.5, 2.0, 3.0]))
    face = sheet.ground - sheet.height
    return lay_ink(rng, face, sheet.height, sheet.torn, _below_face(sheet, face) + contrast / GAIN, thickness)


def _below_face(sheet: Bed, face: Floats) -> Floats:
    """Density ``(y, x)`` of the papyrus that is not torn, just below a face in layers and nearby."""
    volume = sheet.painter.volume()
    y, x = np.indices((SIDE, SIDE))
    density = np.zeros((SIDE, SIDE))
    # The voxel of the face itself is partly air.
    for depth in (1.5, 2.5, 3.5):
        layer = np.clip(np.floor(face + depth + PAD).astype(int), 0, DEPTH - 1)
        density += volume[layer, y, x] / 3
    weight = (~sheet.torn).astype(float)
    nearby = ndimage.gaussian_filter(density * weight, 7)
    return nearby / (ndimage.gaussian_filter(weight, 7) + 1e-3)  # type: ignore[no-any-return]


def _painted(ink: Ink) -> Floats:
    """Density ``(z, y, x)`` of ink, padded."""
    painter = Painter()
    y, x = np.nonzero(ink.solid)
    painter.paint(ink.top[y, x], ink.bottom[y, x], y, x, ink.density[y, x].astype(np.float32))
    return painter.volume()


def _scatter_debris(rng: np.random.Generator, sheet: Bed, ink: Ink | None) -> None:
    """Bits of fibres fall on a sheet and its ink, which stay as they are."""
    height = sheet.height.copy()
    if ink is not None:
        height[ink.label] += ink.thickness
    bed = replace(sheet, height=height, torn=np.zeros((SIDE, SIDE), bool))
    for _ in range(rng.integers(5, 12)):
        is_turned = rng.random() < 0.5
        start, length = rng.uniform(0, SIDE), rng.uniform(40, 160)
        bit = Fibre(
            y=rng.uniform(0, SIDE),
            angle=rng.normal(0, 0.35),
            half_width=rng.uniform(1.5, 3.5) * sheet.scale,
            half_height=rng.uniform(0.8, 1.4) * sheet.scale,
            density=rng.uniform(0.5, 1.0),
            start=start,
            end=start + length,
            meander=5.0,
        )
        _drop(rng, bed.turned() if is_turned else bed, bit)


def _add_neighbours(rng: np.random.Generator, sheet: Bed, middle: Floats) -> None:
    """Broken sheets above and below a sheet, on which they press in places, are painted."""
    scale = sheet.scale
    thickness = sheet.height.mean()
    for side, room in ((-1, 12.0), (1, 10.0)):
        gap = (room * scale + 6.5 * noise(rng, 50) + 1.5 * noise(rng, 15)).clip(0.6, None)
        _make_sheet(rng, sheet.painter, middle + side * (thickness + 2.0 * scale + gap), scale, NEIGHBOUR)


def _add_grains(rng: np.random.Generator, density: Floats) -> None:
    """Grains of minerals of one voxel are added to a density ``(z, y, x)``, within papyrus and ink."""
    count = rng.poisson(5500)
    z, y, x = rng.integers(0, DEPTH, count), rng.integers(0, SIDE, count), rng.integers(0, SIDE, count)
    is_inside = density[z, y, x] > 0.35
    grains = rng.lognormal(2.75, 0.5, is_inside.sum())
    np.add.at(density, (z[is_inside], y[is_inside], x[is_inside]), grains)


def _scanned(rng: np.random.Generator, density: Floats, middle: Floats) -> npt.NDArray[np.uint16]:
    """Volume ``(z, y, x)`` of a scan of a padded density, around a sheet whose middle is given in layers."""
    blurred = _blurred(density)
    cupping = 1 + 0.07 * noise(rng, 90)
    grey = AIR + GAIN * cupping[None] * blurred
    # Dense columns harden the beam, which darkens what lies around them.
    column = ndimage.gaussian_filter(blurred.mean(0), 20)
    grey *= (1 - 0.35 * (column - column.mean()))[None]
    _add_rings(rng, grey, middle)
    grain = ndimage.gaussian_filter(rng.standard_normal(grey.shape).astype(np.float32), 0.55)
    grey += grain / grain.std() * 3.0 * np.sqrt(0.5 + 0.5 * grey.clip(0, None) / 100)
    # A window of grey values ends softly at its top.
    grey = np.where(grey > 200, 200 + 55 * np.tanh((grey - 200) / 70), grey)
    return np.clip(np.rint(grey * 257), 0, 65535).astype(np.uint16)


def _blurred(density: Floats) -> Floats:
    """Density ``(z, y, x)`` with the blur of a scan, the halos that it leaves at rims, and haze of the sheets."""
    near = density[PAD - BLUR_MARGIN : PAD + LAYERS + BLUR_MARGIN]
    sharp = ndimage.gaussian_filter(near, (1.05, 1.1, 1.1))
    wide = ndimage.gaussian_filter(sharp, (2.2, 2.4, 2.4))
    haze = ndimage.gaussian_filter(sharp, (7, 14, 14))
    blurred = sharp + 0.10 * (sharp - wide) + 0.25 * haze
    return blurred[BLUR_MARGIN:-BLUR_MARGIN]  # type: ignore[no-any-return]


def _add_rings(rng: np.random.Generator, grey: Floats, middle: Floats) -> None:
    """Rings of faulty detector cells, which differ by rows and bend as the sheet was flattened, are added to greys."""
    faults = ndimage.gaussian_filter(rng.standard_normal((SIDE, 400)), (5, 0.8))
    faults /= faults.std()
    # Few cells are very faulty.
    faults = np.where(np.abs(faults) > 1.4, faults, 0.25 * faults)
    radius = 150 - 1.5 * (middle - MIDDLE) + 28 * np.sin(COLUMNS / 260 + rng.uniform(0, 6)) + 0.03 * COLUMNS
    for z, layer in enumerate(grey):
        layer += 1.3 * ndimage.map_coordinates(faults, [ROWS, radius + z], order=1)
