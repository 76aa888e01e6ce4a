"""Export from what lies on disk: a prediction store, or an image of label values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from napari_ink.annotation import read_label_values
from napari_ink.errors import BadInputError
from napari_ink.export.images import check_output, write_label_values, write_mask
from napari_ink.export.masks import edge_mask, ink_mask, supervision_mask

ExportWhat = Literal["ink", "edges", "labels", "supervision"]


def export_source(
    source: str | os.PathLike[str], out: str | os.PathLike[str], what: ExportWhat, threshold: float | None = None
) -> Path:
    """Write one mask, or the label values, of `source` as an image of its height and width.

    Parameters
    ----------
    source
        A prediction store (ink, edges), or a PNG or TIFF image of label values.
    out
        The image to write; its suffix gives the format.
    what
        What to write. From an image of edge labels only ``edges`` makes sense, from one of ink labels the others.
    threshold
        Least probability, 0 to 1, that counts as ink or edge; what the model recommends when None. Label images need
        none.

    Raises
    ------
    BadInputError
        If the source holds no such thing, or the output cannot be written.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise BadInputError(f"The threshold is {threshold}, and a probability lies between 0 and 1; choose one there.")
    source, out = Path(source).absolute(), Path(out).absolute()
    if not source.exists():
        raise BadInputError(f"There is nothing at {source}; name a prediction store or an image of labels.")
    check_output(out)
    if source.is_dir():
        return _export_prediction(source, out, what, threshold)
    labels = read_label_values(source)
    if what == "labels":
        return write_label_values(labels, out)
    choose = {"ink": ink_mask, "edges": edge_mask, "supervision": supervision_mask}[what]
    return write_mask(choose(labels), out)


def _export_prediction(source: Path, out: Path, what: ExportWhat, threshold: float | None) -> Path:
    from napari_ink.predict import open_prediction

    if what in ("labels", "supervision"):
        raise BadInputError(
            f"{source} is a prediction and holds no {what}; export `ink` or `edges`, or name an image of labels."
        )
    prediction = open_prediction(source)
    if what == "edges" and not prediction.predicts_edges:
        name = prediction.provenance["model"]["name"]
        raise BadInputError(
            f"{source} was made by {name}, which predicts no edges; export `ink`, or use another model."
        )
    plane: Literal["ink", "edge"] = "ink" if what == "ink" else "edge"
    cut = prediction.recommended_threshold(plane) if threshold is None else threshold
    return write_mask(prediction.mask(plane, cut), out)
