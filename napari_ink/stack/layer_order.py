"""Order of the layer files in a folder, by the numbers in their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from napari_ink.errors import StackError

# A minus after a letter, a digit, a closing bracket and the like is a hyphen: `scan-01`, `scan(2)-01`.
_NUMBER = re.compile(r"(?:(?<![^\W_])(?<![)\]}%'\"])[+-])?[0-9]+")
# Where some names have a minus there and others have none, it may be a sign all the same: `z-1`, `z0`, `z1`.
_SIGNED_NUMBER = re.compile(r"(?:(?<![0-9])[+-])?[0-9]+")
_AFTER_Z = re.compile(r"(?<![^\W_])[zZ]-$")
_MINUS_SIGNS = str.maketrans("\u2212\u2013", "--")  # typeset ones: a minus sign, a dash
_LAYER_DIGITS = 6
# Masks and labels are found by these names (`beside.py`), so no note names them as layers that were left out.
_NO_LAYER = re.compile(r"(?:.*_)?(?:mask|inklabels)(?:_v[0-9]+)?")
_MOST_NAMED = 3
_MINUS = "the minus in front of them is read as a sign, and if it is a hyphen"
_HYPHEN = "the hyphen after z is read as no sign, and if it is a minus"


@dataclass(frozen=True)
class LayerOrder:
    """The files of the layers in order.

    Attributes
    ----------
    names
        File names in the order of the layers.
    note
        Sentence on what was guessed about the order; empty if nothing was.
    """

    names: list[str]
    note: str = ""


@dataclass(frozen=True)
class _Column:
    """The numbers at one place of the names, one for each layer.

    Attributes
    ----------
    values
        Number of each layer at this place of its name.
    note
        What was guessed about their signs, without the names; empty if they are certain.
    """

    values: list[int]
    note: str = ""

    @property
    def is_distinct(self) -> bool:
        return len(set(self.values)) == len(self.values)

    @property
    def has_no_gaps(self) -> bool:
        return self.is_distinct and max(self.values) - min(self.values) == len(self.values) - 1

    @property
    def order(self) -> tuple[int, ...]:
        return tuple(sorted(range(len(self.values)), key=self.values.__getitem__))


def layers_among(names: Sequence[str], segment: str, only_numbered: bool = False) -> list[str]:
    """Return the names of layers without a segment's composite, mask and labels in the same folder.

    If some names are just numbers, only these are layers.

    Parameters
    ----------
    names
        File names in the folder.
    segment
        Name of the segment.
    only_numbered
        Whether to return nothing if no name is just a number.

    Raises
    ------
    StackError
        If layers are numbered in hexadecimal: layers with a letter in their number would be missed.
    """
    numbered = [name for name in names if re.fullmatch(r"[+-]?[0-9]+", _stem(name))]
    lengths = {len(Path(name).stem) for name in numbered}
    for name in names:
        stem = Path(name).stem
        if lengths == {len(stem)} and re.fullmatch(r"(?=.*[0-9])(?=.*[a-fA-F])[0-9a-fA-F]+", stem):
            raise StackError(
                f"{segment} holds {name} beside {numbered[0]}, which looks like hexadecimal numbering; number the "
                "layers in decimal."
            )
    # Segments and their composites are named by date and time: digits only, but far too many for a layer number.
    short = [name for name in numbered if Path(name).stem != segment or len(segment) <= _LAYER_DIGITS]
    return short or numbered or ([] if only_numbered else list(names))


def note_on_left_out(images: Iterable[str], layers: Sequence[str], segment: str) -> str:
    """Return a note that names images beside the layers that are left out, except masks, labels and the composite.

    Parameters
    ----------
    images
        Names of all images in the folder.
    layers
        Names of the layers in their order.
    segment
        Name of the segment, which its composite has too.
    """
    known = {*layers}
    others = sorted(name for name in images if name not in known and not _is_no_layer(Path(name).stem, segment))
    if not others:
        return ""
    named = ", ".join(others[:_MOST_NAMED])
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    count = "1 image beside the layers is" if len(others) == 1 else f"{len(others)} images beside the layers are"
    return f"{count} left out: {named}{more}; if these are layers, name and save them as {layers[0]} is."


def _is_no_layer(stem: str, segment: str) -> bool:
    return _NO_LAYER.fullmatch(stem) is not None or (stem == segment and len(segment) > _LAYER_DIGITS)


def in_sequence(folder: Path | str, names: Sequence[str]) -> LayerOrder:
    """Return the names of layers sorted by the number in them that has no gaps.

    Numbers that all have a minus are signed, unless one is 0 or a second column of numbers says otherwise.

    Raises
    ------
    StackError
        If no number in the names differs for all layers, or several of them give different orders.
    """
    column = _layer_numbers(folder, names)
    by_number = dict(zip(column.values, names, strict=True))
    order = sorted(by_number)
    # A stray number may be billions away from the others: list no more missing layers than the message needs.
    missing = list(islice((lost for a, b in pairwise(order) for lost in range(a + 1, b)), 6))
    if missing:
        lacking = ", ".join(map(str, missing[:5])) + (" and more" if len(missing) > 5 else "")
        layers = "layer" if len(missing) == 1 else "layers"
        raise StackError(
            f"{folder} lacks {layers} {lacking} between {order[0]} and {order[-1]}; copy the missing files, or number "
            "the layers one by one."
        )
    ordered = [by_number[number] for number in order]
    note = column.note and (
        f"The layers are numbered {order[0]} to {order[-1]}, {ordered[0]} to {ordered[-1]}: {column.note}, the stack "
        "is back to front; rename the layers then, or read them in the other direction (`--direction`; in the window, "
        "Direction)."
    )
    return LayerOrder(ordered, note)


def _stem(name: str) -> str:
    return Path(name).stem.translate(_MINUS_SIGNS)


def _layer_numbers(folder: Path | str, names: Sequence[str]) -> _Column:
    """Return each layer's number; no two are the same."""
    found = [list(_NUMBER.finditer(_stem(name))) for name in names]
    for name, numbers in zip(names, found, strict=True):
        if not numbers:
            raise StackError(f"{folder}/{name} has no number to tell which layer it is; move it out of the folder.")
    if len({_pattern(name) for name in names}) > 1:
        return _numbers_after_letters(names) or _numbers_of_mixed(folder, names, found)
    columns = [_column(matches) for matches in zip(*found, strict=True)]
    distinct = [column for column in columns if column.is_distinct]
    if not distinct:
        # The column with the most different numbers is most likely the layer's.
        _refuse_same_number(
            folder, names, max((column.values for column in columns), key=lambda values: len(set(values)))
        )
    certain = {column.order for column in distinct if not column.note}
    distinct = [_checked_against(column, certain) for column in distinct]
    without_gaps = [column for column in distinct if column.has_no_gaps]
    if len({column.order for column in without_gaps}) > 1:
        raise StackError(
            f"{folder} holds names with several numbers that give different orders of the layers, such as {names[0]}; "
            "rename them so that only one number counts the layers."
        )
    return without_gaps[0] if without_gaps else min(distinct, key=lambda one: max(one.values) - min(one.values))


