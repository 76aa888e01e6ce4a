"""Jobs that export masks, labels and figures, and import labels from files."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_ink.export import EDGE_MASK, INK_MASK, LabelPlane, annotation_plane, mapped, plane_of
from napari_ink.gui.models.state import ExportFrom, ExportWhat, FigureSettings, cut_level
from napari_ink.typing import LabelKind, UInt8Array

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation, Project
    from napari_ink.region import Region
    from napari_ink.stack import DepthStack

IMPORTED = "import"
_LONGEST_PX = 4096


@dataclass(frozen=True, slots=True)
class Exported:
    """Event: a file or Zarr folder was written; with notes for the user."""

    path: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """Content of a figure: a part of the segment, and planes to draw over it."""

    stack: DepthStack
    z: int
    part: Region
    ink: LabelPlane | None
    edges: LabelPlane | None
    settings: FigureSettings = FigureSettings()


@dataclass(frozen=True, slots=True)
class PixelsCounted:
    """Event: number of pixels that an export would contain."""

    count: int


def plane_to_export(
    what: ExportWhat,
    source: ExportFrom,
    annotation: Annotation | None,
    probabilities: Callable[[LabelKind], UInt8Array] | None,
    thresholds: Mapping[LabelKind, float],
    voxel_size_um: float | None,
) -> LabelPlane | None:
    """Return a mask or label values of the segment's height and width; None if the source has none.

    The plane is read in parts on the thread that writes it, so that the user can paint meanwhile. `probabilities` gives
    the planes of the prediction that is shown, ``(y, x)`` uint8; it is None without one.
    """
    if source == "labels":
        return None if annotation is None else annotation_plane(annotation, what, voxel_size_um)
    if probabilities is None or what not in ("ink", "edges"):
        return None
    shown: LabelKind = "ink" if what == "ink" else "edge"
    names, level = (INK_MASK if what == "ink" else EDGE_MASK), cut_level(thresholds[shown])
    return mapped(plane_of(probabilities(shown), names, voxel_size_um), lambda part: part >= level, names)


def export_job(plane: LabelPlane, path: Path) -> Generator[Exported]:
    """Write a plane in the format of the suffix of a path."""
    from napari_ink.export import notes_on_writing, write_plane

    yield Exported(write_plane(plane, path, overwrite=True), notes_on_writing(plane, path))


def figure_job(figure: Figure, path: Path) -> Generator[Exported]:
    """Write a picture of a part of a segment, with ink and edges over it and a scale bar."""
    from napari_ink.export import write_figure

    part = figure.part
    y, x = (part.y0, part.y1), (part.x0, part.x1)
    image = figure.stack.read(slice(figure.z, figure.z + 1), slice(*y), slice(*x))[0]

    def mask(plane: LabelPlane | None) -> npt.NDArray[np.bool_] | None:
        return None if plane is None else np.asarray(plane.read(y, x) > 0)

    voxel = figure.stack.voxel_size_um
    settings = figure.settings
    written = write_figure(
        path,
        image,
        mask(figure.ink),
        mask(figure.edges),
        voxel,
        overwrite=True,
        # A size that the user asks for counts more than the usual limit.
        longest_px=max(settings.least_px, _LONGEST_PX),
        least_px=settings.least_px,
        dpi=settings.dpi,
        bar_mm=settings.bar_mm,
    )
    yield Exported(written)


def count_job(plane: LabelPlane) -> Generator[PixelsCounted]:
    """Count the pixels of a mask."""
    yield PixelsCounted(sum(int(np.count_nonzero(band)) for band in plane.bands()))


def import_labels(project: Project, path: Path, what: LabelKind) -> tuple[str, ...]:
    """Read labels from a file of any format into a project, as one undo step; return notes for the user.

    Raises
    ------
    LabelError
        If the file cannot be read, or is smaller than the segment.
    """
    from napari_ink.export import import_edge_labels, import_ink_labels

    annotation = project.annotation
    plane = (import_ink_labels if what == "ink" else import_edge_labels)(path, annotation.shape)
    # One edit of all bands, so that one undo takes the import back.
    blocks, top = [], 0
    for band in plane.bands():
        blocks.append((what, top, 0, band))
        top += band.shape[0]
    annotation.apply(blocks, IMPORTED)
    return plane.notes
