"""Metadata of OME-Zarr images (NGFF 0.1 to 0.5), checked against the arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from napari_ink.decoding import decoder_errors
from napari_ink.errors import StackError

_UM = {"angstrom": 1e-4, "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6}
SPATIAL = ("z", "y", "x")
_LAYOUT = "bioformats2raw.layout"


@dataclass(frozen=True, slots=True)
class LevelMetadata:
    """Metadata of one level: the path of its array, and its voxel size along z, y and x in the axes' unit."""

    path: str
    scale: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """Metadata of one image.

    Attributes
    ----------
    levels
        Its levels, the finest first.
    voxel_size_um
        Edge of a voxel in micrometres; None without a unit, or if x and y differ.
    axes
        Names of the axes in lower case; empty if the metadata do not name them.
    layer_step_um
        Distance of neighbouring layers in micrometres; None without a unit, or if it equals the edge of a voxel.
    """

    levels: tuple[LevelMetadata, ...]
    voxel_size_um: float | None
    axes: tuple[str, ...] = ()
    layer_step_um: float | None = None


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes that NGFF defines; since 0.5 they are under the key ``ome``."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, Mapping) else attributes


def is_series(attributes: Mapping[str, Any]) -> bool:
    """Whether a group is the root of several images in bioformats2raw's layout."""
    return _LAYOUT in ome_attributes(attributes)


def read_multiscales(where: object, attributes: Mapping[str, Any]) -> ImageMetadata | None:
    """Return the metadata of the first image in a group's attributes; None if there is none.

    Raises
    ------
    StackError
        If the metadata are invalid, or a level's path leaves the store.
    """
    multiscales = ome_attributes(attributes).get("multiscales")
    if multiscales is None:
        return None
    with decoder_errors(StackError, f"The OME-Zarr metadata of {where}", "write them again"):
        return _image(where, multiscales[0])


def _image(where: object, image: Mapping[str, Any]) -> ImageMetadata:
    listed = image.get("axes")
    # NGFF 0.1 and 0.2 name no axes, 0.3 lists names, and later versions list objects.
    axes = tuple((axis if isinstance(axis, str) else axis["name"]).lower() for axis in listed or ())
    unit_of = {axis["name"].lower(): axis.get("unit") for axis in listed or () if isinstance(axis, dict)}
    units = {unit for name, unit in unit_of.items() if name in ("y", "x")}
    if axes and sorted(axis for axis in axes if axis in SPATIAL) != sorted(SPATIAL):
        raise StackError(f"{where} has the axes {', '.join(axes)}; a depth stack has z, y and x.")
    places = [(axes or SPATIAL).index(axis) for axis in SPATIAL]
    whole = _scale(image.get("coordinateTransformations"), places)
    levels = tuple(
        LevelMetadata(
            _inside(where, one["path"]), _product(whole, _scale(one.get("coordinateTransformations"), places))
        )
        for one in image["datasets"]
    )
    if not levels:
        raise ValueError("no level is named")
    edge = levels[0].scale[1]
    unit = _UM.get(units.pop() or "") if len(units) == 1 else None
    size = edge * unit if unit is not None and edge == levels[0].scale[2] else math.inf
    # Without a unit of its own, the step of layers is only known if it equals that of pixels.
    z_unit = _UM.get(unit_of.get("z") or "")
    layer_step = None if z_unit is None else levels[0].scale[0] * z_unit
    known = size if size < math.inf else None
    return ImageMetadata(levels, known, axes, None if layer_step == known else layer_step)


def _inside(where: object, path: Any) -> str:
    """Return the path of a level if it stays inside the store."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or "\\" in path or ":" in path or path.startswith("/"):
        raise StackError(f"{where} names a level {path!r} that lies outside of it; such a store is not opened.")
    return str(path)


def _scale(transformations: Any, places: Sequence[int]) -> tuple[float, float, float]:
    scales = [one["scale"] for one in transformations or () if one["type"] == "scale"]
    z, y, x = (float(scales[0][place]) for place in places) if scales else (1.0, 1.0, 1.0)
    return _product((z, y, x), (1.0, 1.0, 1.0))


def _product(one: tuple[float, float, float], other: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the product of two scales: an image's own and that of one of its levels."""
    z, y, x = (mine * its for mine, its in zip(one, other, strict=True))
    if not (min(z, y, x) > 0 and max(z, y, x) < math.inf):
        raise ValueError(f"a scale of {z:g}, {y:g}, {x:g}")
    return z, y, x


def steps(where: object, metadata: ImageMetadata, shapes: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return how many voxels of the first level make one voxel of each other level, along each axis.

    Raises
    ------
    StackError
        If the metadata contradict the arrays' shapes.
    """
    found = []
    stated = any(level.scale != metadata.levels[0].scale for level in metadata.levels)
    for level, shape in zip(metadata.levels[1:], shapes[1:], strict=True):
        ratios = [
            (mine / first if stated else whole / max(length, 1))
            for mine, first, whole, length in zip(level.scale, metadata.levels[0].scale, shapes[0], shape, strict=True)
        ]
        # A scale may be huge, and rounding infinity would raise an OverflowError; the check below refuses it by name.
        step = tuple(max(round(min(ratio, 2.0**31)), 1) for ratio in ratios)
        for one, whole, length in zip(step, shapes[0], shape, strict=True):
            if not whole // one <= length <= -(-whole // one):
                raise StackError(
                    f"{where} states that its level {level.path} is {' × '.join(map(str, step))} times coarser, but "
                    f"it has {' × '.join(map(str, shape))} voxels and the first {' × '.join(map(str, shapes[0]))}; "
                    "write it again."
                )
        found.append((step[0], step[1], step[2]))
    return found


def is_pyramid(shapes: Sequence[Sequence[int]]) -> bool:
    """Whether shapes are those of a pyramid: each axis as long as in the level before or half of it, not all equal."""

    def fits(length: int, before: int) -> bool:
        # Programs round odd lengths down or up.
        return length == before or length in (before // 2, -(-before // 2))

    return len(shapes) > 1 and all(
        len(shape) == len(before)
        and tuple(shape) != tuple(before)
        and all(fits(*lengths) for lengths in zip(shape, before, strict=True))
        for before, shape in zip(shapes, shapes[1:], strict=False)
    )
