"""What the metadata of an OME-Zarr say of its levels (NGFF 0.1 to 0.5), held against what is there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from napari_ink.decoding import decoder_errors
from napari_ink.errors import StackError

_UM = {
    "angstrom": 1e-4, "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6,
}  # fmt: skip
SPATIAL = ("z", "y", "x")
_LAYOUT = "bioformats2raw.layout"


@dataclass(frozen=True, slots=True)
class LevelSaid:
    """One level: where its array lies, and how large its voxels are along z, y and x, in the axes' own unit."""

    path: str
    scale: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of one image.

    Attributes
    ----------
    levels
        Its levels, the finest first.
    voxel_size_um
        The edge of a voxel in micrometres, where a unit is given.
    axes
        The names of the axes, in small letters; none where they are not said.
    """

    levels: tuple[LevelSaid, ...]
    voxel_size_um: float | None
    axes: tuple[str, ...] = ()


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes that NGFF defines: since 0.5 they have a place of their own."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, Mapping) else attributes


def is_series(attributes: Mapping[str, Any]) -> bool:
    """Whether a group is the root of several images as bioformats2raw lays them out."""
    return _LAYOUT in ome_attributes(attributes)


def read_multiscales(where: object, attributes: Mapping[str, Any]) -> Said | None:
    """Read the first image that attributes of a group describe; None if they describe none.

    Raises
    ------
    StackError
        If they contradict themselves, or lead out of the store.
    """
    said = ome_attributes(attributes).get("multiscales")
    if said is None:
        return None
    with decoder_errors(StackError, f"The OME-Zarr metadata of {where}", "write them again"):
        return _image(where, said[0])


def _image(where: object, image: Mapping[str, Any]) -> Said:
    listed = image.get("axes")
    axes = tuple((axis if isinstance(axis, str) else axis["name"]).lower() for axis in listed or ())
    units = {axis.get("unit") for axis in listed or () if isinstance(axis, dict) and axis["name"].lower() in "yx"}
    if axes and sorted(axis for axis in axes if axis in SPATIAL) != sorted(SPATIAL):
        raise StackError(f"{where} has the axes {', '.join(axes)}; a depth stack has z, y and x.")
    places = [(axes or SPATIAL).index(axis) for axis in SPATIAL]
    whole = _scale(image.get("coordinateTransformations"), places)
    levels = tuple(
        LevelSaid(_inside(where, one["path"]), _product(whole, _scale(one.get("coordinateTransformations"), places)))
        for one in image["datasets"]
    )
    if not levels:
        raise ValueError("no level is named")
    edge = levels[0].scale[1]
    unit = _UM.get(units.pop() or "") if len(units) == 1 else None
    size = edge * unit if unit is not None and edge == levels[0].scale[2] else math.inf
    return Said(levels, size if size < math.inf else None, axes)


def _inside(where: object, path: Any) -> str:
    """Return the path of a level if it leads to a place inside of the store."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or "\\" in path or ":" in path or path.startswith("/"):
        raise StackError(f"{where} names a level {path!r} that lies outside of it; such a store is not opened.")
    return str(path)


def _scale(transformations: Any, places: Sequence[int]) -> tuple[float, float, float]:
    scales = [one["scale"] for one in transformations or () if one["type"] == "scale"]
    z, y, x = (float(scales[0][place]) for place in places) if scales else (1.0, 1.0, 1.0)
    return _product((z, y, x), (1.0, 1.0, 1.0))


def _product(one: tuple[float, float, float], other: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the scale of a level within an image that is scaled as a whole, too."""
    z, y, x = (mine * its for mine, its in zip(one, other, strict=True))
    if not (min(z, y, x) > 0 and max(z, y, x) < math.inf):
        raise ValueError(f"a scale of {z:g}, {y:g}, {x:g}")
    return z, y, x


def steps(where: object, said: Said, shapes: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return how many voxels of the first level one of each other level stands for, along each axis.

    Raises
    ------
    StackError
        If what the metadata say is not what the shapes are.
    """
    found = []
    stated = any(level.scale != said.levels[0].scale for level in said.levels)
    for level, shape in zip(said.levels[1:], shapes[1:], strict=True):
        ratios = [
            (mine / first if stated else whole / max(length, 1))
            for mine, first, whole, length in zip(level.scale, said.levels[0].scale, shapes[0], shape, strict=True)
        ]
        # Whatever is coarser than the stack is long is told below; rounding infinity would be an error of its own.
        step = tuple(max(round(min(ratio, 2.0**31)), 1) for ratio in ratios)
        for one, whole, length in zip(step, shapes[0], shape, strict=True):
            if not whole // one <= length <= -(-whole // one):
                raise StackError(
                    f"{where} says that its level {level.path} is {' × '.join(map(str, step))} times coarser, but that "
                    f"is {' × '.join(map(str, shape))} voxels where the first is {' × '.join(map(str, shapes[0]))}; "
                    "write it again."
                )
        found.append((step[0], step[1], step[2]))
    return found


def is_pyramid(shapes: Sequence[Sequence[int]]) -> bool:
    """Whether arrays are levels of one image: each as long as the one before, or half as long, and smaller."""

    def is_half(length: int, before: int) -> bool:
        return length == before or length in (before // 2, -(-before // 2))

    return len(shapes) > 1 and all(
        len(shape) == len(before)
        and tuple(shape) != tuple(before)
        and all(is_half(*lengths) for lengths in zip(shape, before, strict=True))
        for before, shape in zip(shapes, shapes[1:], strict=False)
    )