def _pattern(name: str, number: re.Pattern[str] = _NUMBER) -> str:
    return number.sub("#", _stem(name).casefold())


def _column(matches: Sequence[re.Match[str]]) -> _Column:
    """Return numbers with their signs; a minus that all names have is a hyphen if one number is 0."""
    values = [int(match[0]) for match in matches]
    are_told_apart = len(values) > 1 and 0 not in values
    if all(match[0].startswith("-") for match in matches):
        return _Column(values, _MINUS) if are_told_apart else _Column([abs(value) for value in values])
    are_after_z = all(_AFTER_Z.search(match.string, 0, match.start()) for match in matches)
    return _Column(values, _HYPHEN if are_told_apart and are_after_z else "")


def _checked_against(column: _Column, certain: set[tuple[int, ...]]) -> _Column:
    """Return numbers with the signs that fit the order of other numbers in the names, if there are any."""
    is_same, is_opposite = column.order in certain, column.order[::-1] in certain
    if not column.note or is_same == is_opposite:
        return column
    return _Column(column.values if is_same else [-value for value in column.values])


def _numbers_after_letters(names: Sequence[str]) -> _Column | None:
    """Return signed numbers after letters, as in `z-1`, `z0`, `z1`, if all names have one and none is missing."""
    if len({_pattern(name, _SIGNED_NUMBER) for name in names}) > 1:
        return None
    found = [_SIGNED_NUMBER.findall(_stem(name)) for name in names]
    columns = [_Column([int(digits) for digits in column]) for column in zip(*found, strict=True)]
    signed = [column for column in columns if column.has_no_gaps and min(column.values) < 0 <= max(column.values)]
    if len(signed) != 1:
        return None
    is_certain = max(signed[0].values) > 0  # else -2, -1, 0 may be 2, 1, 0 after hyphens
    return _Column(signed[0].values, "" if is_certain else _MINUS)


def _numbers_of_mixed(folder: Path | str, names: Sequence[str], found: Sequence[Sequence[re.Match[str]]]) -> _Column:
    """Return the last number of names of several patterns, if these number all layers without a gap."""
    column = _column([matches[-1] for matches in found])
    if column.has_no_gaps:
        return column
    patterns = Counter(_pattern(name) for name in names)
    usual = patterns.most_common(1)[0][0]
    others = sorted(name for name in names if _pattern(name) != usual)
    like = min(name for name in names if _pattern(name) == usual)
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    raise StackError(
        f"{folder} holds {others[0]}{more} beside layers named like {like}: a copy or another image, perhaps; "
        "put the layers of the stack into a folder of their own."
    )


def _refuse_same_number(folder: Path | str, names: Sequence[str], numbers: Sequence[int]) -> None:
    """Raise the error that names two files with the same number."""
    first: dict[int, str] = {}
    for name, number in zip(names, numbers, strict=True):
        if number in first:
            raise StackError(
                f"{folder} holds {first[number]} and {name}, both layer {number} by their names; "
                "put the layers of one stack into a folder of their own."
            )
        first[number] = name
