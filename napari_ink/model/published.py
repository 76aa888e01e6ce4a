"""Model files that are published as weights with a training configuration, read without running code.

The configuration's `model_type` says which family of networks a file is of; `FAMILIES` lists those that are known. Two
families state none, and are known by the names of their weights.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from napari_ink.calibration_file import LEVELS, NAME, read_calibration
from napari_ink.decoding import decoder_errors, parse_json, read_bounded
from napari_ink.errors import CheckpointError
from napari_ink.model.cards import InkModel, ModelCard
from napari_ink.model.checkpoint import read_bare_safetensors
from napari_ink.model.contract import InputContract, first_fault
from napari_ink.model.families import Family, looked_for
from napari_ink.model.pickled import plain_weights, read_pickled
from napari_ink.model.unknown_weights import EXPORT_IT, in_words, short
from napari_ink.model.weight_checks import check_finite, check_layout, full_precision

if TYPE_CHECKING:
    from torch import Tensor, nn

FAMILIES = {
    "vesuvius_unet_3d_stem_2d": "ink_9um",
    "unet_3d_stem_2d": "ink_9um",
    "multiteacher_3d_projection": "hecate",
    "ink_canonical_2um": "canonical_2um",
    "v8-in": "v8_in",
}
"""Types of networks, and the modules beside this one that hold a `FAMILY`."""

WITHOUT_TYPE = (("decoder.depth_collapse.", "ink_canonical_2um"), ("decoder.convs.", "v8-in"))
"""Beginnings of names of weights, and the types of networks whose files state none."""

WEIGHTS = ("ema_model", "state_dict", "model_state_dict", "model")
"""Entries of a file that may hold the weights, the first of which counts."""

CONFIG_NAMES = ("{stem}.json", "config.json", "train_config.json")
"""Names of the configuration beside weights in a bare safetensors file."""

_LEFT_BY_WRAPPERS = ("module.", "_orig_mod.", "model.")  # of DistributedDataParallel, torch.compile and Lightning
# Each convolution and norm is saved under two names.
_SECOND_NAME = re.compile(r"(.*)\.all_modules\.([01])\.(weight|bias)")
_FIRST_NAMES = {"0": "conv", "1": "norm"}
# They come from a file, and every prediction's record repeats them.
_MOST_NAMES, _LONGEST_NAME = 32, 100
_REMEDY = (
    "if you trust the file, open it where it was made and save it again with plain values alone: "
    "torch.save({'model': weights, 'config': dict(config)}, …)"
)


@dataclass(frozen=True)
class _File:
    """Weights, configuration and step of a file."""

    path: Path
    weights: Mapping[str, Tensor]
    config: object
    entry: str | None = None
    step: object = None
    beside: bytes = b""
    """Content of the configuration file beside it, which decides about predictions, too."""
    averaged: object = None
    """Files whose weights were averaged, as `averaging` records them."""


@dataclass(frozen=True)
class PublishedFile:
    """A file whose network is known.

    Attributes
    ----------
    path
        Path of the file.
    family
        Name of its family.
    contract
        Input contract.
    weights
        All weights, under the names in the file.
    config
        Its configuration.
    entry
        Entry of the file that holds the weights; None for bare ones.
    step
        Training step that it states.
    sha256
        Digest of the file.
    """

    path: Path
    family: str
    contract: InputContract
    weights: Mapping[str, Tensor]
    config: Mapping[str, Any]
    entry: str | None
    step: object
    sha256: str


@dataclass(frozen=True)
class _Opened:
    """A file whose network is known, but has no memory yet."""

    contract: InputContract
    provenance: Mapping[str, Any]
    network: nn.Module
    weights: Mapping[str, Tensor]
    beside: bytes


def read_published(path: Path) -> PublishedFile:
    """Return the weights and the configuration of a published file, checked as `load_published` checks them.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or holds a network that is not known.
    """
    file = _read(path)
    opened = _opened_file(file)
    check_finite(path, opened.weights)
    assert isinstance(file.config, Mapping)  # checked on opening
    return PublishedFile(
        path,
        _family(file).name,
        opened.contract,
        file.weights,
        file.config,
        file.entry,
        file.step,
        _digest(path, file.beside),
    )


def read_published_card(path: Path) -> ModelCard:
    """Return the card of a published file.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or holds a network that is not known.
    """
    opened = _opened(path)
    parameters = sum(weight.numel() for weight in opened.network.parameters())
    return ModelCard(path.stem, path, None, opened.contract, opened.provenance, parameters, predicts_edges=False)


def load_published(path: Path) -> InkModel:
    """Load a published file, ready to predict on the CPU but for the scaling of crops that its contract states.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or holds a network that is not known.
    """
    opened = _opened(path)
    full = full_precision(path, opened.weights)
    with decoder_errors(CheckpointError, path, "fetch the file again"):
        # Assigned, since the network has shapes but no memory that the weights could be copied to.
        opened.network.load_state_dict(full, strict=True, assign=True)
    network, digest = opened.network.eval(), _digest(path, opened.beside)
    return InkModel(path.stem, network, None, opened.contract, opened.provenance, digest, predicts_edges=False)


def _digest(path: Path, beside: bytes) -> str:
    """Return the SHA-256 of a file and of the configuration beside it."""
    with decoder_errors(CheckpointError, path, "fetch the file again"), path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(beside)
    return digest.hexdigest()


def _opened(path: Path) -> _Opened:
    return _opened_file(_read(path))


def _read(path: Path) -> _File:
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pth(path)


def _opened_file(file: _File) -> _Opened:
    family = _family(file)
    config = _checked_config(file, family)
    contract, provenance = _contract(file, family, config)
    weights = _once_each(file.path, file.weights, family)
    network = _fitted(file.path, family, config, weights)
    return _Opened(contract, provenance, network, weights, file.beside)


def _read_pth(path: Path) -> _File:
    content = read_pickled(path, "a model file that torch saved", _REMEDY)
    content = content if isinstance(content, Mapping) else {}
    name = next((name for name in WEIGHTS if isinstance(content.get(name), Mapping)), None)
    weights = plain_weights(path, content if name is None else content[name])
    if weights is None:
        texts = [short(entry) for entry in content if isinstance(entry, str)]
        entries = ", ".join(texts[:6]) or "nothing"
        raise CheckpointError(
            f"{path} holds no weights under {', '.join(WEIGHTS)} (but {entries}); choose a checkpoint of a network."
        )
    config, beside = content.get("config") if name else None, b""
    step = (content.get("step") or content.get("global_step")) if name else None
    if config is None and (kind := type_of_weights(weights)) is not None:
        settings = content.get("hyper_parameters")
        return _File(path, weights, _typed(kind, settings), name, step)
    if config is None:
        config, beside = _config_beside(path, weights)
    return _File(path, weights, config, name, step, beside, content.get("averaged"))


def _read_safetensors(path: Path) -> _File:
    weights = read_bare_safetensors(path)
    kind = type_of_weights(weights)
    if kind is not None and not _config_files(path):
        return _File(path, weights, _typed(kind, None))
    config, beside = _config_beside(path, weights)
    # A configuration that is no object is refused later, not ignored.
    if kind is not None and isinstance(config, Mapping):
        config = _typed(kind, config)
    return _File(path, weights, config, beside=beside)


def type_of_weights(names: Iterable[str]) -> str | None:
    """Return the type of network that names of weights tell, for files that state none; None for any other."""
    plain = [_unwrapped(name) for name in names]
    return next((kind for start, kind in WITHOUT_TYPE if any(name.startswith(start) for name in plain)), None)


def _typed(kind: str, settings: object) -> dict[str, Any]:
    """Return settings beside weights as a configuration that states its type."""
    return {**(settings if isinstance(settings, Mapping) else {}), "model_type": kind}


def _config_files(path: Path) -> list[Path]:
    return [file for name in CONFIG_NAMES if (file := path.with_name(name.format(stem=path.stem))).is_file()]


def _config_beside(path: Path, weights: Mapping[str, Tensor]) -> tuple[object, bytes]:
    """Return the configuration in a JSON file beside a model file, and the content of that file."""
    names = [name.format(stem=path.stem) for name in CONFIG_NAMES]
    if (there := next(iter(_config_files(path)), None)) is None:
        raise CheckpointError(
            f"{path} holds weights without a configuration ({in_words(weights)}); put its configuration beside it, as "
            f"{' or '.join(names)}, see docs/models.md."
        )
    content = read_bounded(there, CheckpointError)
    config = parse_json(content, CheckpointError, there)
    return (config.get("config", config) if isinstance(config, Mapping) else config), content


def _family(file: _File) -> Family:
    if not isinstance(file.config, Mapping):
        remedy = "write it as one object, in braces" if file.beside else _REMEDY
        raise CheckpointError(f"The configuration of {file.path} is no dict of plain values; {remedy}.")
    # Of other values only the type is shown: nested deeply enough, they cannot even be printed.
    stated = file.config.get("model_type")
    kind = stated if isinstance(stated, str) else type(stated).__name__
    if kind not in FAMILIES:
        raise CheckpointError(
            f"{file.path} holds a network whose model_type is {short(kind)}, which is not known here "
            f"({in_words(file.weights)}); {EXPORT_IT}."
        )
    # Only names of the table are imported, never one that a file states.
    module = importlib.import_module(f"napari_ink.model.{FAMILIES[kind]}")
    family: Family = module.FAMILY
    return family


def _checked_config(file: _File, family: Family) -> Any:
    """Return a configuration if all of its settings are known here."""
    whose = f"The configuration of {file.path}"
    try:
        with decoder_errors(CheckpointError, whose, "fetch the file again"):
            return family.config.model_validate(file.config)
    except CheckpointError as error:
        if not isinstance(error.__cause__, ValidationError):
            raise
        raise CheckpointError(
            f"{whose} is of a network that is not known here ({first_fault(error.__cause__)}); {EXPORT_IT}."
        ) from error


def _contract(file: _File, family: Family, config: Any) -> tuple[InputContract, dict[str, Any]]:
    """Return the input contract that a configuration states, or that of a contract file beside it."""
    from napari_ink.model.foreign import contract_path, read_foreign_contract

    contract = InputContract(mean=0.0, **{"std": 1.0, **family.contract(config)})
    provenance = {"format": f"{family.name} checkpoint", **family.provenance(config)}
    provenance |= {} if file.entry is None else {"weights": file.entry}
    provenance |= {"step": file.step} if isinstance(file.step, int) else {}
    provenance |= {"averaged": names} if (names := _averaged(file.averaged)) else {}
    provenance |= _calibrated(file.path)
    if not contract_path(file.path).exists():
        return contract, provenance
    stated = read_foreign_contract(file.path)
    fixed = ("tile_size", "depth_layers", "min_depth_layers")
    if stated.model_fields_set - {"input", "provenance"} or any(
        getattr(stated.input, name) != getattr(contract, name) for name in fixed
    ):
        raise CheckpointError(
            f"{contract_path(file.path)} does not fit {file.path.name}: beside it, it may hold input and provenance "
            f"alone, with a tile_size of {contract.tile_size} and {contract.depth_layers} depth_layers and "
            "min_depth_layers."
        )
    return stated.input, {**provenance, **stated.provenance}


def _calibrated(path: Path) -> dict[str, Any]:
    """Return the threshold of a calibration.json beside a file, unless it names another file."""
    beside = path.with_name(NAME)
    if not beside.is_file():
        return {}
    found = read_calibration(beside)
    if found.checkpoint and path.stem not in found.checkpoint:
        return {}
    return {"thresholds": {"ink": found.threshold / (LEVELS - 1)}, "calibration": found.in_words}


def _averaged(listed: object) -> list[str]:
    """Return the names of the files that a file states to be the mean of."""
    names = [one.get("file") for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    return [name[:_LONGEST_NAME] for name in names if isinstance(name, str) and name.isprintable()][:_MOST_NAMES]


def _fitted(path: Path, family: Family, config: Any, weights: Mapping[str, Tensor]) -> nn.Module:
    """Return a network without memory, after a comparison of all names and shapes with those of the weights."""
    import torch

    there = {name: tuple(weight.shape) for name, weight in weights.items()}
    if empty := [name for name, shape in there.items() if 0 in shape]:
        raise CheckpointError(f"{path} holds no numbers in {short(empty[0])}; fetch the file again.")
    try:
        with torch.device("meta"):
            network = family.network(config, there)
    # Shapes in a file may be anything, so building a network from them fails in many ways.
    except (LookupError, ValueError, RuntimeError, TypeError, ArithmeticError) as error:
        raise CheckpointError(
            f"{path} holds no network of the family {family.name} ({looked_for(error)}; {in_words(weights)}); "
            f"{EXPORT_IT}."
        ) from error
    check_layout(path, family.name, network, weights)
    return network


def _once_each(path: Path, weights: Mapping[str, Tensor], family: Family) -> dict[str, Tensor]:
    """Return weights under one name each, without those unused or names that wrappers add; two names must agree."""
    plain = {family.prefix + _unwrapped(name): weight for name, weight in weights.items()}
    plain = {name: weight for name, weight in plain.items() if not name.startswith(family.unused)}
    found = {name: weight for name, weight in plain.items() if not _SECOND_NAME.fullmatch(name)}
    for name, weight in plain.items():
        if (second := _SECOND_NAME.fullmatch(name)) is None:
            continue
        first = f"{second[1]}.{_FIRST_NAMES[second[2]]}.{second[3]}"
        same = found.setdefault(first, weight)
        # In a .pth both names share memory, so only weights of safetensors need to be compared.
        if same.data_ptr() != weight.data_ptr() and not _are_same(same, weight):
            raise CheckpointError(f"{path} holds two different weights for {short(first)}; fetch it again.")
    return found


def _are_same(one: Tensor, other: Tensor) -> bool:
    """Whether two weights hold the same bytes; numbers would not do, since NaN differs from itself."""
    import torch

    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    bits, others = (weight.reshape(-1).view(torch.uint8) for weight in (one, other))
    return torch.equal(bits, others)


def _unwrapped(name: str) -> str:
    while (shorter := next((name[len(one) :] for one in _LEFT_BY_WRAPPERS if name.startswith(one)), None)) is not None:
        name = shorter
    return name
