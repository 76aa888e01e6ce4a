"""A phantom of carbonised papyrus whose fibres are combed along a director field, with ink as a wrinkled skin on it.

A director field says at each place where the fibres run: nearly straight, a little wavy, and around knots, where they
close to rings and part before and behind. Sparse bright seeds are smeared along it (line-integral convolution) at three
widths, which makes a film of fibres. A sheet is a stack of six such films in two plies at about a right angle. Its two
faces wander, and rise where the bundles of their ply are thick; the films in between follow. Parts of two neighbouring
sheets lie before and behind it. A scanner blurs and adds noise.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

import numpy as np
from independent.combed_ink import Skin, lay_skin
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float32]

GREYS: dict[str, float] = {"strong": 22.0, "medium": 11.0, "weak": 3.0}  # how much brighter ink is, in 8-bit greys
LARGEST: float = 26.0  # the largest contrast that anybody should ask for, in 8-bit greys

_LAYERS, _SIDE = 65, 512  # layers, and pixels of a side
_FACE, _BACK = 25.9, 38.3  # where the faces of the sheet lie on average, in layers
_ABOVE, _BELOW = -0.5, 51.5  # where the back of the sheet above and the face of the sheet below lie, in layers
_WANDER, _WANDER_SIZE = 2.5, 32.0  # how far the sheet wanders (sd, layers), and how smoothly (sigma, px)
_LOOSE, _LOOSE_SIZE = 3.5, 40.0  # the same of the neighbouring sheets
_RELIEF = 0.75  # how far bundles raise a face (sd, layers)
_TILT, _WAVES, _WAVES_SIZE = 0.12, 0.09, 45.0  # how far fibres lie off the axes and waver (sd, rad; sigma, px)
_KNOTS, _KNOT_SIZE = 2.0, (9.0, 20.0)  # knots of a ply (mean), and how far before them fibres part (px)
_FILMS = 3  # films of a ply
# Of each width of fibres: sigma across (px), doublings of the length (2**n px each way), seeds per px, share (sd).
_WIDTHS: tuple[tuple[float, int, float, float], ...] = (
    (5.5, 6, 0.0006, 1.0),
    (2.3, 5, 0.003, 0.75),
    (1.1, 4, 0.012, 0.45),
)
# How grey a film is: the darkest place, quarters and the brightest, before the scanner's blur (8-bit greys).
_SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
_TONES = (14.0, 36.0, 62.0, 92.0, 165.0, 235.0, 275.0, 320.0)
_PORES, _PORE_SIZE = 0.01, 3.5  # share of a ply that is missing, and how large its holes are (sigma, px)
_AIR = 14.0  # grey of air
_SPECKS, _SPECK_GREY = 1500, 700.0  # bright specks of mineral in the sheets, and how bright at most before the blur
_BLUR = (1.15, 0.85, 0.85)  # the scanner's blur (sigma: layers, px, px)
_NOISE = 2.3  # the scanner's noise (sd, 8-bit greys)


def phantom(seed: int, contrast: float | None) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Make one phantom.

    Parameters
    ----------
    seed
        The same seed makes the same papyrus, the same strokes and the same noise.
    contrast
        How much brighter ink is than papyrus, in 8-bit greys. ``None`` leaves the papyrus blank.

    Returns
    -------
    volume
        ``(65, 512, 512)``, 8-bit greys, the written face about layer 25.
    ink
        ``(512, 512)``, true where ink is.
    """
    papyrus, pen, scan = (np.random.default_rng([seed, part]) for part in (11, 22, 33))
    films, bulges = weave_sheet(papyrus)
    wander = _WANDER * smooth_noise(papyrus, _WANDER_SIZE)
    face = _FACE + wander - _RELIEF * bulges[0]
    back = _BACK + 0.95 * wander + 0.5 * smooth_noise(papyrus, _WANDER_SIZE) + _RELIEF * bulges[1]
    volume = np.full((_LAYERS, _SIDE, _SIDE), _AIR, np.float32)
    add_sheet(volume, films, face, back)
    add_neighbours(volume, films, face, back, papyrus)
    add_specks(volume, papyrus)
    ink = np.zeros((_SIDE, _SIDE), bool)
    if contrast is not None:
        skin = lay_skin(face, pen)
        add_skin(volume, skin, face, float(films[0].mean()) + contrast)
        ink = skin.truth
    return scan_volume(volume, scan), ink


