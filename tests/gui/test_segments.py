"""Names of segments in lists and menus."""

import pytest

from napari_ink.gui.models.segments import segment_name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/data/20230702185753/layers", "20230702185753"),
        ("/data/20230702185753/layers/", "20230702185753"),
        ("/data/segment.ink", "segment.ink"),
        ("https://dl.ash2txt.org/paths/20230702185753/layers/", "20230702185753"),
        ("s3://bucket/segment.zarr/", "segment.zarr"),
        ("layers", "layers"),
    ],
)
def test_a_segment_is_named_by_its_folder_not_by_that_of_its_layers(source, name):
    assert segment_name(source) == name
