"""Checkpoints: weights, config, input contract and provenance in one safetensors file, loaded without running code."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from napari_ink.errors import CheckpointError, OutputError, storage_errors
from napari_ink.model.cards import InkModel, ModelCard
from napari_ink.model.config import InkEdgeConfig
from napari_ink.model.contract import InputContract

if TYPE_CHECKING:
    from torch import nn

FORMAT = "napari-ink/1"


def save_checkpoint(
    path: str | os.PathLike[str],
    network: nn.Module,
    config: InkEdgeConfig,
    contract: InputContract,
    provenance: Mapping[str, Any],
) -> Path:
    """Write a checkpoint, under its final name only once it is whole.

    Raises
    ------
    OutputError
        If the file cannot be written there.
    """
    from safetensors.torch import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise OutputError(f"A checkpoint's name ends in .safetensors, and {path.name} does not; rename it.")
    metadata = {
        "format": FORMAT,
        "config": config.model_dump_json(),
        "contract": contract.model_dump_json(),
        "provenance": json.dumps(dict(provenance)),
    }
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with storage_errors(path):
            partial.write_bytes(save(weights, metadata=metadata))
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def read_own_card(path: Path) -> ModelCard:
    """Read what a checkpoint says of itself, without its weights.

    Raises
    ------
    CheckpointError
        If the file is no checkpoint of this software.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            parameters = sum(_count(file.get_slice(name).get_shape()) for name in names)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint: {error}; choose a .safetensors file of napari-ink."
        ) from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} was not made by napari-ink (its format is {metadata.get('format')!r}, not {FORMAT!r}); "
            "choose a checkpoint that `napari-ink models` lists or that napari-ink has trained."
        )
    try:
        return ModelCard(
            name=path.stem,
            path=path,
            config=InkEdgeConfig.model_validate_json(metadata["config"]),
            contract=InputContract.model_validate_json(metadata["contract"]),
            provenance=json.loads(metadata["provenance"]),
            parameters=parameters,
        )
    except (KeyError, ValidationError, json.JSONDecodeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path} has a header that cannot be read ({reason}); save it again.") from error


def _count(shape: list[int]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total


def load_own(path: Path) -> InkModel:
    """Load a checkpoint, ready to predict on the CPU.

    Raises
    ------
    CheckpointError
        If the file is no checkpoint, or its weights do not fit its config.
    """
    from safetensors.torch import load

    from napari_ink.model.network import InkEdgeNetwork

    card = read_own_card(path)
    content = path.read_bytes()
    try:
        network = InkEdgeNetwork(cast(InkEdgeConfig, card.config))  # torch refuses sizes that memory cannot hold
        network.load_state_dict(load(content), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"The weights in {path} do not fit its config: {reason}; save it again.") from error
    network.eval()
    digest = hashlib.sha256(content).hexdigest()
    return InkModel(card.name, network, card.config, card.contract, card.provenance, digest)
