"""Order of the layer files in a folder, by the numbers in their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path

from napari_ink.errors import StackError

# A minus after a letter or digit is a hyphen, not a sign; so is one that all names have (see `_values`).
_NUMBER = re.compile(r"(?:(?<![A-Za-z0-9])[+-])?[0-9]+")
_LAYER_DIGITS = 6


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
    numbered = [name for name in names if re.fullmatch(r"[+-]?[0-9]+", Path(name).stem)]
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


def in_sequence(folder: Path | str, names: Sequence[str]) -> list[str]:
    """Return the names of layers sorted by the number in them that has no gaps.

    Raises
    ------
    StackError
        If no number in the names differs for all layers, or several of them give different orders.
    """
    numbers = _layer_numbers(folder, names)
    by_number = dict(zip(numbers, names, strict=True))
    order = sorted(by_number)
    # A stray number may be billions away from the others: list no more missing layers than the message needs.
    missing = list(islice((lost for a, b in pairwise(order) for lost in range(a + 1, b)), 6))
    if missing:
        lacking = ", ".join(map(str, missing[:5])) + (" and more" if len(missing) > 5 else "")
        raise StackError(
            f"{folder} lacks layer {lacking} between {order[0]} and {order[-1]}; copy the missing files, or number the "
            "layers one by one."
        )
    return [by_number[number] for number in order]


def _layer_numbers(folder: Path | str, names: Sequence[str]) -> list[int]:
    """Return each layer's number; no two are the same."""
    found = [_NUMBER.findall(Path(name).stem) for name in names]
    for name, numbers in zip(names, found, strict=True):
        if not numbers:
            raise StackError(f"{folder}/{name} has no number to tell which layer it is; move it out of the folder.")
    if len({_pattern(name) for name in names}) > 1:
        return _numbers_of_mixed(folder, names, found)
    columns = [_values(column) for column in zip(*found, strict=True)]
    distinct = [column for column in columns if len(set(column)) == len(column)]
    if not distinct:
        # The column with the most different numbers is most likely the layer's.
        _refuse_same_number(folder, names, max(columns, key=lambda column: len(set(column))))
    without_gaps = [column for column in distinct if max(column) - min(column) == len(column) - 1]
    orders = {tuple(sorted(range(len(names)), key=column.__getitem__)) for column in without_gaps}
    if len(orders) > 1:
        raise StackError(
            f"{folder} holds names with several numbers that give different orders of the layers, such as {names[0]}; "
            "rename them so that only one number counts the layers."
        )
    return without_gaps[0] if without_gaps else min(distinct, key=lambda column: max(column) - min(column))


def _pattern(name: str) -> str:
    return _NUMBER.sub("#", Path(name).stem.casefold())


def _values(column: Sequence[str]) -> list[int]:
    """Return the numbers with their signs; a minus that all names have is a hyphen."""
    is_signed = not all(digits.startswith("-") for digits in column)
    return [int(digits) if is_signed else abs(int(digits)) for digits in column]


def _numbers_of_mixed(folder: Path | str, names: Sequence[str], found: Sequence[Sequence[str]]) -> list[int]:
    """Return the last number of each name for names of several patterns, if these numbers have no gap."""
    numbers = [int(digits[-1]) for digits in found]
    if len(set(numbers)) == len(numbers) == max(numbers) - min(numbers) + 1:
        return numbers
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
