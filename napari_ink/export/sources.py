"""Export from files: from a prediction store, a project, or a label file of any format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_ink.annotation import is_project, labels_of_project, supervision
from napari_ink.decoding import exists
from napari_ink.errors import BadInputError
from napari_ink.export.import_labels import cut, read_labels
from napari_ink.export.planes import (
    EDGE_LABELS,
    EDGE_MASK,
    INK_LABELS,
    INK_MASK,
    SUPERVISION_MASK,
    LabelPlane,
    Span,
    edge_mask,
    ink_mask,
    mapped,
    supervision_mask,
)
from napari_ink.export.write_labels import check_output, write_plane
from napari_ink.mask_meaning import HALF
from napari_ink.typing import ExportWhat as ExportWhat
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation
    from napari_ink.predict import Prediction

_MASKS: Mapping[ExportWhat, Mapping[int, str]] = {
    "ink": INK_MASK,
    "edges": EDGE_MASK,
    "supervision": SUPERVISION_MASK,
}
_CHOOSE = {"ink": ink_mask, "edges": edge_mask, "supervision": supervision_mask}


def export_source(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    what: ExportWhat,
    threshold: float | None = None,
    shape: tuple[int, int] | None = None,
) -> Path:
    """Write one mask, or the label values, of `source` in the format that `out` ends in.

    Parameters
    ----------
    source
        A prediction store (ink, edges), a project, or a label file.
    out
        File or folder to write; its suffix gives the format.
    what
        Kind of plane. Edge labels give only ``edges``, ink labels all others; a mask is taken for the kind named here.
    threshold
        Lowest probability, 0 to 1, that counts as ink or edge; None for the model's recommendation, or 0.5 for masks.
        Ignored for labels.
    shape
        Height and width, if the source does not contain them or is padded.

    Raises
    ------
    BadInputError
        If the source holds no such thing, or the output cannot be written.
    """
    out = Path(out).absolute()
    check_output(out)
    return write_plane(source_plane(source, what, threshold, shape), out)


def source_plane(
    source: str | os.PathLike[str],
    what: ExportWhat,
    threshold: float | None = None,
    shape: tuple[int, int] | None = None,
) -> LabelPlane:
    """Return the plane that `export_source` writes, read a part at a time.

    Raises
    ------
    BadInputError
        If the source holds no such thing, or the threshold is not a probability.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise BadInputError(
            f"The threshold is {threshold}, but a probability lies between 0 and 1; choose a value in that range."
        )
    source = Path(source).absolute()
    if not exists(source, BadInputError):
        raise BadInputError(f"There is nothing at {source}; name a prediction store, a project or a label file.")
    if is_project(source):
        return _of_size(project_plane(source, what), shape, source)
    if source.is_dir() and (prediction := _prediction_at(source)) is not None:
        return _of_size(_prediction_plane(prediction, what, threshold), shape, source)
    return _file_plane(source, what, threshold, shape)


def _of_size(plane: LabelPlane, shape: tuple[int, int] | None, source: Path) -> LabelPlane:
    """Return a plane whose size is known, unless another one was asked for."""
    if shape not in (None, plane.shape):
        height, width = plane.shape
        raise BadInputError(f"{source} has {height} × {width} pixels, not {shape[0]} × {shape[1]}; leave the size out.")
    return plane


def annotation_plane(annotation: Annotation, what: ExportWhat, voxel_size_um: float | None = None) -> LabelPlane:
    """Return a mask or the ink labels of an annotation, in its state when the plane is read.

    Supervision covers labelled ink and papyrus and all of reviewed regions, but nothing of flagged ones.
    """
    stored: Literal["ink", "edge"] = "edge" if what == "edges" else "ink"

    def read(y: Span, x: Span) -> UInt8Array:
        return annotation.read(stored, y, x)

    names = EDGE_LABELS if stored == "edge" else INK_LABELS
    plane = LabelPlane(annotation.shape, read, names, voxel_size_um, annotation.warnings)
    if what == "labels":
        return plane
    return _seen(plane, annotation) if what == "supervision" else mapped(plane, _CHOOSE[what], _MASKS[what])


def project_plane(folder: Path, what: ExportWhat) -> LabelPlane:
    """Return a mask or the ink labels of a project, even if it is open elsewhere or its stack is missing.

    Raises
    ------
    ProjectError
        If it cannot be read.
    """
    annotation, voxel_size_um = labels_of_project(folder)
    return annotation_plane(annotation, what, voxel_size_um)


def _seen(ink: LabelPlane, annotation: Annotation) -> LabelPlane:
    def read(y: Span, x: Span) -> UInt8Array:
        return supervision(ink.read(y, x), annotation.review_states(), y[0], x[0]).astype(np.uint8) * np.uint8(255)

    return LabelPlane(ink.shape, read, SUPERVISION_MASK, ink.voxel_size_um, ink.notes)


def _prediction_at(folder: Path) -> Prediction | None:
    from napari_ink.predict import NoPredictionError, open_prediction

    try:
        return open_prediction(folder)
    except NoPredictionError:
        if folder.suffix.lower() == ".zarr":
            return None  # some other Zarr: labels, perhaps
        raise


def _prediction_plane(prediction: Prediction, what: ExportWhat, threshold: float | None) -> LabelPlane:
    if what in ("labels", "supervision"):
        raise BadInputError(
            f"{prediction.path} is a prediction and holds no {what}; export `ink` or `edges`, or name a label file."
        )
    if what == "edges" and not prediction.predicts_edges:
        name = prediction.provenance["model"]["name"]
        raise BadInputError(
            f"{prediction.path} was made by {name}, which predicts no edges; export `ink`, or use another model."
        )
    stored: Literal["ink", "edge"] = "ink" if what == "ink" else "edge"
    threshold = prediction.recommended_threshold(stored) if threshold is None else threshold

    def read(y: Span, x: Span) -> UInt8Array:
        return prediction.read(stored, slice(*y), slice(*x))

    voxel_size_um = prediction.provenance["stack"].get("voxel_size_um")
    return cut(LabelPlane(prediction.shape, read, _MASKS[what], voxel_size_um), threshold, _MASKS[what])


def _file_plane(source: Path, what: ExportWhat, threshold: float | None, shape: tuple[int, int] | None) -> LabelPlane:
    plane = read_labels(source, shape, threshold)
    if plane.is_mask:
        if what == "labels":
            raise BadInputError(
                f"{source} is a mask and holds no label values; export `ink`, `edges` or `supervision`."
            )
        return cut(plane, HALF if threshold is None else threshold, _MASKS[what])
    if plane.names == EDGE_LABELS and what in ("ink", "supervision"):
        raise BadInputError(f"{source} holds edge labels and no {what}; export `edges` or `labels`.")
    return plane if what == "labels" else mapped(plane, _CHOOSE[what], _MASKS[what])
