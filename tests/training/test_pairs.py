"""Pairs from files: labels in the field's formats, and the masks beside them."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_ink.annotation import create_project
from napari_ink.errors import LabelError, StackError
from napari_ink.phantom import PhantomConfig, make_phantom, write_segment
from napari_ink.stack import open_stack
from napari_ink.training import OUTSIDE, TrainingPair, fit_contract, read_pair

HEIGHT, WIDTH = 40, 50


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    folder = tmp_path / "seg"
    (folder / "layers").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for z in range(12):
        tifffile.imwrite(folder / "layers" / f"{z:02}.tif", rng.integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8))
    (folder / "meta.json").write_text('{"voxelsize": 7.91}')
    return folder


def save(path: Path, plane: np.ndarray) -> Path:
    Image.fromarray(plane.astype(np.uint8)).save(path)
    return path


def plane(value: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    return np.full(size, value, np.uint8)


def ink_mask(size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    mask = plane(0, size)
    mask[10:20, 10:20] = 255
    return mask


def test_masks_beside_the_labels_decide_which_pixels_count(segment: Path) -> None:
    save(segment / "seg_inklabels.png", ink_mask())
    supervision, validation, papyrus = plane(), plane(), plane(255)
    supervision[:, :30], validation[:, :15], papyrus[:5] = 255, 255, 0
    save(segment / "seg_supervision_mask.png", supervision)
    save(segment / "seg_validation_mask.png", validation)
    save(segment / "seg_mask.png", papyrus)
    read = read_pair(segment, segment / "seg_inklabels.png")
    labels = read.pair.labels
    assert (labels[:5] == OUTSIDE).all()
    assert (labels[5:, 30:] == 0).all()
    assert (labels[10:20, 10:20] == 2).all() and (labels[20:, :30] == 1).all()
    assert read.pair.held_out is not None and read.pair.held_out[:, :15].all() and not read.pair.held_out[:, 15:].any()
    assert read.notes == ()
    assert {path.name for path in read.files} >= {"seg_supervision_mask.png", "seg_validation_mask.png", "seg_mask.png"}


def test_without_a_supervision_mask_all_papyrus_counts_and_a_note_is_given(segment: Path) -> None:
    save(segment / "seg_inklabels.png", ink_mask())
    read = read_pair(segment)
    assert set(np.unique(read.pair.labels)) == {1, 2}
    assert len(read.notes) == 1 and "No supervision mask" in read.notes[0]


def test_masks_have_the_version_of_the_labels(segment: Path, tmp_path: Path) -> None:
    """Labels may be anywhere, in versions; a mask of another version may belong to another drawing."""
    elsewhere = tmp_path / "labels"
    elsewhere.mkdir()
    for version, columns in (("", 5), ("_v2", 25)):
        save(elsewhere / f"seg_inklabels{version}.png", ink_mask())
        mask = plane()
        mask[:, :columns] = 255
        save(elsewhere / f"seg_supervision_mask{version}.png", mask)
    labels = read_pair(segment, elsewhere / "seg_inklabels_v2.png").pair.labels
    assert (labels[:, 25:] == 0).all() and (labels[:, :25] > 0).all()


def test_the_newest_labels_beside_a_stack_are_used(segment: Path) -> None:
    for version, row in (("", 0), ("_v2", 2), ("_v10", 10)):
        mask = plane()
        mask[row] = 255
        save(segment / f"seg_inklabels{version}.png", mask)
    save(segment / "seg_inklabels_view.png", plane(255))
    assert (read_pair(segment).pair.labels[10] == 2).all()


def test_soft_labels_are_cut_at_half_and_padded_ones_cropped(segment: Path) -> None:
    soft = ink_mask((64, 64))
    soft[0, :4] = (127, 128, 200, 1)
    soft[45:], soft[:, 55:] = 255, 255
    labels = read_pair(segment, save(segment / "soft.png", soft)).pair.labels
    assert labels.shape == (HEIGHT, WIDTH)
    assert labels[0, :4].tolist() == [1, 2, 2, 1]


def test_label_values_are_used_unchanged(segment: Path) -> None:
    values = plane()
    values[5:30, 5:30] = 1
    values[10:20, 10:20] = 2
    read = read_pair(segment, save(segment / "values.png", np.pad(values, ((0, 9), (0, 3)))))
    np.testing.assert_array_equal(read.pair.labels, values)
    (note,) = read.notes
    assert "values.png holds the values 0, 1 and 2: read as label values" in note


def test_unusable_pairs_are_refused(segment: Path, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="no ink labels beside"):
        read_pair(segment)
    with pytest.raises(LabelError, match=r"30 × 30 pixels, smaller than the stack's 40 × 50"):
        read_pair(segment, save(tmp_path / "small.png", ink_mask((30, 30))))
    with pytest.raises(StackError):
        read_pair(tmp_path / "nothing", tmp_path / "small.png")
    save(segment / "seg_inklabels.png", ink_mask())
    save(segment / "seg_supervision_mask.png", plane())
    with pytest.raises(LabelError, match="no reviewed pixel inside seg_supervision_mask.png"):
        read_pair(segment)


def test_a_phantoms_folder_is_a_pair(tmp_path: Path) -> None:
    config = PhantomConfig(seed=5, height=64, width=80, depth_layers=12, letter_height=40, reviewed=0.5)
    made = make_phantom(config)
    folder = write_segment(made, tmp_path / "made")
    for read in (read_pair(folder), read_pair(folder, folder), read_pair(folder / "layers", folder)):
        labels = read.pair.labels
        np.testing.assert_array_equal(labels == 2, made.drawn)
        np.testing.assert_array_equal(labels == OUTSIDE, ~made.mask)
        np.testing.assert_array_equal((labels == 1) | (labels == 2), made.reviewed)
        assert read.pair.stack.voxel_size_um == 7.91


def test_a_contract_is_fitted_to_the_pairs(segment: Path) -> None:
    labels = plane(1)
    labels[:, 25:] = 2
    stack = read_pair(segment, save(segment / "values.png", labels)).pair.stack
    contract, notes = fit_contract([TrainingPair(stack, labels)])
    greys = np.asarray(stack) / 255
    assert contract.depth_layers == 12 and contract.voxel_size_um == 7.91 and notes == ()
    assert contract.mean == pytest.approx(greys.mean(), abs=0.01)
    assert contract.std == pytest.approx(greys.std(), abs=0.01)


def test_different_voxel_sizes_are_reported(segment: Path) -> None:
    from dataclasses import replace

    pair = TrainingPair(read_pair(segment, save(segment / "values.png", plane(2))).pair.stack, plane(2))
    coarse = TrainingPair(replace(pair.stack, voxel_size_um=9.6), plane(2))
    unknown = TrainingPair(replace(pair.stack, voxel_size_um=None), plane(2))
    assert "from 7.91 to 9.6 µm" in fit_contract([pair, coarse])[1][0]
    contract, notes = fit_contract([unknown])
    assert contract.voxel_size_um is None and "No stack states" in notes[0]


def test_a_project_trains_on_its_reviewed_labels(tmp_path: Path) -> None:
    """Unlabelled pixels of a reviewed region are papyrus, of others unreviewed; nothing counts in flagged ones."""
    np.save(tmp_path / "big.npy", np.random.default_rng(0).integers(0, 255, (4, 300, 600), dtype=np.uint8))
    project = create_project(tmp_path / "big.ink", open_stack(tmp_path / "big.npy"))
    spot = np.full((10, 10), 2, np.uint8)
    blocks = [("ink", 20, x, spot) for x in (20, 300, 560)]
    project.annotation.apply([*blocks, ("review", 0, 0, np.array([[2, 0, 3]], np.uint8))], "x")
    project.annotation.flush()  # strokes reach the disk on a thread
    read = read_pair(tmp_path / "big.npy", tmp_path / "big.ink")  # while it is open elsewhere
    truth = np.zeros((300, 600), np.uint8)
    truth[:256, :256] = 1
    truth[20:30, 20:30] = truth[20:30, 300:310] = 2
    assert np.array_equal(read.pair.labels, truth)
    assert tmp_path / "big.ink" in read.files
    project.close()
    np.save(tmp_path / "other.npy", np.zeros((4, 20, 20), np.uint8))
    with pytest.raises(LabelError, match="300 × 600"):
        read_pair(tmp_path / "other.npy", tmp_path / "big.ink")


def test_an_unreviewed_project_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "big.npy", np.zeros((4, 30, 60), np.uint8))
    create_project(tmp_path / "big.ink", open_stack(tmp_path / "big.npy")).close()
    with pytest.raises(LabelError, match="no reviewed pixel"):
        read_pair(tmp_path / "big.npy", tmp_path / "big.ink")
