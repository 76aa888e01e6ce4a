"""Checkpoints: weights, config, input contract and provenance in one safetensors file, loaded without running code."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from napari_ink.errors import CheckpointError, OutputError, storage_errors
from napari_ink.model.config import InkEdgeConfig
from napari_ink.model.contract import InputContract

if TYPE_CHECKING:
    from torch import nn

FORMAT = "napari-ink/1"
SHIPPED_FOLDER = Path(__file__).parent / "checkpoints"
DEFAULT_MODEL = "ink-tiny-1"


@dataclass(frozen=True)
class ModelCard:
    """What a checkpoint says of itself, read from its header alone."""

    name: str
    path: Path
    config: InkEdgeConfig
    contract: InputContract
    provenance: Mapping[str, Any]
    parameters: int


@dataclass(frozen=True)
class InkModel:
    """A network ready to predict, with the contract that its input must keep and where it comes from."""

    name: str
    network: nn.Module
    config: InkEdgeConfig
    contract: InputContract
    provenance: Mapping[str, Any]
    sha256: str


def recommended_thresholds(provenance: Mapping[str, Any]) -> dict[str, float]:
    """Return where a model's probabilities of ``ink`` and ``edge`` are best cut, or a half where it does not say."""
    said = provenance.get("thresholds")
    values = said if isinstance(said, Mapping) else {}
    return {what: _fraction(values.get(what)) for what in ("ink", "edge")}


def _fraction(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 < value < 1 else 0.5


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


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Read what a checkpoint says of itself, without its weights.

    Raises
    ------
    CheckpointError
        If the file is no checkpoint of this software.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint at {path}; check the path, or choose one that `models` lists.")
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


def shipped_models() -> tuple[ModelCard, ...]:
    """Return the cards of the checkpoints that come with the package, by name."""
    return tuple(read_card(path) for path in sorted(SHIPPED_FOLDER.glob("*.safetensors")))


def load_model(name_or_path: str | os.PathLike[str] = DEFAULT_MODEL) -> InkModel:
    """Load a shipped model by name, or a checkpoint by path, ready to predict on the CPU.

    Raises
    ------
    CheckpointError
        If there is no such model, the file is no checkpoint, or its weights do not fit its config.
    """
    from safetensors.torch import load

    from napari_ink.model.network import InkEdgeNetwork

    path = SHIPPED_FOLDER / f"{name_or_path}.safetensors"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file() and path.suffix != ".safetensors":
        known = ", ".join(card.stem for card in sorted(SHIPPED_FOLDER.glob("*.safetensors"))) or "none"
        raise CheckpointError(f"There is no model called {name_or_path}; name one of {known}, or a .safetensors file.")
    card = read_card(path)
    content = path.read_bytes()
    network = InkEdgeNetwork(card.config)
    try:
        network.load_state_dict(load(content), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"The weights in {path} do not fit its config: {reason}; save it again.") from error
    network.eval()
    digest = hashlib.sha256(content).hexdigest()
    return InkModel(card.name, network, card.config, card.contract, card.provenance, digest)
