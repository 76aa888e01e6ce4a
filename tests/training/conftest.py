"""A small phantom for training."""

from pathlib import Path

import numpy as np
import pytest

from napari_ink.phantom import PhantomConfig, make_phantom
from napari_ink.stack import open_stack
from napari_ink.training import OUTSIDE, TrainingPair


@pytest.fixture(scope="session")
def phantom_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack of a phantom with clearly visible ink, as a file, with its labels beside it."""
    size = {"height": 160, "width": 192, "depth_layers": 20, "letter_height": 50, "stroke_width": 12, "ragged_edge": 5}
    plain = {"ink_contrast": 80, "ink_thickness": 3, "flaked": 0, "surface_wander": 0.5, "noise": 1}
    made = make_phantom(PhantomConfig.model_validate({"seed": 1, **size, **plain}))
    path = tmp_path_factory.mktemp("phantom") / "stack.npy"
    np.save(path, made.volume)
    known = np.where(made.ink, 2, 1)
    np.save(path.with_name("labels.npy"), np.where(made.mask, known, OUTSIDE).astype(np.uint8))
    return path


@pytest.fixture
def pair(phantom_file: Path) -> TrainingPair:
    return TrainingPair(open_stack(phantom_file), np.load(phantom_file.with_name("labels.npy")))