def smooth_noise(rng: np.random.Generator, size: float) -> Plane:
    """Return smooth noise ``(y, x)`` of mean 0 and standard deviation 1; ``size`` is a Gaussian's sigma in px."""
    # Noise that is this smooth needs no full grid to be drawn on.
    step = max(1, int(size / 4))
    side = _SIDE // step + 2
    coarse = ndimage.gaussian_filter(rng.standard_normal((side, side), dtype=np.float32), size / step, mode="wrap")
    fine = ndimage.zoom(coarse, step, order=1, grid_mode=True, mode="nearest")[:_SIDE, :_SIDE] if step > 1 else coarse
    plane: Plane = fine[:_SIDE, :_SIDE]
    normed: Plane = (plane - plane.mean()) / plane.std()
    return normed


def weave_sheet(rng: np.random.Generator) -> tuple[Plane, list[Plane]]:
    """Make the films of a sheet.

    Returns
    -------
    films
        ``(6, y, x)``, greys: three films of the front ply, three of the back one.
    bulges
        How thick the bundles of either ply are, two of ``(y, x)`` with mean 0 and standard deviation 1.
    """
    tilt = _TILT * rng.standard_normal()
    films, bulges = [], []
    for across in (0.0, np.pi / 2):
        angle = across + tilt + 0.4 * _TILT * rng.standard_normal()
        ways = [trace_ways(make_director(angle, rng), sign) for sign in (1, -1)]
        pores = find_pores(ways, rng)
        bulge = np.zeros((_SIDE, _SIDE), np.float32)
        for _ in range(_FILMS):
            film, bundles = comb_film(ways, rng)
            film[pores] = _AIR
            films.append(film)
            bulge += bundles
        bulge = ndimage.gaussian_filter(bulge, 1.5)
        bulges.append((bulge - bulge.mean()) / bulge.std())
    return np.stack(films), bulges


def make_director(angle: float, rng: np.random.Generator) -> tuple[Plane, Plane]:
    """Return y and x of unit vectors ``(y, x)`` along fibres, which run at an angle (rad) but for waves and knots."""
    direction = angle + _WAVES * smooth_noise(rng, _WAVES_SIZE)
    y, x = np.ogrid[:_SIDE, :_SIDE]
    for _ in range(rng.poisson(_KNOTS)):
        at_y, at_x = rng.uniform(0, _SIDE, 2)
        apart = rng.uniform(*_KNOT_SIZE)
        # One whole turn at the knot, and half a turn back on either side: far away nothing is left of it.
        for charge, shift in ((1.0, 0.0), (-0.5, apart), (-0.5, -apart)):
            from_y, from_x = y - at_y - shift * np.sin(angle), x - at_x - shift * np.cos(angle)
            direction = direction + charge * np.arctan2(from_y, from_x)
    # A director has no sign. Along the ply's own direction it becomes a flow without jumps except at knots.
    sign = np.where(np.cos(direction - angle) >= 0, 1, -1)
    return (sign * np.sin(direction)).astype(np.float32), (sign * np.cos(direction)).astype(np.float32)


def trace_ways(director: tuple[Plane, Plane], sign: int) -> list[NDArray[np.intp]]:
    """Return where each pixel gets to after 1, 2, 4, ... px along the fibres, as indices of pixels ``(y * x,)``.

    ``sign`` is 1 for along the director and -1 for against it. What leaves at one edge comes in at the other.
    """
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    move_y, move_x = sign * director[0], sign * director[1]
    ways = []
    for doubling in range(max(width[1] for width in _WIDTHS)):
        if doubling:
            there = np.stack([y + move_y, x + move_x])
            on_y, on_x = (
                ndimage.map_coordinates(move, there, order=1, mode="grid-wrap", output=np.float32)
                for move in (move_y, move_x)
            )
            move_y, move_x = move_y + on_y, move_x + on_x
        row, column = (np.rint(there).astype(np.intp) % _SIDE for there in (y + move_y, x + move_x))
        ways.append((row * _SIDE + column).ravel())
    return ways


def smear_along(seeds: Plane, ways: list[list[NDArray[np.intp]]], doublings: int) -> Plane:
    """Sum seeds ``(y, x)`` along the fibres, ``2**doublings`` px each way."""
    total = np.zeros(seeds.size, np.float32)
    for way in ways:
        # A sum over 2n px is one over n px and another over the n px that follow.
        part = seeds.ravel()
        for doubling in range(doublings):
            part = part + part[way[doubling]]
        total += part
    return total.reshape(seeds.shape)


