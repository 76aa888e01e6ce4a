"""Checkpoints: weights, config, input contract and provenance in one safetensors file, loaded without running code."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from napari_ink.decoding import check_memory, check_regular, decoder_errors, reason_of
from napari_ink.durable import replacing
from napari_ink.errors import CheckpointError, OutputError
from napari_ink.model.cards import InkModel, ModelCard
from napari_ink.model.config import InkEdgeConfig
from napari_ink.model.contract import InputContract, first_fault
from napari_ink.model.unknown_weights import EXPORT_IT, shapes_in_words, short

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_ink.model.network import InkEdgeNetwork

FORMAT = "napari-ink/1"
TAUGHT_FORMAT = "napari-ink/2"
"""Format of a checkpoint with a forest besides the network, which earlier versions of napari-ink cannot run."""
LINEAR_FORMAT = "napari-ink/3"
"""Format of a checkpoint with a linear head besides network and forest; versions before it refuse it."""
_NETWORK, _FOREST, _LINEAR = "network.", "forest.", "linear."
_TAUGHT = (TAUGHT_FORMAT, LINEAR_FORMAT)
_FEW_LAYERS = 100


def save_checkpoint(
    path: str | os.PathLike[str],
    network: nn.Module,
    config: InkEdgeConfig,
    contract: InputContract,
    provenance: Mapping[str, Any],
) -> Path:
    """Write a checkpoint, which gets its final name only when complete.

    Raises
    ------
    OutputError
        If the file cannot be written there.
    """
    from safetensors.torch import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise OutputError(f"A checkpoint's name ends in .safetensors, and {path.name} does not; rename it.")
    from napari_ink.model.taught_network import TaughtNetwork

    metadata = {
        "format": FORMAT
        if not isinstance(network, TaughtNetwork)
        else TAUGHT_FORMAT
        if network.linear is None
        else LINEAR_FORMAT,
        "config": config.model_dump_json(),
        "contract": contract.without_greys().model_dump_json(),  # those of a stack that was read before
        "provenance": json.dumps(dict(provenance)),
    }
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with replacing(path) as partial:
        partial.write_bytes(save(weights, metadata=metadata))
    return path


def read_own_card(path: Path) -> ModelCard:
    """Read the card of a checkpoint, without its weights.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint of this software.
    """
    metadata, shapes = _read_header(path)
    if (stated := metadata.get("format", "none")) not in (FORMAT, *_TAUGHT):
        if shapes and not stated.startswith("napari-ink"):
            raise CheckpointError(
                f"{path} was not made by napari-ink, and is of no published family that is known here "
                f"({shapes_in_words(shapes)}); {EXPORT_IT}."
            )
        raise CheckpointError(
            f"{path} was not made by napari-ink (its format is {short(stated)}, not {FORMAT}); choose a checkpoint "
            "that `napari-ink models` lists or that napari-ink has trained."
        )
    try:
        provenance = json.loads(metadata["provenance"])
        if not isinstance(provenance, dict):
            raise ValueError("its provenance is not an object")
        return ModelCard(
            name=path.stem,
            path=path,
            config=InkEdgeConfig.model_validate_json(metadata["config"]),
            has_forest=metadata["format"] in _TAUGHT,
            contract=InputContract.model_validate_json(metadata["contract"]).without_greys(),
            provenance=provenance,
            parameters=sum(math.prod(shape) for shape in shapes.values()),
        )
    except ValidationError as error:
        raise CheckpointError(
            f"{path} has a header that cannot be read ({first_fault(error)}); save it again."
        ) from error
    except (KeyError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} has a header that cannot be read ({reason_of(error)}); save it again."
        ) from error


def weight_names(path: Path) -> tuple[str, ...]:
    """Return the names of the weights in a safetensors file.

    Raises
    ------
    CheckpointError
        If it is not a safetensors file.
    """
    return tuple(_read_header(path)[1])


def read_bare_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the weights of another program's safetensors file.

    Raises
    ------
    CheckpointError
        If it is not a safetensors file, or does not fit into memory.
    """
    from safetensors.torch import load_file

    _read_header(path)  # compares the sizes that it states with the file's length
    check_memory(2 * check_regular(path, CheckpointError), CheckpointError, path, "free some, or choose another model")
    with decoder_errors(CheckpointError, path, "fetch the file again"):
        return load_file(path)


