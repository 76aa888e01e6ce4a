"""Checkpoints of the `ink_9um` family, and of others that are laid out alike, read without running code."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from napari_ink.decoding import check_memory, check_regular, decoder_errors, parse_json, read_bounded, reason_of
from napari_ink.errors import CheckpointError
from napari_ink.model.cards import InkModel, ModelCard
from napari_ink.model.contract import InputContract, first_fault
from napari_ink.model.hybrid_config import HybridConfig
from napari_ink.model.pickled import plain_weights, read_pickled

if TYPE_CHECKING:
    from torch import Tensor

    from napari_ink.model.hybrid import HybridNetwork, HybridSizes

WEIGHTS = ("ema_model", "state_dict", "model_state_dict", "model")
"""Entries of a file that may hold the weights, the first of which counts."""

CONFIG_NAMES = ("{stem}.json", "config.json", "train_config.json")
"""Names of the configuration beside weights in a bare safetensors file."""

_SMALLEST_TILE = 32
_VOXEL_UM = 9.6
_OVERLAP = 0.5
_LEFT_BY_WRAPPERS = ("module.", "_orig_mod.")  # of DistributedDataParallel and of torch.compile
# Each convolution and norm is saved under two names.
_SECOND_NAME = re.compile(r"(.*)\.all_modules\.([01])\.(weight|bias)")
_FIRST_NAMES = {"0": "conv", "1": "norm"}
_REMEDY = (
    "if you trust the file, open it where it was made and save it again with plain values alone: "
    "torch.save({'model': weights, 'config': dict(config)}, …)"
)


@dataclass(frozen=True)
class _File:
    """Weights, configuration and step of a file."""

    path: Path
    weights: Mapping[str, Tensor]
    config: HybridConfig
    provenance: Mapping[str, Any]
    beside: bytes = b""
    """Content of the configuration file beside it, which decides about predictions, too."""


def read_ink_9um_card(path: Path) -> ModelCard:
    """Return the card of a checkpoint of this family.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or holds another network.
    """
    file = _read(path)
    contract, provenance = _contract(file)
    _network, weights = _fitted(file, contract)
    parameters = sum(tensor.numel() for tensor in weights.values())
    return ModelCard(path.stem, path, None, contract, provenance, parameters, predicts_edges=False)


def load_ink_9um(path: Path) -> InkModel:
    """Load a checkpoint of this family, ready to predict on the CPU but for the scaling that its contract states.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or holds another network.
    """
    file = _read(path)
    contract, provenance = _contract(file)
    network, weights = _fitted(file, contract)
    with decoder_errors(CheckpointError, path, "fetch the file again"):
        network.load_state_dict({name: weight.float() for name, weight in weights.items()}, strict=True, assign=True)
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256")
    digest.update(file.beside)
    return InkModel(path.stem, network.eval(), None, contract, provenance, digest.hexdigest(), predicts_edges=False)


def _read(path: Path) -> _File:
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pth(path)


def _read_pth(path: Path) -> _File:
    content = read_pickled(path, "a model file that torch saved", _REMEDY)
    content = content if isinstance(content, Mapping) else {}
    name = next((name for name in WEIGHTS if isinstance(content.get(name), Mapping)), None)
    weights = plain_weights(path, content if name is None else content[name])
    if weights is None:
        entries = ", ".join(str(entry)[:40] for entry in list(content)[:6]) or "nothing"
        raise CheckpointError(
            f"{path} holds no weights under {', '.join(WEIGHTS)} (but {entries}); choose a checkpoint of a network."
        )
    config, beside = content.get("config") if name else None, b""
    if config is None:
        config, beside = _config_beside(path, weights)
    step = content.get("step") if name else None
    checked = _checked_config(path, config)
    return _File(path, weights, checked, _provenance(checked, name, step), beside)


def _read_safetensors(path: Path) -> _File:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    size = check_regular(path, CheckpointError)
    check_memory(2 * size, CheckpointError, path, "free some, or choose another model")
    with decoder_errors(CheckpointError, path, "fetch the file again"):
        try:
            weights = load_file(path)
        except SafetensorError as error:
            raise CheckpointError(f"{path} is damaged ({reason_of(error)}); fetch the file again.") from error
    config, beside = _config_beside(path, weights)
    checked = _checked_config(path, config)
    return _File(path, weights, checked, _provenance(checked, None, None), beside)


def _config_beside(path: Path, weights: Mapping[str, object]) -> tuple[object, bytes]:
    """Return the configuration in a JSON file beside a model file, and the content of that file."""
    names = [name.format(stem=path.stem) for name in CONFIG_NAMES]
    there = next((file for name in names if (file := path.with_name(name)).is_file()), None)
    if there is None:
        raise CheckpointError(
            f"{path} holds weights without a configuration ({_in_short(weights)}); put its configuration beside it, as "
            f"{' or '.join(names)}, see docs/models.md."
        )
    content = read_bounded(there, CheckpointError)
    config = parse_json(content, CheckpointError, there)
    return (config.get("config", config) if isinstance(config, Mapping) else config), content


def _checked_config(path: Path, config: object) -> HybridConfig:
    """Return a configuration if its network is of this family, and all of its settings are known here."""
    if not isinstance(config, Mapping):
        raise CheckpointError(f"The configuration of {path} is no dict of plain values; {_REMEDY}.")
    try:
        with decoder_errors(CheckpointError, f"The configuration of {path}", "fetch the file again"):
            return HybridConfig.model_validate(dict(config))
    except CheckpointError as error:
        if not isinstance(error.__cause__, ValidationError):
            raise
        raise CheckpointError(
            f"The configuration of {path} is of a network that is not known here ({first_fault(error.__cause__)}); "
            "export it as TorchScript or ONNX, see docs/models.md."
        ) from error


def _provenance(config: HybridConfig, weights: str | None, step: object) -> dict[str, Any]:
    """Return provenance from a file's entries."""
    found: dict[str, Any] = {"format": "ink_9um checkpoint"}
    if weights is not None:
        found["weights"] = weights
    if isinstance(step, int):
        found["step"] = step
    if config.scrolls:
        found["data"] = f"scrolls {', '.join(config.scrolls)}"
    return found


