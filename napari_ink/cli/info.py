"""The command `napari-ink info`: describe a stack, a prediction, a map, or the predictions of a project."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.cli.common import grey_range, grey_range_argument, json_argument, print_json, stack_argument
from napari_ink.cli.project_info import print_project, project_at
from napari_ink.cli.reproduce import command_again, why_no_command
from napari_ink.errors import BadInputError, ContractError, StackError

if TYPE_CHECKING:
    from napari_ink.stack import DepthStack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    stack_argument(parser, "; or a prediction (.zarr), a project's folder, or a map that was exported as TIFF")
    grey_range_argument(parser)
    json_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Describe a stack (shape, dtype, voxel size, format, labels beside it), a prediction, a map, or a project."""
    from napari_ink.stack import find_beside, grey_note, open_stack

    if (record := _prediction(arguments.stack)) is not None:
        _refuse_grey_range(arguments, "a prediction")
        _print_record(record, arguments.json)
        return
    if (made := _map_record(arguments.stack)) is not None:
        _refuse_grey_range(arguments, "a map")
        print_json(made)
        return
    if (project := project_at(arguments.stack)) is not None:
        _refuse_grey_range(arguments, "a project")
        print_project(project, arguments.json)
        return
    stack = open_stack(arguments.stack)
    beside = find_beside(stack)
    facts: dict[str, Any] = {
        "name": stack.name,
        "source": str(stack.source),
        "format": stack.format,
        "shape": list(stack.shape),
        "dtype": stack.dtype.name,
        "scaling": stack.scaling or "as stored",
        "notes": list(stack.notes),
        "grey_values": _greys(stack, grey_range(arguments)),
        "grey_note": grey_note(stack, grey_range(arguments)) or None,
        "model_note": _on_model(stack),
        "voxel_size_um": stack.voxel_size_um,
        "surface_layer": stack.surface_z,
        "levels": [list(level.shape) for level in stack.levels],
        "missing": stack.missing() or None,
        "slow": stack.slow or None,
        "mask": beside.mask and str(beside.mask),
        "ink_labels": beside.ink_labels and str(beside.ink_labels),
    }
    if arguments.json:
        print_json(facts)
        return
    # The text output is for people, who read sizes and ranges in words; programs take the numbers of the JSON above.
    facts["levels"] = ", ".join(" × ".join(map(str, shape)) for shape in facts["levels"]) or "none but the first"
    if (greys := facts["grey_values"]) is not None:
        facts["grey_values"] = "{low} to {high} of {black:g} to {white:g}, in a sample".format(**greys)
    facts["notes"] = " ".join(facts["notes"]) or None
    for name in ("missing", "slow", "grey_note", "model_note", "notes"):
        if facts[name] is None:
            del facts[name]
    facts["shape"] = "{} depth layers of {} × {} pixels (height × width)".format(*stack.shape)
    for name, value in facts.items():
        print(f"{name.replace('_', ' ') + ':':15}{'unknown' if value is None else value}")


def _refuse_grey_range(arguments: argparse.Namespace, what: str) -> None:
    if arguments.grey_range is not None:
        raise BadInputError(f"{arguments.stack} is {what}, and only stacks have a grey range; leave out --grey-range.")


def _greys(stack: DepthStack, grey_range: tuple[float, float] | None) -> dict[str, float] | None:
    """Return the range of a sample of grey values, and the values shown black and white; None if unreadable."""
    from napari_ink.stack import grey_fill

    try:
        sample = stack.grey_sample()
    except StackError:
        return None  # the note says why
    fill = grey_fill(sample, grey_range)
    return {"low": fill.low, "high": fill.high, "black": fill.black, "white": fill.white}


def _on_model(stack: DepthStack) -> str | None:
    """Return a sentence if the stack lies outside of what the default model was trained on; else None."""
    from napari_ink.model import DEFAULT_MODEL, read_card
    from napari_ink.predict import familiarity_notes

    try:
        notes = familiarity_notes(read_card(DEFAULT_MODEL), stack)
    except (StackError, ContractError):
        return None  # other notes say why it cannot be read
    return " ".join(f"{DEFAULT_MODEL}: {note}" for note in notes) or None


def _map_record(source: str) -> dict[str, Any] | None:
    """Return what a map's TIFF says about its making; None for anything else."""
    if not source.lower().endswith((".tif", ".tiff")):
        return None
    from napari_ink.export.map_tiff import read_map_record

    # Most TIFFs that are described are stacks, so the remedy is the one for layers.
    found = read_map_record(Path(source).absolute(), "replace it with the original file")
    return None if found is None else dict(found)


def _prediction(source: str) -> dict[str, Any] | None:
    """Return the provenance of a prediction store; None for anything else."""
    try:
        if not (Path(source) / "zarr.json").is_file():
            return None
    except (OSError, ValueError):
        return None  # opening it as a stack reports the problem
    from napari_ink.predict import NoPredictionError, open_prediction

    try:
        prediction = open_prediction(source)
    except NoPredictionError:
        return None
    record = {"prediction": str(prediction.path), "done": round(prediction.done_fraction, 4), **prediction.provenance}
    why_not = why_no_command(prediction.provenance)
    return {**record, "again": command_again(prediction.provenance), **({"why_not_again": why_not} if why_not else {})}


def _print_record(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(values)
        return
    if values["again"] is None:
        del values["again"]  # the text output gives the reason instead
    for name, value in _flat(values):
        print(f"{name + ':':37} {value}")


def _flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{before}{name} ")
        else:
            text = "not given" if value is None else "none" if value in ({}, []) else value
            yield (before + name).replace("_", " "), text