def comb_film(ways: list[list[NDArray[np.intp]]], rng: np.random.Generator) -> tuple[Plane, Plane]:
    """Return one film of fibres, greys ``(y, x)``, and how thick its wider fibres are."""
    combed = []
    for width, doublings, density, share in _WIDTHS:
        seeds = np.zeros((_SIDE, _SIDE), np.float32)
        count = int(density * seeds.size)
        np.add.at(seeds.ravel(), rng.integers(0, seeds.size, count), rng.exponential(1.0, count).astype(np.float32))
        streaks = ndimage.gaussian_filter(smear_along(seeds, ways, doublings), width, mode="wrap")
        combed.append(share * (streaks - streaks.mean()) / streaks.std())
    film = np.sum(combed, axis=0)
    film = np.interp(film, np.quantile(film[::4, ::4], _SHARES), _TONES).astype(np.float32)
    return film, combed[0] + 0.6 * combed[1]


def find_pores(ways: list[list[NDArray[np.intp]]], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return where a ply is missing ``(y, x)``: sharp holes, somewhat longer along its fibres."""
    noise = smear_along(smooth_noise(rng, _PORE_SIZE), ways, 4)
    return noise > np.quantile(noise, 1 - _PORES)


def add_sheet(volume: NDArray[np.float32], films: Plane, face: Plane, back: Plane) -> None:
    """Put a sheet of films ``(film, y, x)`` between its face and back ``(y, x)``, in layers, into a volume."""
    first, last = max(int(face.min()), 0), min(int(back.max()) + 2, len(volume))
    per_layer = (len(films) - 1) / np.maximum(back - face, 1.0)
    pixel = np.arange(face.size).reshape(face.shape)
    flat = films.ravel()
    for layer in range(first, last):
        share = np.clip(layer + 0.5 - face, 0, 1) * np.clip(back - layer + 0.5, 0, 1)
        deep = np.clip((layer - face) * per_layer, 0, len(films) - 1.001)
        film = deep.astype(np.int32)
        at = film * face.size + pixel
        upper = flat[at]
        grey = upper + (deep - film) * (flat[at + face.size] - upper)
        volume[layer] += share * (grey - volume[layer])


def add_neighbours(
    volume: NDArray[np.float32], films: Plane, face: Plane, back: Plane, rng: np.random.Generator
) -> None:
    """Put what can be seen of the sheets above and below into a volume; they never cut into the sheet itself."""
    thick = _BACK - _FACE
    end = np.minimum(_ABOVE + _LOOSE * smooth_noise(rng, _LOOSE_SIZE), face - 4)
    add_sheet(volume, np.roll(films[:, ::-1], 171, axis=2), end - thick, end)
    start = np.maximum(_BELOW + _LOOSE * smooth_noise(rng, _LOOSE_SIZE), back + 2.5)
    add_sheet(volume, np.roll(films[:, :, ::-1], 203, axis=1), start, start + thick)


def add_specks(volume: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Put bright specks of one voxel into what is papyrus in a volume."""
    at = tuple(rng.integers(0, side, _SPECKS) for side in volume.shape)
    bright = rng.uniform(0.3, 1.0, _SPECKS).astype(np.float32) * _SPECK_GREY
    volume[at] = np.where(volume[at] > 2 * _AIR, volume[at] + bright, volume[at])


def add_skin(volume: NDArray[np.float32], skin: Skin, face: Plane, grey: float) -> None:
    """Put ink of a grey between its own top and the face of the papyrus ``(y, x)``, in layers, into a volume."""
    for layer in range(max(int(skin.top.min()), 0), int(face.max()) + 2):
        papyrus = np.clip(layer + 0.5 - face, 0, 1)
        share = np.where(skin.covers, np.clip(layer + 0.5 - skin.top, 0, 1) - papyrus, 0)
        # The voxel holds papyrus, air and now ink in place of some of the air.
        volume[layer] += np.clip(share, 0, 1) * (grey * skin.density - _AIR)


def scan_volume(volume: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a volume as a scanner sees it: blurred, noisy, in 8 bits."""
    for axis, sigma in enumerate(_BLUR):
        ndimage.gaussian_filter1d(volume, sigma, axis=axis, output=volume, truncate=3.0)
    for layer in volume:
        layer += _NOISE * rng.standard_normal(layer.shape, dtype=np.float32)
    np.clip(np.rint(volume, out=volume), 0, 255, out=volume)
    return volume.astype(np.uint8)
