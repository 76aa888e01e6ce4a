"""The command `napari-ink models`: list and describe models."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.cli.common import json_argument, print_json

if TYPE_CHECKING:
    from napari_ink.model import ModelCard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="names or files of models; default: all that come with napari-ink"
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="list models that others publish, with their addresses and licences; nothing is downloaded",
    )
    parser.add_argument(
        "--average",
        type=Path,
        metavar="OUT.pth",
        help="write the mean of the weights of these files, which must be checkpoints of one run",
    )
    json_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """List the models that come with napari-ink, describe model files, or average checkpoints of one run."""
    from napari_ink.model import read_card, shipped_models

    if arguments.published:
        _print_published(arguments.json)
        return
    if arguments.average is not None:
        from napari_ink.model.averaging import average_checkpoints

        print(average_checkpoints([Path(name) for name in arguments.models], arguments.average.absolute()))
        return
    cards = tuple(read_card(name) for name in arguments.models) or shipped_models()
    if arguments.json:
        print_json([_facts(card) for card in cards])
    else:
        print("\n".join(line for card in cards for line in _lines(card)))


def _print_published(as_json: bool) -> None:
    from dataclasses import asdict

    from napari_ink.model.published_models import PUBLISHED_MODELS

    if as_json:
        print_json([asdict(model) for model in PUBLISHED_MODELS])
        return
    for model in PUBLISHED_MODELS:
        print(f"{model.name}: reads {model.reads}; licence: {model.licence}")
        print(f"  {model.address or 'address not known'}")
        if model.scored:
            print(f"  reported: {model.scored}")


def _lines(card: ModelCard) -> Iterator[str]:
    from napari_ink.model import recommended_thresholds

    contract = card.contract
    size = "" if card.parameters is None else f"{card.parameters / 1e6:.1f} million parameters; "
    yield (
        f"{card.name}: {size}reads {contract.depth_layers} depth layers (at least {contract.min_depth_layers}), "
        f"{contract.direction}, in tiles of {contract.tile_size} pixels; trained at {contract.voxel_size_um or '?'} µm"
    )
    # Every model has thresholds: 0.5 where its provenance records none.
    cuts = recommended_thresholds(card.provenance)
    edges = f"edges at {cuts['edge']:g}" if card.predicts_edges else "it predicts no edges"
    stated = card.provenance.get("thresholds")
    guess = "" if isinstance(stated, Mapping) and "ink" in stated else " (a guess: none is known)"
    yield f"  best thresholds: ink at {cuts['ink']:.3g}{guess}, {edges}"
    calibration = card.provenance.get("calibration")
    if isinstance(calibration, Mapping):
        scaled = ", ".join(f"{name} {value}" for name, value in calibration.items())
        yield f"  probabilities are calibrated on kinds of phantoms left out of training (logits: {scaled})"
    elif calibration:
        yield f"  {calibration}"
    scores = card.provenance.get("validation")
    if isinstance(scores, Mapping):
        yield "  validation: " + ", ".join(f"{name} {value}" for name, value in scores.items())
    left_out = card.provenance.get("left_out")
    if isinstance(left_out, Mapping) and isinstance(left_out.get("mean"), Mapping):
        means = ", ".join(f"{name} {value}" for name, value in left_out["mean"].items())
        # A model that knows all worlds is scored by networks trained alike, each without some of them.
        yield f"  on kinds of phantoms left out of training, of this network or of ones trained alike: {means}"
    data = card.provenance.get("data") or card.provenance.get("format")
    if data:
        yield f"  made from: {data}"


def _facts(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "path": str(card.path),
        "parameters": card.parameters,
        "predicts_edges": card.predicts_edges,
        "contract": card.contract.model_dump(mode="json"),
        "provenance": dict(card.provenance),
    }