def _read_header(path: Path) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """Return the metadata of a safetensors file and the shapes of its tensors."""
    from safetensors import SafetensorError, safe_open

    check_regular(path, CheckpointError)
    with decoder_errors(CheckpointError, path, "choose a .safetensors file of napari-ink"):
        try:
            with safe_open(path, framework="np") as file:
                # safetensors itself checks the sizes in the header against the file's length.
                names = file.keys()
                shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
                return file.metadata() or {}, shapes
        except SafetensorError as error:
            raise CheckpointError(
                f"{path} is not a checkpoint: {reason_of(error)}; choose a .safetensors file of napari-ink."
            ) from error


def load_own(path: Path) -> InkModel:
    """Load a checkpoint, ready to predict on the CPU.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint, or its weights do not fit its config.
    """
    from safetensors.torch import load

    from napari_ink.model.network import InkEdgeNetwork

    card = read_own_card(path)
    config = cast(InkEdgeConfig, card.config)
    # Memory for the file's bytes, the tensors made from them, and the network that these are copied to.
    check_memory(3 * check_regular(path, CheckpointError), CheckpointError, path, "free some, or choose another model")
    _check_fit(path, config)
    with decoder_errors(CheckpointError, path, "save it again"):
        content = path.read_bytes()
        weights = load(content)
        network: nn.Module = InkEdgeNetwork(config)
        if card.has_forest:
            network = _with_forest(cast(InkEdgeNetwork, network), weights)
        else:
            network.load_state_dict(weights, strict=True)
    network.eval()
    digest = hashlib.sha256(content).hexdigest()
    return InkModel(card.name, network, config, card.contract, card.provenance, digest)


def _with_forest(network: InkEdgeNetwork, weights: Mapping[str, Tensor]) -> nn.Module:
    from napari_ink.model.forest import Forest
    from napari_ink.model.linear_head import LinearHead
    from napari_ink.model.stroke_features import feature_count
    from napari_ink.model.taught_network import TaughtNetwork

    network.load_state_dict(_part(weights, _NETWORK), strict=True)
    forest = Forest(**_part(weights, _FOREST))
    forest.check(feature_count(network))
    linear = None
    if tensors := _part(weights, _LINEAR):
        linear = LinearHead(**tensors)
        linear.check(feature_count(network))
    return TaughtNetwork(network, forest, linear)


def _part(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _check_fit(path: Path, config: InkEdgeConfig) -> None:
    """Compare the shapes that a config requires with those in the file, before allocating memory."""
    import torch

    from napari_ink.model.network import InkEdgeNetwork

    metadata, there = _read_header(path)
    if metadata.get("format") in _TAUGHT:
        # The sizes of a forest follow from nothing; its tensors, and a linear head's, are checked once they are read.
        there = {name.removeprefix(_NETWORK): shape for name, shape in there.items() if name.startswith(_NETWORK)}
    # Building a network of too many layers takes long, even without memory for its weights.
    if sum(config.per_stage("num_layers")) > max(len(there), _FEW_LAYERS):
        raise CheckpointError(
            f"The weights in {path} do not fit its config: {len(there)} weights are too few for its layers; "
            "save it again."
        )
    try:
        # Tensors on this device have shapes but no memory.
        with torch.device("meta"):
            wanted = {name: tuple(weight.shape) for name, weight in InkEdgeNetwork(config).state_dict().items()}
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        raise CheckpointError(
            f"The weights in {path} do not fit its config: {reason_of(error)}; save it again."
        ) from error
    unfit = [name for name in (*there, *wanted) if wanted.get(name) != there.get(name)]
    if unfit:
        named = ", ".join(list(dict.fromkeys(unfit))[:3]) + (" and more" if len(unfit) > 3 else "")
        raise CheckpointError(
            f"The weights in {path} do not fit its config: {named} are missing, too many or of other sizes; "
            "save it again."
        )
