"""Corrections: what a person labelled in a segment."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from napari_ink.annotation import DRAFT, Annotation, LabelValue, Plane, ReviewState, labels_to_learn_from, open_project
from napari_ink.annotation.store.edits import REGION_PX
from napari_ink.errors import LabelError
from napari_ink.stack import DepthStack
from napari_ink.training.teaching.units import Units
from napari_ink.typing import UInt8Array


@dataclass(frozen=True, eq=False)
class Corrections:
    """The corrections of one project.

    Attributes
    ----------
    folder, stack
        The project, and its stack.
    labels
        Label values ``(y, x)`` as `labels_to_learn_from` gives them: unreviewed pixels are never background.
    edges
        Edge label values ``(y, x)``.
    """

    folder: Path
    stack: DepthStack
    labels: UInt8Array
    edges: UInt8Array

    @cached_property
    def units(self) -> Units:
        """The units of the labels."""
        return Units(self.labels)

    @property
    def ink_px(self) -> int:
        """Number of pixels labelled as ink."""
        return sum(unit.ink_px for unit in self.units.units)

    @property
    def papyrus_px(self) -> int:
        """Number of pixels labelled as papyrus."""
        return sum(unit.papyrus_px for unit in self.units.units)


def read_corrections(folder: Path) -> Corrections:
    """Read what was corrected in a project, which may be open for editing elsewhere.

    Labels that were drafted from a prediction and not changed since count as unreviewed, except in reviewed regions.

    Raises
    ------
    ProjectError, BadInputError
        If the project or its stack cannot be opened.
    """
    project = open_project(folder, look_only=True)
    try:
        height, width = project.stack.shape[1:]
        review = project.annotation.review_states()
        whole = (0, height), (0, width)
        labels = labels_to_learn_from(project.annotation.read("ink", *whole), review)
        edges = project.annotation.read("edge", *whole)
        _drop_untouched_drafts({"ink": labels, "edge": edges}, project.annotation, review)
        return Corrections(folder, project.stack, labels, edges)
    finally:
        project.close()


def _drop_untouched_drafts(planes: Mapping[Plane, UInt8Array], annotation: Annotation, review: UInt8Array) -> None:
    """Make drafted labels that nobody has changed unreviewed, in place: a model drew them, not a person.

    In reviewed regions a person has confirmed them.
    """
    for edit in annotation.applied_edits(DRAFT):
        for change in edit.changes:
            if change.plane not in planes:
                continue
            rows, columns = (
                np.arange(start, start + length)
                for start, length in zip((change.y, change.x), change.after.shape, strict=True)
            )
            reviewed = review[rows[:, None] // REGION_PX, columns[None, :] // REGION_PX] == ReviewState.REVIEWED
            now = planes[change.plane][rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            untouched = (now == change.after) & (change.before != change.after) & ~reviewed
            now[untouched] = LabelValue.UNREVIEWED


def check_teachable(corrections: Sequence[Corrections]) -> None:
    """Refuse corrections that hold only one of ink and papyrus.

    Raises
    ------
    LabelError
        If there is no ink, or no papyrus.
    """
    named = ", ".join(str(one.folder) for one in corrections)
    if not sum(one.ink_px for one in corrections):
        raise LabelError(f"No ink is labelled in {named}; paint a few strokes of ink first.")
    if not sum(one.papyrus_px for one in corrections):
        raise LabelError(
            f"No papyrus is labelled in {named}; paint some of what is surely no ink, or mark a region as reviewed."
        )


def labels_digest(corrections: Sequence[Corrections]) -> str:
    """Return the SHA-256 of all labels."""
    digest = hashlib.sha256()
    for one in corrections:
        # The stack as well: the same strokes on other grey values are another lesson.
        digest.update(one.stack.fingerprint().encode())
        digest.update(np.ascontiguousarray(one.labels).data)
        digest.update(np.ascontiguousarray(one.edges).data)
    return digest.hexdigest()
