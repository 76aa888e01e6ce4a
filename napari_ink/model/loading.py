"""Loading of models by name or file, with the reader of each format."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_ink.decoding import exists
from napari_ink.errors import CheckpointError
from napari_ink.model import checkpoint
from napari_ink.model.cards import InkModel, ModelCard

if TYPE_CHECKING:
    from torch import nn

SHIPPED_FOLDER = Path(__file__).parent / "checkpoints"
KNOWN_TEXTURE = "known_texture.json"
DEFAULT_MODEL = "ink-tiny-9"
OWN, PTH, LIGHTNING, TORCHSCRIPT, ONNX = ".safetensors", (".pth",), (".ckpt",), (".pt", ".pts", ".ts"), (".onnx",)
MODEL_SUFFIXES = (OWN, *PTH, *LIGHTNING, *TORCHSCRIPT, *ONNX)
"""Suffixes of model files."""

_Origin = Literal["own", "published", "Grand Prize", "foreign"]


def shipped_models() -> tuple[ModelCard, ...]:
    """Return the cards of the checkpoints that come with the package, by name."""
    return tuple(read_card(path) for path in sorted(SHIPPED_FOLDER.glob("*" + OWN)))


def read_card(name_or_path: str | os.PathLike[str]) -> ModelCard:
    """Read the card of a model, from its file or from the contract file beside it.

    Raises
    ------
    CheckpointError
        If the model does not exist, or its file is invalid.
    """
    path = _existing(name_or_path)
    origin = _origin(path)
    if origin == "own":
        card = checkpoint.read_own_card(path)
        return replace(card, provenance=_with_known_texture(path, card.provenance))
    if origin == "published":
        from napari_ink.model.published import read_published_card

        return read_published_card(path)
    if origin == "Grand Prize":
        from napari_ink.model.lightning import read_grand_prize_card

        return read_grand_prize_card(path)
    from napari_ink.model.foreign import read_foreign_contract

    stated = read_foreign_contract(path)
    return ModelCard(path.stem, path, None, stated.input, stated.provenance, None, stated.edge is not None)


def load_model(name_or_path: str | os.PathLike[str] = DEFAULT_MODEL) -> InkModel:
    """Load a shipped model by name, or a model file by path, ready to predict on the CPU.

    Raises
    ------
    CheckpointError
        If the model does not exist, it cannot be read, or its weights do not fit.
    """
    path = _existing(name_or_path)
    source = path.stem if path.parent == SHIPPED_FOLDER else str(path.absolute())
    model = _load(path)
    model = replace(model, source=source, provenance=_with_known_texture(path, model.provenance))
    if model.contract.normalisation != "crop robust":
        return model
    from napari_ink.model.crop_scaling import CropScaled

    # Within the network, which always sees one whole tile: whoever runs it cannot scale anything but tiles.
    return replace(model, network=CropScaled(model.network, model.contract.tile_size).eval())


def _with_known_texture(path: Path, provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the provenance of a shipped model with the texture that was measured after it was saved.

    Predictions record the digest of the model's file, so a file that ships stays as it is.
    """
    trained_on = provenance.get("trained_on")
    if path.parent != SHIPPED_FOLDER or not isinstance(trained_on, Mapping) or "places" in trained_on:
        return provenance
    measured = json.loads((SHIPPED_FOLDER / KNOWN_TEXTURE).read_text(encoding="utf-8"))
    if path.stem not in measured:
        return provenance
    return {**provenance, "trained_on": {**trained_on, "places": [measured[path.stem]]}}


def _origin(path: Path) -> _Origin:
    """Return who made a model file, by its suffix, and by the names of its weights in safetensors."""
    if path.suffix in PTH:
        return "published"
    if path.suffix not in (*LIGHTNING, OWN):
        return "foreign"
    # Others publish safetensors and Lightning checkpoints as well, which do not say what made them.
    names = checkpoint.weight_names(path) if path.suffix == OWN else _names_in_lightning(path)
    if any("depth_fusion." in name or "canonical." in name for name in names) or _is_named(names):
        return "published"
    if path.suffix in LIGHTNING:
        return "Grand Prize"
    return "Grand Prize" if any("to_patch_embedding." in name for name in names) else "own"


def _is_named(names: Iterable[str]) -> bool:
    from napari_ink.model.published import type_of_weights

    return type_of_weights(names) is not None


def _names_in_lightning(path: Path) -> tuple[str, ...]:
    from napari_ink.model.lightning import read_weights

    return tuple(read_weights(path))


def _load(path: Path) -> InkModel:
    origin = _origin(path)
    if origin == "own":
        return checkpoint.load_own(path)
    if origin == "published":
        from napari_ink.model.published import load_published

        return load_published(path)
    if origin == "Grand Prize":
        from napari_ink.model.lightning import load_grand_prize

        return load_grand_prize(path)
    return _load_foreign(path)


def _load_foreign(path: Path) -> InkModel:
    from napari_ink.model.foreign import Adapter, read_foreign_contract

    stated = read_foreign_contract(path)
    network = Adapter(path.name, _foreign_network(path), stated).eval()
    provenance = {"format": "ONNX" if path.suffix in ONNX else "TorchScript", **stated.provenance}
    # The contract file decides about predictions, too, so that a changed one is another model.
    digest = hashlib.sha256(path.read_bytes() + stated.model_dump_json().encode()).hexdigest()
    return InkModel(path.stem, network, None, stated.input, provenance, digest, stated.edge is not None)


def _foreign_network(path: Path) -> nn.Module:
    if path.suffix in ONNX:
        from napari_ink.model.onnx import OnnxNetwork

        return OnnxNetwork(path)
    from napari_ink.model.torchscript import load_torchscript

    return load_torchscript(path)


def _existing(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the path of a shipped model or an existing model file, judged by its suffix."""
    shipped = SHIPPED_FOLDER / f"{name_or_path}{OWN}"
    if shipped.is_file():
        return shipped
    path = Path(name_or_path)
    known = ", ".join(file.stem for file in sorted(SHIPPED_FOLDER.glob("*" + OWN))) or "none"
    kinds = ", ".join(MODEL_SUFFIXES)
    if path.suffix not in MODEL_SUFFIXES:
        raise CheckpointError(f"There is no model called {name_or_path}; name one of {known}, or a file ({kinds}).")
    if not exists(path, CheckpointError) or not path.is_file():
        raise CheckpointError(f"There is no checkpoint at {path}; check the path, or choose one that `models` lists.")
    return path
