"""What the metadata of an OME-Zarr say of its levels (NGFF 0.4 and 0.5), held against what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from napari_ink.errors import StackError

_UM = {
    "angstrom": 1e-4, "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6,
}  # fmt: skip
_SPATIAL = ("z", "y", "x")


@dataclass(frozen=True, slots=True)
class LevelSaid:
    """One level: where its array lies, and how large its voxels are along z, y and x, in the axes' own unit."""

    path: str
    scale: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Said:
    """The levels of one image, the finest first, and the edge of a voxel in micrometres where a unit is given."""

    levels: tuple[LevelSaid, ...]
    voxel_size_um: float | None


def read_multiscales(where: object, attributes: dict[str, Any]) -> Said | None:
    """Read the first image that attributes of a group describe; None if they describe none.

    Raises
    ------
    StackError
        If they contradict themselves, or lead out of the store.
    """
    ome = attributes.get("ome")
    said = (ome if isinstance(ome, dict) else attributes).get("multiscales")
    if said is None:
        return None
    try:
        image = said[0]
        axes = [axis if isinstance(axis, str) else axis["name"] for axis in image.get("axes", _SPATIAL)]
        units = {axis.get("unit") for axis in image.get("axes", ()) if isinstance(axis, dict) and axis["name"] in "yx"}
        if tuple(axis for axis in axes if axis in _SPATIAL) != _SPATIAL:
            raise StackError(f"{where} has the axes {', '.join(map(str, axes))}; a depth stack has z, y and x.")
        places = [axes.index(axis) for axis in _SPATIAL]
        levels = tuple(
            LevelSaid(_inside(where, one["path"]), _scale(one.get("coordinateTransformations", ()), places))
            for one in image["datasets"]
        )
        if not levels:
            raise ValueError("no level is named")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise StackError(
            f"{where} has OME-Zarr metadata that make no sense ({type(error).__name__}: {error}); write it again."
        ) from error
    edge = levels[0].scale[1]
    unit = _UM.get(units.pop() or "") if len(units) == 1 else None
    return Said(levels, edge * unit if unit is not None and edge == levels[0].scale[2] else None)


def _inside(where: object, path: Any) -> str:
    """Return the path of a level if it leads to a place inside of the store."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or "\\" in path or ":" in path or path.startswith("/"):
        raise StackError(f"{where} names a level {path!r} that lies outside of it; such a store is not opened.")
    return str(path)


def _scale(transformations: Any, places: Sequence[int]) -> tuple[float, float, float]:
    scales = [one["scale"] for one in transformations if one["type"] == "scale"]
    z, y, x = (float(scales[0][place]) for place in places) if scales else (1.0, 1.0, 1.0)
    if not (min(z, y, x) > 0 and max(z, y, x) < float("inf")):
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
        step = tuple(max(round(ratio), 1) for ratio in ratios)
        for one, whole, length in zip(step, shapes[0], shape, strict=True):
            if not whole // one <= length <= -(-whole // one):
                raise StackError(
                    f"{where} says that its level {level.path} is {' × '.join(map(str, step))} times coarser, but that "
                    f"is {' × '.join(map(str, shape))} voxels where the first is {' × '.join(map(str, shapes[0]))}; "
                    "write it again."
                )
        found.append((step[0], step[1], step[2]))
    return found
