"""Fixtures of the tools, without a window: a disc with clear edges, a project with labels, and a tool's context."""

from collections.abc import Iterator
from unittest.mock import Mock, create_autospec

import numpy as np
import pytest
from scipy import ndimage

from napari_ink.annotation import Annotation, create_project
from napari_ink.gui.controllers.labels import LabelsController
from napari_ink.gui.layers.manager import LayerManager
from napari_ink.gui.layers.viewport import Viewport
from napari_ink.gui.tools import ToolContext
from napari_ink.region import Region
from napari_ink.stack import open_stack
from tests.gui.tools.pointing import HEIGHT, WIDTH, pixels_of_the_disc


@pytest.fixture
def disc() -> np.ndarray:
    """The pixels of the disc."""
    return pixels_of_the_disc()


@pytest.fixture
def grey(disc) -> np.ndarray:
    """The values of every layer of the stack."""
    noise = np.random.default_rng(0).normal(0, 300, (HEIGHT, WIDTH))
    return np.clip(ndimage.gaussian_filter(disc * 30000.0, 1) + 9000 + noise, 0, 65535).astype(np.uint16)


@pytest.fixture
def layers(grey):
    """The viewer's layers: no prediction, no labels layers, the whole disc visible."""
    layers = create_autospec(LayerManager, instance=True)
    layers.viewport = create_autospec(Viewport, instance=True, settled=Mock(), turned=Mock())
    layers.viewport.visible_region.return_value = Region(0, HEIGHT, 0, WIDTH)
    layers.viewport.image.side_effect = lambda part: grey[part.y0 : part.y1, part.x0 : part.x1].astype(np.float32)
    layers.overlay = layers.editable = None
    return layers


@pytest.fixture
def labels(layers, job_runner, grey, tmp_path) -> Iterator[LabelsController]:
    """The labels controller, with a project on the disk."""
    np.save(tmp_path / "disc.npy", np.stack([grey] * 3))
    labels = LabelsController(layers, job_runner)
    labels.project = create_project(tmp_path / "disc.ink", open_stack(tmp_path / "disc.npy"))
    yield labels
    labels.end()


@pytest.fixture
def annotation(labels) -> Annotation:
    """The store of the labels."""
    assert labels.annotation is not None
    return labels.annotation


@pytest.fixture
def messages() -> list[str]:
    """The messages of tools to the user."""
    return []


@pytest.fixture
def context(layers, labels, job_runner, messages) -> ToolContext:
    """The context of the tools."""
    return ToolContext(layers, labels, job_runner, messages.append)
