"""Sheet of papyrus: a wavy sheet with two crossed layers of fibres, between two neighbouring sheets of the scroll."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from napari_ink.phantom.config import PhantomConfig
from napari_ink.phantom.fields import FloatArray, fibre_texture, smooth_field

GAP_GREY = 17.0
# Percentiles of the grey values of a real layer (Scroll 1, 7.91 µm, 8-bit), and those of a normal distribution.
_SHARES = np.array([0.0005, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.9995])
_GREYS = np.array([28, 38, 55, 82, 110, 152, 200, 226, 245], dtype=np.float32)
_NORMAL = special.ndtri(_SHARES).astype(np.float32)
MIDDLE_GREY = float(_GREYS[4])


@dataclass(frozen=True, eq=False)
class Sheet:
    """A sheet of papyrus, in depth below its own written face.

    Attributes
    ----------
    grey
        Grey values ``(u, y, x)``; plane `u` lies ``u + first`` layers below the face.
    first
        Depth of the first plane, in layers.
    face
        Depth ``(y, x)`` of the written face below the surface layer, in layers.
    thickness
        Depth ``(y, x)`` of the back below the face, in layers; 0 where the sheet is missing.
    bare
        Mask ``(y, x)`` of places where fibres of the face have come off.
    """

    grey: FloatArray
    first: int
    face: FloatArray
    thickness: FloatArray
    bare: npt.NDArray[np.bool_]


def make_sheet(rng: np.random.Generator, config: PhantomConfig, shape: tuple[int, int]) -> Sheet:
    """Return a random sheet: fibres along x on the written side and along y behind it, each tilted a little."""
    # Thickness varies by a standard deviation of 12 %, so planes reach half a sheet beyond its mean.
    first, planes = -4, int(config.sheet_thickness * 1.5) + 8
    tilt, crossed = rng.normal(0, 0.04, 2)
    front = fibre_texture(rng, (planes, *shape), tilt, rng.uniform(4, 7))
    back = fibre_texture(rng, (planes, *shape), np.pi / 2 + crossed, rng.uniform(4, 7))
    # Each layer of fibres contains a little of the other; they meet at half the thickness.
    depth = (np.arange(planes) + first)[:, None, None]
    front_share = special.expit((0.5 * config.sheet_thickness - depth) / 1.5).astype(np.float32)
    front_weight, back_weight = 0.25 + 0.75 * front_share, 1 - 0.75 * front_share
    texture = (front * front_weight + back * back_weight) / np.sqrt(front_weight**2 + back_weight**2)
    wander = config.surface_wander * np.clip(smooth_field(rng, shape, 90.0), -3, 3)
    # About 0.7 layers in all beside ink of about 1: on a smoother face its plates could be seen at a glance.
    rough = 0.45 * texture[-first] + 0.5 * smooth_field(rng, shape, 6.0) + 0.3 * smooth_field(rng, shape, 2.0)
    rough += crumbs(rng, shape)
    thickness = config.sheet_thickness * (1 + 0.12 * smooth_field(rng, shape, 40.0))
    thickness[missing_places(rng, shape, config.missing)] = 0
    bare = torn_fibres(config, shape, tilt)
    face = wander - rough + 2.0 * bare  # a fibre is about two layers thick
    return Sheet(
        np.interp(texture, _NORMAL, _GREYS).astype(np.float32), first, face.astype(np.float32), thickness, bare
    )


def torn_fibres(config: PhantomConfig, shape: tuple[int, int], tilt: float) -> npt.NDArray[np.bool_]:
    """Return a mask of places where fibres of the face have come off: long strips, 5 to 15 pixels wide."""
    if config.missing_fibres == 0:
        return np.zeros(shape, dtype=bool)
    rng = np.random.default_rng(
        [config.seed, 4]
    )  # a separate generator, so that sheets without missing fibres are unchanged
    field = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), (3.0, 40.0), mode="reflect")
    field = ndimage.rotate(field, -np.degrees(tilt), reshape=False, order=1, mode="reflect")
    torn: npt.NDArray[np.bool_] = field > np.quantile(field, 1 - config.missing_fibres)
    return torn


def missing_places(rng: np.random.Generator, shape: tuple[int, int], share: float) -> npt.NDArray[np.bool_]:
    """Return a mask of holes in the sheet: sharp-edged, 10 to 200 pixels wide."""
    field = smooth_field(rng, shape, 18.0) + 0.45 * smooth_field(rng, shape, 6.0)
    return field > np.quantile(field, 1 - share) if share > 0 else np.zeros(shape, dtype=bool)


def crumbs(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """Return the height ``(y, x)``, in layers, of crumbs of papyrus on the face, which are about as thick as ink."""
    field = smooth_field(rng, shape, 7.0) + 0.3 * smooth_field(rng, shape, 2.0)
    return np.where(field > 0.9, rng.uniform(0.6, 1.2) + 0.3 * field, 0).astype(np.float32)


def loose_fibres(rng: np.random.Generator, shape: tuple[int, int], count: int) -> FloatArray:
    """Return the height ``(y, x)``, in layers, of thin curved threads on the surface; 0 beside them."""
    height = np.zeros(shape, dtype=np.float32)
    for _ in range(count):
        y, x = rng.uniform((0, 0), shape)
        heading, lift = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 4)
        for turn in rng.normal(0, 0.02, int(rng.uniform(60, 300))):
            heading += turn
            y, x = y + np.sin(heading), x + np.cos(heading)
            iy, ix = int(y), int(x)
            if 1 <= iy < shape[0] - 1 and 1 <= ix < shape[1] - 1:
                height[iy - 1 : iy + 2, ix - 1 : ix + 2] = lift
    return height
