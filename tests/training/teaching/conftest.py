"""A tiny start model, strokes on the small phantom, and a project with them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.draw import disk

from napari_ink.annotation import create_project
from napari_ink.model import InkModel, load_model, save_checkpoint
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.stack import open_stack
from napari_ink.typing import UInt8Array
from tests.training.small import CONFIG, CONTRACT


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
    """Dots of a careful annotator on the phantom: each stays on ink or on papyrus, at 24 pixels and more apart."""
    truth = np.load(phantom_file.with_name("labels.npy"))
    labels = np.zeros(truth.shape, np.uint8)
    for y in range(12, truth.shape[0] - 8, 40):
        for x in range(12, truth.shape[1] - 8, 40):
            for value, offset in ((2, 0), (1, 0)):
                places = np.argwhere(truth[y - 8 : y + 8, x - 8 : x + 8] == value)
                if len(places) > 60:
                    middle = places[np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))] + (y - 8, x - 8)
                    rows, columns = disk(tuple(middle), 6 + offset, shape=truth.shape)
                    own = truth[rows, columns] == value
                    labels[rows[own], columns[own]] = value
                    break
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
