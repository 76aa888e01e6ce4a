"""Checks of a taught model: labels without information must not improve it, and it must forget nothing.

Moved labels and the reversed stack are the field's controls. A model that gains from them has learned from something
other than ink.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from napari_ink.evaluation import ink_scores
from napari_ink.model import InkModel, load_model
from napari_ink.model.contract import Direction
from napari_ink.model.inference import for_prediction
from napari_ink.model.taught_network import without_forest
from napari_ink.phantom import SETS, Phantom, make_phantom, set_config
from napari_ink.stack import stack_of_array
from napari_ink.training.teaching.corrections import Corrections, read_corrections
from napari_ink.training.teaching.judging import choose_folds, fold_of, scores, scores_by_fold
from napari_ink.training.teaching.lesson import Lesson
from napari_ink.training.teaching.taught_models import TaughtModel, TaughtModels
from napari_ink.typing import UInt8Array

KNOWN = "known phantoms"
# Several times the width of a stroke, so that labels come off the ink that they were painted on.
_MOVED_MM = (3.5, 3.0)
_USUAL_VOXEL_UM = 7.91  # of the scans that the shipped models were made for
_PHANTOMS = 3
_PHANTOM_PX = 256


def check_taught(folders: tuple[Path, ...], row: TaughtModel, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the name and the result, in words, of each check of a taught model.

    Parameters
    ----------
    folders
        The projects to learn from; the model is in the first.
    row
        Row of the model.
    seed
        Seed of the random choices.

    Raises
    ------
    BadInputError
        If a project, a stack or a model cannot be opened.
    """
    corrections = [read_corrections(folder) for folder in folders]
    taught = load_model(TaughtModels.of_project(folders[0]).path(row.key))
    base = replace(taught, network=without_forest(taught.network))
    yield "moved labels", _moved(base, corrections, seed)
    yield "reversed depth", _reversed(taught, corrections)
    yield KNOWN, compare_on_known(load_model(row.started_from), taught)[1]


def _moved(model: InkModel, corrections: list[Corrections], seed: int) -> str:
    """Judge a forest that learns from labels which were moved off the ink; it can only learn by accident."""
    decoys = [replace(one, labels=_rolled(one)) for one in corrections]
    lesson = Lesson(model, decoys)
    for _ in lesson.read():
        pass
    held_out, judged_on = choose_folds(lesson.units, seed)
    unseen = lesson.cross_validate(held_out, seed)
    found = scores_by_fold(unseen, lesson.samples.is_ink, fold_of(lesson.unit, held_out))
    if found is None:
        return f"unknown, since there are too few strokes to hold some out. {judged_on}"
    return f"AUC {found.auc:.2f} from labels moved by {_MOVED_MM[0]} × {_MOVED_MM[1]} mm; about 0.5 is right."


def _rolled(one: Corrections) -> UInt8Array:
    voxel = one.stack.voxel_size_um or _USUAL_VOXEL_UM
    shift = [round(mm * 1000 / voxel) for mm in _MOVED_MM]
    # In a small segment, labels that leave it come in again on the other side, but never at their own place.
    by = [s if s % n else n // 2 for s, n in zip(shift, one.labels.shape, strict=True)]
    moved: UInt8Array = np.roll(one.labels, by, axis=(0, 1))
    return moved


def _reversed(model: InkModel, corrections: list[Corrections]) -> str:
    """Judge the model on the same strokes with the depth read the other way round."""
    turned: Direction = "as stored" if model.contract.direction == "reversed" else "reversed"
    lesson = Lesson(replace(model, contract=model.contract.changed(direction=turned)), corrections)
    for _ in lesson.read():
        pass
    found = scores(lesson.values_of_model(), lesson.samples.is_ink)
    return f"AUC {found.auc:.2f} on its own strokes with the depth reversed; a model that reads ink loses much there."


def compare_on_known(start: InkModel, taught: InkModel) -> tuple[float, str]:
    """Compare a model with its start on phantoms like those that the start was trained on.

    Returns
    -------
    tuple
        Gain in F0.5, and a sentence.
    """
    # Of the validation set, which no shipped model was trained on.
    phantoms = [make_phantom(set_config(seed, _PHANTOM_PX, _PHANTOM_PX)) for seed in SETS["validation"][:_PHANTOMS]]
    before, after = (float(np.mean([_on_phantom(model, one) for one in phantoms])) for model in (start, taught))
    found = (
        f"F0.5 {before:.3f} before and {after:.3f} now on {_PHANTOMS} phantoms; less means that it forgot something."
    )
    return after - before, found


def _on_phantom(model: InkModel, phantom: Phantom) -> float:
    contract = model.contract.without_greys().with_greys_of(stack_of_array(phantom.volume, "phantom"))
    values = contract.prepare(phantom.volume[contract.z_window(len(phantom.volume))])
    with torch.inference_mode():
        logits = for_prediction(model.network)(torch.from_numpy(np.ascontiguousarray(values))[None])[0, 0]
    ink = (torch.sigmoid(logits) * 255).round().to(torch.uint8).numpy()
    return float(ink_scores(ink, phantom.ink, phantom.mask).f0_5)
