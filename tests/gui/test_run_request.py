from datetime import datetime

import numpy as np
import pytest

from napari_ink.annotation import default_project_folder, project
from napari_ink.gui.controllers.run_request import new_prediction_path
from napari_ink.stack import open_stack

NOW = datetime(2026, 11, 23, 4, 5, 6)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "user_cache_path", lambda _: tmp_path / "cache")
    return tmp_path / "cache"


def test_predictions_lie_in_the_project_beside_the_segment(segment, tmp_path):
    path = new_prediction_path(default_project_folder(open_stack(segment)), "ink-tiny-1", NOW)
    assert path == tmp_path / "seg-1.ink" / "predictions" / "ink-tiny-1-20261123-040506.zarr"
    assert path.parent.is_dir()


def test_a_single_file_has_its_project_beside_it(tmp_path):
    np.save(tmp_path / "piece.npy", np.zeros((3, 16, 16), np.uint8))
    assert default_project_folder(open_stack(tmp_path / "piece.npy")) == tmp_path / "piece.ink"


def test_a_name_is_never_taken_twice(tmp_path):
    first = new_prediction_path(tmp_path, "m", NOW)
    first.mkdir()
    assert new_prediction_path(tmp_path, "m", NOW).name == "m-20261123-040506-2.zarr"


def test_the_cache_stands_in_where_nothing_can_be_written(segment, tmp_path, cache):
    (tmp_path / "seg-1.ink").write_text("a file where the folder should be")
    assert default_project_folder(open_stack(segment)).is_relative_to(cache)


def test_nothing_is_written_beside_the_sample(segment, cache):
    assert default_project_folder(open_stack(segment), keep_apart=segment).is_relative_to(cache)
