"""A tiny start model, strokes on the small phantom, and a project with them."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.draw import disk

from napari_ink.annotation import create_project
from napari_ink.model import InkModel, load_model, save_checkpoint
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.phantom import make_phantom
from napari_ink.stack import open_stack
from napari_ink.typing import UInt8Array
from tests.training.small import CONFIG, CONTRACT


@pytest.fixture(autouse=True)
def one_known_phantom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare a model with its start on one phantom instead of three, which take longer than the lesson."""
    monkeypatch.setattr("napari_ink.training.teaching.checks._PHANTOMS", 1)


_cached_phantom = lru_cache(maxsize=8)(make_phantom)


@pytest.fixture(autouse=True)
def shared_phantoms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each phantom to replay or to compare on once for all tests."""
    for module in ("checks", "replay"):
        monkeypatch.setattr(f"napari_ink.training.teaching.{module}.make_phantom", _cached_phantom)


@pytest.fixture(scope="session")
def start_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("start") / "start.safetensors"
    return save_checkpoint(path, InkEdgeNetwork(CONFIG).eval(), CONFIG, CONTRACT, {"made_by": "a test"})


@pytest.fixture
def start(start_file: Path) -> InkModel:
    return load_model(start_file)


@pytest.fixture(scope="session")
def strokes(phantom_file: Path) -> UInt8Array:
    """Dots on ink and on papyrus in turn, more than 24 pixels apart, each as near to a grid as the truth allows."""
    truth = np.load(phantom_file.with_name("labels.npy"))
    labels = np.zeros(truth.shape, np.uint8)
    grid = [(y, x) for y in range(20, 150, 54) for x in range(20, 180, 50)]
    for number, (y, x) in enumerate(grid):
        value = 2 - number % 2
        places = np.argwhere(truth[y - 8 : y + 8, x - 8 : x + 8] == value) - 8
        dy, dx = min(places.tolist(), key=lambda place: np.hypot(*place), default=(0, 0))
        own = np.zeros(truth.shape, bool)
        own[disk((y + dy, x + dx), 6, shape=truth.shape)] = True
        labels[own & (truth == value)] = value
    return labels


@pytest.fixture
def new_project(tmp_path: Path, phantom_file: Path, strokes: UInt8Array) -> Callable[..., Path]:
    def make(name: str = "scroll.ink", labels: UInt8Array = strokes) -> Path:
        project = create_project(tmp_path / name, open_stack(phantom_file), "someone")
        if labels.any():
            project.annotation.apply([("ink", 0, 0, labels)], "brush")
        project.close()
        return tmp_path / name

    return make
