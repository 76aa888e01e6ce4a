"""`napari-ink models`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from napari_ink.cli.common import json_argument as add_arguments
from napari_ink.cli.common import print_json

if TYPE_CHECKING:
    from napari_ink.model import ModelCard

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> None:
    """List the models that can be run here, with what each reads."""
    from napari_ink.model import shipped_models

    cards = shipped_models()
    if arguments.json:
        print_json([_card_facts(card) for card in cards])
        return
    for card in cards:
        contract = card.contract
        print(
            f"{card.name}: {card.parameters / 1e6:.1f} million parameters; reads {contract.depth_layers} depth layers "
            f"(at least {contract.min_depth_layers}), {contract.direction}, in tiles of {contract.tile_size} pixels; "
            f"trained at {contract.voxel_size_um} µm"
        )


def _card_facts(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "path": str(card.path),
        "parameters": card.parameters,
        "contract": card.contract.model_dump(mode="json"),
        "provenance": dict(card.provenance),
    }
