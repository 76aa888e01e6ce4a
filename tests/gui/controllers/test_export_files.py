"""Export and import without a window: files hold the labels or the visible prediction, and are imported back."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_ink.gui.models.state import Step, cut_level
from tests.gui.windowless import take_turns


def _read(path) -> np.ndarray:
    if path.suffix == ".tif":
        return tifffile.imread(path)
    with Image.open(path) as picture:
        assert picture.mode == "L"
        return np.asarray(picture)


@pytest.fixture
def labelled(empty_session):
    """The session with ink, papyrus and an edge."""
    square = np.full((8, 9), 2, np.uint8)
    empty_session.labels.apply(
        [("ink", 10, 20, square), ("ink", 40, 20, square // 2), ("edge", 60, 20, square // 2)], "x"
    )
    return empty_session


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_labels_are_exported_pixel_for_pixel(labelled, held_jobs, tmp_path, suffix):
    ink = labelled.labels.annotation.read("ink", (0, 96), (0, 128))
    edge = labelled.labels.annotation.read("edge", (0, 96), (0, 128))
    meant = {
        "ink": np.where(ink == 2, 255, 0),
        "edges": np.where(edge == 1, 255, 0),
        "supervision": np.where(ink > 0, 255, 0),
        "labels": ink,
    }
    for what, expected in meant.items():
        path = tmp_path / f"{what}{suffix}"
        path.write_bytes(b"old")  # the file chooser has asked before replacing it
        labelled.export.export(what, "labels", path)
        held_jobs.work()
        assert labelled.state.exported == str(path)
        written = _read(path)
        assert written.dtype == np.uint8
        assert np.array_equal(written, expected)
        assert expected.any()


def test_the_prediction_is_exported_as_shown(predicted_session, held_jobs, tmp_path):
    shown = predicted_session.prediction.shown
    for what, kind, threshold in (("ink", "ink", 0.55), ("edges", "edge", 0.45)):
        shown.set_threshold(kind, threshold)
        assert predicted_session.state.exported == ""
        predicted_session.export.export(what, "prediction", tmp_path / f"{what}.png")
        held_jobs.work()
        plane = predicted_session._layers.overlay.probabilities(kind)
        assert np.array_equal(_read(tmp_path / f"{what}.png"), np.where(plane >= cut_level(threshold), 255, 0))


def test_a_missing_folder_gives_one_clear_sentence(labelled, held_jobs, tmp_path):
    labelled.export.export("ink", "labels", tmp_path / "nowhere" / "ink.png")
    held_jobs.work()
    assert "nowhere" in labelled.state.message(Step.EXPORT)
    assert (labelled.state.busy, labelled.state.exported) == ("", "")


def test_exporting_a_missing_plane_is_reported(open_session, held_jobs, tmp_path):
    open_session.export.export("ink", "prediction", tmp_path / "ink.png")
    assert "nothing to export" in open_session.state.message(Step.EXPORT)
    assert not held_jobs.waiting
    assert not (tmp_path / "ink.png").exists()


@pytest.mark.parametrize("suffix", [".npy", ".zarr", ".geojson", ".svg", ".json"])
def test_labels_are_exported_and_imported_in_other_formats(labelled, viewer_model, held_jobs, tmp_path, suffix):
    truth, path = viewer_model.layers["Ink labels"].data.copy(), tmp_path / f"out{suffix}"
    gone = []
    viewer_model.layers.events.removed.connect(lambda event: gone.append(event.value.name))
    labelled.export.export("labels", "labels", path)
    held_jobs.work()
    labelled.labels.apply([("ink", 0, 0, np.zeros((96, 128), np.uint8))], "x")
    assert viewer_model.layers["Ink labels"].data.max() == 0
    labelled.labelling.import_labels(path, "ink")
    held_jobs.work()
    take_turns()
    assert np.array_equal(viewer_model.layers["Ink labels"].data, truth)
    assert labelled.state.storage.undo_name == "import"
    assert not gone  # not even for a moment


def test_labels_can_start_from_a_mask_file(open_session, viewer_model, held_jobs, tmp_path):
    mask = np.zeros((100, 130), np.uint8)  # padded, like predictions of other programs
    mask[20:30, 40:60] = 255
    Image.fromarray(mask).save(tmp_path / "theirs.png")
    open_session.labelling.import_labels(tmp_path / "theirs.png", "ink")
    held_jobs.work()
    take_turns()
    assert np.array_equal(viewer_model.layers["Ink labels"].data, np.where(mask[:96, :128], 2, 0))
    Image.fromarray(mask[:50]).save(tmp_path / "small.png")
    open_session.labelling.import_labels(tmp_path / "small.png", "edge")
    held_jobs.work()
    assert "smaller than the segment" in open_session.state.message(Step.CORRECT)


def test_shapes_that_an_import_omits_are_reported(open_session, viewer_model, held_jobs, tmp_path):
    square = '<path data-value="255" data-name="ink" d="M1 1h5v5h-5z"'
    (tmp_path / "a.svg").write_text(f'<svg width="128" height="96">{square} display="none"/>{square}/></svg>')
    open_session.labelling.import_labels(tmp_path / "a.svg", "ink")
    held_jobs.work()
    take_turns()
    assert viewer_model.layers["Ink labels"].data.sum() == 2 * 25
    assert open_session.state.import_notes == ("a.svg: shapes are left out (1 hidden).",)
