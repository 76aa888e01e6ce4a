"""The label values of other programs' classes, decided by the same rule for GeoJSON and COCO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_ink.errors import LabelError
from napari_ink.export.planes import EDGE_LABELS, EDGE_MASK, INK_LABELS, INK_MASK, WHITE

_FAMILIES = {"ink": (INK_LABELS, INK_MASK), "edge": (EDGE_LABELS, EDGE_MASK)}


@dataclass(frozen=True)
class ClassValues:
    """The label value of each class in a file.

    Attributes
    ----------
    values
        The value of each class that is read; shapes of other classes are left out.
    names
        The meaning of each value.
    notes
        What was left out or guessed, one sentence each.
    """

    values: Mapping[str, int]
    names: Mapping[int, str]
    notes: tuple[str, ...]


def values_of_classes(counts: Mapping[str, int], path: Path) -> ClassValues:
    """Decide which classes are ink, papyrus, edges or a mask.

    A single class is a mask, whatever its name, except *papyrus* and *not an edge*, which keep their label values. Of
    several classes, *ink* and *papyrus* are read, or *edge* and *not an edge*; all others are left out.

    Parameters
    ----------
    counts
        Number of shapes of each class; the name is empty for shapes without one. Case and extra spaces are ignored.
    path
        The file, for messages.

    Raises
    ------
    LabelError
        If there are several classes, and none or both of ink and edge are among them.
    """
    known = {name: _plain(name) for name in counts}
    present = set(known.values())
    if len(present) == 1 and not present & {"papyrus", "not an edge"}:
        return _one_mask(counts, present.pop(), path)
    wanted = [family for family, (labels, _) in _FAMILIES.items() if present & set(labels.values())]
    if len(wanted) != 1 or (len(present) > 1 and wanted[0] not in present):
        listed = ", ".join(sorted(_shown(name) for name in counts))
        raise LabelError(
            f"{path} has shapes of the classes {listed[:200]}, and it is unclear which of them to read; "
            'keep one class, or name them "ink" and "papyrus".'
        )
    labels, mask = _FAMILIES[wanted[0]]
    value_of = {name: value for value, name in labels.items()}
    # Ink without papyrus is a mask: the file does not say which pixels were reviewed and found empty.
    names = labels if present & set(value_of) != {wanted[0]} else mask
    if names is mask:
        value_of = {wanted[0]: WHITE}
    values = {name: value_of[plain] for name, plain in known.items() if plain in value_of}
    return ClassValues(values, names, _left_out(counts, values, path))


def _one_mask(counts: Mapping[str, int], plain: str, path: Path) -> ClassValues:
    names = EDGE_MASK if plain == "edge" else INK_MASK
    notes = (
        ()
        if plain in ("", "ink", "edge")
        else (f"{path.name}: the shapes of class {_shown(next(iter(counts)))} are read as the mask.",)
    )
    return ClassValues(dict.fromkeys(counts, WHITE), names, notes)


def _left_out(counts: Mapping[str, int], values: Mapping[str, int], path: Path) -> tuple[str, ...]:
    others = {_shown(name): number for name, number in counts.items() if name not in values}
    if not others:
        return ()
    listed = ", ".join(f"{number} of {name}" for name, number in sorted(others.items()))[:200]
    return (f"{path.name}: shapes of other classes are left out ({listed}).",)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _shown(name: str) -> str:
    return name if name.strip() else "no class"
