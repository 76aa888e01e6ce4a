"""COCO and Kaggle's csv from other programs: counts are checked before allocation, and text of any system is read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ink.errors import LabelError
from napari_ink.export import INK_LABELS, LabelPlane, read_labels


def _coco(folder: Path, *annotations: Any, **changed: Any) -> LabelPlane:
    path = folder / "m.json"
    data = {
        "images": [{"id": 1, "height": 4, "width": 5}],
        "categories": [{"id": 1, "name": "ink"}, {"id": 2, "name": "papyrus"}],
        "annotations": [{"category_id": 1, "segmentation": one} for one in annotations],
    }
    path.write_text(json.dumps({**data, **changed}))
    return read_labels(path)


def _runs(*counts: Any, size: tuple[int, int] = (4, 5)) -> dict[str, Any]:
    return {"size": list(size), "counts": list(counts)}


def test_polygons_and_classes(tmp_path: Path) -> None:
    plane = _coco(tmp_path, [[1, 1, 3, 1, 3, 3, 1, 3], [4, 0, 5, 0, 5, 1, 4, 1]])
    truth = np.zeros((4, 5), np.uint8)
    truth[1:3, 1:3] = truth[0, 4] = 255
    np.testing.assert_array_equal(plane.whole(), truth)
    ink = {"category_id": 1, "segmentation": _runs(0, 4, 16)}
    papyrus = {"category_id": 2, "segmentation": _runs(4, 4, 12)}
    plane = _coco(tmp_path, annotations=[ink, papyrus])
    assert plane.names == INK_LABELS
    np.testing.assert_array_equal(plane.whole()[:, :3], [[2, 1, 0]] * 4)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (_runs(10_000_000_000), "add up to 10000000000"),
        (_runs(2**63, 2**63), "add up to"),
        (_runs(19), "add up to 19"),
        (_runs(-1, 21), "not a whole number"),
        (_runs(1.5, 18.5), "not a whole number"),
        (_runs(True, 19), "not a whole number"),
        (_runs(20, size=(5, 4)), "a mask of"),
        ({"size": [4, 5], "counts": "o" * 100_000}, "packed"),
        ({"size": [4, 5], "counts": "\x7f"}, "packed"),
        ({"size": [4, 5], "counts": "é"}, "cannot be read"),
        ({"size": [4, 5]}, "cannot be read"),
        ([[1, 2, 3]], "cannot be read"),
        (3, "cannot be read"),
    ],
)
def test_damaged_run_lengths_are_refused(tmp_path: Path, segmentation: Any, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        _coco(tmp_path, segmentation)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": []}, "0 images"),
        ({"images": [{"id": 1, "height": 4, "width": 5}] * 3}, "3 images"),
        ({"images": [{"id": 1, "height": 10**6, "width": 10**6}]}, "more than any segment"),
        ({"images": [{"id": 1, "height": -4, "width": 5}]}, "whole pixels"),
        ({"images": [{"id": 1, "height": "4", "width": 5}]}, "whole pixels"),
        ({"annotations": [{"category_id": 9}]}, "category 9"),
        ({"annotations": [{"category_id": 1, "image_id": 2, "segmentation": []}]}, "of an image"),
        ({"categories": [{"id": 1, "name": "ink", "value": 7}]}, "values 7"),
        ({"categories": 3}, "cannot be read"),
    ],
)
def test_data_sets_without_exactly_one_plane_are_refused(tmp_path: Path, changed: Any, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        _coco(tmp_path, **changed)


TEXT = "Id,Predicted\na,2 3 9 1\n"
TRUTH = np.zeros(20, np.bool_)
TRUTH[[1, 2, 3, 8]] = True


def _csv(folder: Path, data: bytes) -> np.ndarray:
    path = folder / "m.csv"
    path.write_bytes(data)
    return read_labels(path, (4, 5)).whole() > 0


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.strip().encode(),
        TEXT.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode("utf-16"),
        TEXT.lower().encode(),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode(),
        b'"Id","Predicted"\r\n"a, b","2 3 9 1"\r\n\r\n',
    ],
)
def test_csv_of_any_system(tmp_path: Path, data: bytes) -> None:
    np.testing.assert_array_equal(_csv(tmp_path, data), TRUTH.reshape(4, 5))


@pytest.mark.parametrize("runs", ["", "1 0", '""'])
def test_empty_csv(tmp_path: Path, runs: str) -> None:
    assert not _csv(tmp_path, f"Id,Predicted\na,{runs}\n".encode()).any()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,1 1\nb,1 1\n", r"2 masks \(a, b\)"),
        ("", "0 masks"),
        ("a,0 5\n", "counted from 1"),
        ("a,20 2\n", "ends at pixel 21 of 20"),
        ("a,3 0\n", "length 0"),
        ("a,1 2 3\n", "3 numbers"),
        ("a,1 -2\n", "'-2'"),
        ("a,1_0 1\n", "'1_0'"),
        (f"a,{'9' * 5000} 1\n", "not a whole number"),
        (f"a,{'9' * 18} {'9' * 18}\n", "do not fit"),
    ],
)
def test_an_invalid_csv_is_refused_with_its_reason(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        _csv(tmp_path, f"Id,Predicted\n{rows}".encode())


def test_a_csv_without_its_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="begins with 'a,1 2'"):
        _csv(tmp_path, b"a,1 2\n")
    with pytest.raises(LabelError, match="more than any segment"):
        (tmp_path / "m.csv").write_text(TEXT)
        read_labels(tmp_path / "m.csv", (10**6, 10**6))