def _contract(file: _File) -> tuple[InputContract, dict[str, Any]]:
    """Return the input contract that a configuration states, or that of a contract file beside it."""
    from napari_ink.model.foreign import contract_path, read_foreign_contract

    depth, tile = file.config.crop[0], _tile(file)
    contract = InputContract(
        depth_layers=depth,
        min_depth_layers=depth,
        mean=0.0,
        std=1.0,
        normalisation=file.config.normalisation,
        voxel_size_um=_VOXEL_UM,
        tile_size=tile,
        overlap=_OVERLAP,
    )
    if not contract_path(file.path).exists():
        return contract, dict(file.provenance)
    stated = read_foreign_contract(file.path)
    if stated.model_fields_set - {"input", "provenance"} or stated.input.tile_size != tile:
        raise CheckpointError(
            f"{contract_path(file.path)} does not fit {file.path.name}: beside it, it may hold input and provenance "
            f"alone, with a tile_size of {tile}."
        )
    return stated.input, {**file.provenance, **stated.provenance}


def _tile(file: _File) -> int:
    _, height, width = file.config.crop
    if height != width or height < _SMALLEST_TILE:
        raise CheckpointError(
            f"{file.path} reads crops of {height} × {width} pixels, and only squares of at least {_SMALLEST_TILE} are "
            "read here; export it as TorchScript or ONNX, see docs/models.md."
        )
    return height


def _fitted(file: _File, contract: InputContract) -> tuple[HybridNetwork, dict[str, Tensor]]:
    """Return a network without memory, and its weights, after a comparison of all names and shapes."""
    import torch

    from napari_ink.model.hybrid import HybridNetwork

    weights = _once_each(file.path, file.weights)
    sizes = _sizes(file.path, weights)
    # A norm has no deviation to divide by where a single pixel is left.
    if any(contract.tile_size % step or contract.tile_size < 2 * step for step in sizes.divisor):
        raise CheckpointError(
            f"{file.path} reads tiles of {contract.tile_size} pixels, which its coarsest stage cannot divide by "
            f"{sizes.divisor}; its configuration is not that of its weights, so fetch it again."
        )
    with decoder_errors(CheckpointError, file.path, "fetch it again"), torch.device("meta"):
        network = HybridNetwork(sizes, contract.tile_size)
    wanted = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    there = {name: tuple(weight.shape) for name, weight in weights.items()}
    unfit = [name for name in dict.fromkeys((*there, *wanted)) if wanted.get(name) != there.get(name)]
    if unfit:
        raise CheckpointError(
            f"{file.path} is not laid out like ink_9um: {', '.join(unfit[:3])}{' and more' if unfit[3:] else ''} are "
            "missing, too many or of other sizes; export it as TorchScript or ONNX, see docs/models.md."
        )
    return network, weights


def _once_each(path: Path, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights under one name each, without the names that wrappers add; both of two names must agree."""
    import torch

    plain = {_unwrapped(name): weight for name, weight in weights.items()}
    found = {name: weight for name, weight in plain.items() if not _SECOND_NAME.fullmatch(name)}
    for name, weight in plain.items():
        if (second := _SECOND_NAME.fullmatch(name)) is None:
            continue
        first = f"{second[1]}.{_FIRST_NAMES[second[2]]}.{second[3]}"
        same = found.setdefault(first, weight)
        if same.data_ptr() != weight.data_ptr() and not torch.equal(same, weight):
            raise CheckpointError(f"{path} holds two different weights for {first}; fetch it again.")
    return found


def _unwrapped(name: str) -> str:
    while (shorter := next((name[len(one) :] for one in _LEFT_BY_WRAPPERS if name.startswith(one)), None)) is not None:
        name = shorter
    return name


def _sizes(path: Path, weights: Mapping[str, Tensor]) -> HybridSizes:
    from napari_ink.model.hybrid import sizes_of

    try:
        return sizes_of({name: tuple(weight.shape) for name, weight in weights.items()})
    except (LookupError, ValueError) as error:
        raise CheckpointError(
            f"{path} holds no network of the ink_9um family (looked for {error}; {_in_short(weights)}); other networks "
            "can be run as TorchScript or ONNX, see docs/models.md."
        ) from error


def _in_short(weights: Mapping[str, object]) -> str:
    return f"it begins with {', '.join(name[:60] for name in sorted(weights)[:3])}"
