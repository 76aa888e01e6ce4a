"""Projections without a window: their layers, their kind, and the life of their image layer."""

import numpy as np
import pytest

from napari_ink.stack import project_layers
from tests.gui.windowless import take_turns


@pytest.fixture
def projection(open_session):
    return open_session.projection


def _shown(viewer_model):
    return np.asarray(viewer_model.layers["Projection"].data[0])


def test_a_projection_follows_its_settings(projection, open_session, viewer_model):
    volume = np.asarray(open_session.state.stack)
    projection.toggle()
    take_turns()
    assert np.array_equal(_shown(viewer_model), volume[2:11].max(axis=0))  # four layers on either side of the surface
    assert [layer.name for layer in viewer_model.layers] == ["seg-1", "Projection"]
    projection.choose("mean", 0, 3)
    take_turns()
    assert np.array_equal(_shown(viewer_model), np.rint(volume[:4].mean(axis=0, dtype=np.float32)).astype(np.uint16))
    projection.choose("alpha", 0, 3)
    take_turns()
    limits = tuple(viewer_model.layers["seg-1"].contrast_limits)
    truth = np.rint(project_layers(iter(volume[:4]), "alpha", limits)).astype(np.uint16)
    assert np.array_equal(_shown(viewer_model), truth)
    assert open_session.state.projection.is_shown


def test_settings_of_a_hidden_projection_are_applied_later(projection, viewer_model):
    projection.choose("mean", 0, 3)
    take_turns()
    assert "Projection" not in viewer_model.layers and projection.status.how == "mean"


def test_a_projection_is_removed_by_key_or_by_removing_its_layer(projection, viewer_model):
    for remove in (projection.toggle, lambda: viewer_model.layers.remove("Projection")):
        projection.toggle()
        take_turns()
        assert "Projection" in viewer_model.layers and projection.status.is_shown
        remove()
        take_turns()
        assert "Projection" not in viewer_model.layers and not projection.status.is_shown


def test_another_stack_is_projected_around_its_own_surface(projection, open_session, held_jobs, viewer_model, tmp_path):
    projection.toggle()
    take_turns()
    np.save(tmp_path / "other.npy", np.zeros((41, 30, 30), np.uint8))
    open_session.open_stack(tmp_path / "other.npy")
    held_jobs.work()
    take_turns()
    status = projection.status
    assert (status.first, status.last, status.layers, status.is_shown) == (16, 24, 41, False)
    assert "Projection" not in viewer_model.layers
