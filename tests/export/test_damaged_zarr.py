"""Label Zarrs that are damaged or hostile: each gives one error sentence, without large memory use."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_ink.errors import LabelError
from napari_ink.export.ome_zarr import read_zarr

MASK = np.zeros((40, 50), np.uint8)
MASK[5:9, 6:20] = 255


def write(place: Path, values: np.ndarray = MASK, **attributes: object) -> Path:
    group = zarr.open_group(place, mode="w", zarr_format=2)
    group.create_array("0", data=values, chunk_key_encoding={"name": "v2", "separator": "/"})
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2.0] * values.ndim}]}]
    axes = [{"name": name, "unit": "micrometer"} for name in "tczyx"[-values.ndim :]]
    group.attrs.update({"multiscales": [{"axes": axes, "datasets": datasets, **attributes}]})
    return place


@pytest.mark.parametrize("before", [(), (1,), (1, 1, 1)])
def test_chunks_without_a_separator_in_the_metadata_are_found(tmp_path: Path, before: tuple[int, ...]) -> None:
    place = write(
        tmp_path / "m.zarr",
        MASK.reshape(*before, *MASK.shape),
        coordinateTransformations=[{"type": "scale", "scale": [3.0]}],
    )
    metadata = json.loads((place / "0" / ".zarray").read_text())
    del metadata["dimension_separator"]
    (place / "0" / ".zarray").write_text(json.dumps(metadata))
    plane = read_zarr(place, None)
    np.testing.assert_array_equal(plane.whole(), MASK)
    assert plane.voxel_size_um == 6.0


@pytest.mark.parametrize(
    "attributes",
    [
        "[]",
        "{}",
        "7",
        "[" * 10**5,
        '{"multiscales": 5}',
        '{"multiscales": [[]]}',
        '{"multiscales": [{"datasets": [5]}]}',
        '{"multiscales": [{"axes": [{"unit": "micrometer"}], "datasets": [{"path": "0", "coordinateTransformations": '
        '[{"type": "scale", "scale": [1' + "0" * 400 + "]}]}]}]}",
    ],
)
def test_attributes_that_describe_no_plane_give_one_sentence(tmp_path: Path, attributes: str) -> None:
    place = write(tmp_path / "m.zarr")
    (place / ".zattrs").write_text(attributes)
    with pytest.raises(LabelError) as caught:
        read_zarr(place, None)
    assert str(place) in str(caught.value) and "\n" not in str(caught.value)


def test_a_damaged_chunk_is_refused(tmp_path: Path) -> None:
    place = write(tmp_path / "m.zarr")
    (place / "0" / "0" / "0").write_bytes(b"rubbish")
    with pytest.raises(LabelError, match="cannot be read"):
        read_zarr(place, None).whole()
