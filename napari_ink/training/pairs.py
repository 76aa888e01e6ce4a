"""Training pairs from files: stacks, labels in the field's formats, and their masks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import LabelValue, is_project, labels_of_project, labels_to_learn_from
from napari_ink.errors import LabelError
from napari_ink.stack import (
    DepthStack,
    find_beside,
    find_mask_of_labels,
    holds_zarr,
    open_stack,
    read_ink,
    read_segment_mask,
)
from napari_ink.training.crops import TrainingPair
from napari_ink.training.targets import OUTSIDE


@dataclass(frozen=True, eq=False)
class PairFiles:
    """A pair with the files that it was read from.

    Attributes
    ----------
    pair
        The stack and its labels.
    files
        All files that were read.
    notes
        Sentences for the user on guesses about them.
    """

    pair: TrainingPair
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def read_pair(stack: str | os.PathLike[str], labels: str | os.PathLike[str] | None = None) -> PairFiles:
    """Read a stack, its ink labels and the masks beside them.

    Labels are a mask of ink, or label values 0 unreviewed, 1 papyrus, 2 ink. Pixels outside the supervision mask are
    unreviewed. Without one, labels from an ink mask count as reviewed everywhere within the papyrus mask.

    Parameters
    ----------
    stack
        Path or address of a depth stack.
    labels
        An image or Zarr; a segment's folder with ``<name>_inklabels``; or a project, in which all of a reviewed cell
        counts as reviewed and nothing of a flagged one. By default, the labels beside the stack.

    Raises
    ------
    StackError
        If the stack cannot be opened.
    LabelError
        If there are no labels, a file cannot be read or is smaller than the stack, or no pixel is reviewed.
    """
    opened = open_stack(stack)
    if labels is not None and is_project(Path(labels)):
        return _pair_of_project(opened, Path(labels))
    path = _labels_path(opened, None if labels is None else Path(labels))
    beside = find_beside(opened)
    supervision, validation = (
        # A mask of the labels' own version fits them best; one beside the stack may be of another version.
        find_mask_of_labels(path, kind) or found
        for kind, found in (("supervision_mask", beside.supervision_mask), ("validation_mask", beside.validation_mask))
    )
    shape = opened.shape[1:]
    values, notes = _values(path, shape, supervision is None)
    if beside.mask is not None:
        values[~_mask(beside.mask, shape, notes)] = OUTSIDE
    if supervision is not None:
        reviewed = _mask(supervision, shape, notes)
        values[~reviewed & (values != OUTSIDE)] = LabelValue.UNREVIEWED
    if not np.isin(values, (LabelValue.PAPYRUS, LabelValue.INK)).any():
        raise LabelError(
            f"{path} has no reviewed pixel{_inside(supervision, beside.mask)}; review some, or leave it out."
        )
    if not (values == LabelValue.INK).any():
        notes.append(f"{path} has no ink{_inside(supervision, beside.mask)}: only papyrus is learned from it.")
    held_out = None if validation is None else _mask(validation, shape, notes)
    files = [Path(file) for file in (opened.source, path, beside.mask, supervision, validation) if file is not None]
    return PairFiles(TrainingPair(opened, values, held_out), tuple(files), (*opened.notes, *notes))


def _pair_of_project(stack: DepthStack, folder: Path) -> PairFiles:
    """Return a stack with the labels of a project and the masks beside it, except the supervision mask."""
    annotation, _ = labels_of_project(folder)
    shape = stack.shape[1:]
    if annotation.shape != shape:
        raise LabelError(
            f"{folder} has labels of {annotation.shape[0]} × {annotation.shape[1]} pixels, and its stack here is "
            f"{shape[0]} × {shape[1]}; name the stack that it belongs to."
        )
    # The review plane of a project marks the reviewed pixels, in place of a supervision mask.
    values = labels_to_learn_from(annotation.read("ink", (0, shape[0]), (0, shape[1])), annotation.review_states())
    beside, notes = find_beside(stack), list[str]()
    if beside.mask is not None:
        values[~_mask(beside.mask, shape, notes)] = OUTSIDE
    if not np.isin(values, (LabelValue.PAPYRUS, LabelValue.INK)).any():
        raise LabelError(f"{folder} has no reviewed pixel; review some, or leave it out.")
    held_out = None if beside.validation_mask is None else _mask(beside.validation_mask, shape, notes)
    files = [Path(file) for file in (stack.source, folder, beside.mask, beside.validation_mask) if file is not None]
    return PairFiles(TrainingPair(stack, values, held_out), tuple(files), (*stack.notes, *annotation.warnings, *notes))


def _labels_path(stack: DepthStack, labels: Path | None) -> Path:
    if labels is not None and not _is_segment(stack, labels):
        return labels
    found = find_beside(stack).ink_labels if labels is None else find_beside(open_stack(labels)).ink_labels
    if found is None:
        raise LabelError(
            f"There are no ink labels beside {labels or stack.source}; name an image, or save one as "
            f"{stack.name}_inklabels.png there."
        )
    return found


def _is_segment(stack: DepthStack, labels: Path) -> bool:
    """Whether a path is a segment's folder or the stack itself, beside which to look for labels."""
    is_stack = labels.expanduser().absolute() == Path(stack.source)
    return labels.is_dir() and (is_stack or not holds_zarr(labels))


def _values(path: Path, shape: tuple[int, int], all_reviewed: bool) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Return label values ``(y, x)``, and notes on them."""
    ink = read_ink(path, shape)
    notes = [ink.note] if ink.note else []
    if ink.are_labels:
        return ink.values, notes
    if all_reviewed:
        notes.append(f"No supervision mask lies beside {path.name}: all of the papyrus in it counts as reviewed.")
    return np.where(ink.values, LabelValue.INK, LabelValue.PAPYRUS).astype(np.uint8), notes


def _mask(path: Path, shape: tuple[int, int], notes: list[str]) -> npt.NDArray[np.bool_]:
    """Read a mask ``(y, x)``, and add a note on guesses about it to the notes."""
    mask = read_segment_mask(path, shape)
    if mask.note:
        notes.append(mask.note)
    return mask[:, :]


def _inside(*masks: Path | None) -> str:
    names = " and ".join(mask.name for mask in masks if mask is not None)
    return f" inside {names}" if names else ""


def describe_pairs(pairs: Iterable[TrainingPair]) -> list[dict[str, Any]]:
    """Return a checkpoint's record of its training pairs, as JSON values."""
    return [
        {
            "stack": pair.stack.name,
            "shape": list(pair.stack.shape),
            "voxel_size_um": pair.stack.voxel_size_um,
            "ink_px": int((pair.labels == LabelValue.INK).sum()),
            "papyrus_px": int((pair.labels == LabelValue.PAPYRUS).sum()),
            "held_out_px": int(np.isin(pair.to_judge(), (LabelValue.PAPYRUS, LabelValue.INK)).sum()),
        }
        for pair in pairs
    ]
