"""GeoJSON as QuPath, GIS and others write it: the right pixels and a note on the rest, or one error sentence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.errors import LabelError
from napari_ink.export import INK_LABELS, LabelPlane, read_labels, write_label_values

SHAPE = (64, 96)


def _square(y0: float, y1: float, x0: float, x1: float) -> list[list[float]]:
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]


def _polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def _feature(geometry: Any, name: str | None = "ink", **properties: Any) -> dict[str, Any]:
    classification = {} if name is None else {"classification": {"name": name, "color": [200, 0, 0]}}
    return {"type": "Feature", "geometry": geometry, "properties": {**classification, **properties}}


def _collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


A, B = _square(10, 30, 10, 30), _square(40, 50, 40, 60)
TRUTH = np.zeros(SHAPE, np.bool_)
TRUTH[10:30, 10:30] = True
BOTH = TRUTH.copy()
BOTH[40:50, 40:60] = True


def _read(folder: Path, content: Any, shape: tuple[int, int] | None = SHAPE) -> LabelPlane:
    path = folder / "m.geojson"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_labels(path, shape)


@pytest.mark.parametrize(
    ("content", "truth"),
    [
        ([_feature(_polygon(A))], TRUTH),
        (_polygon(A), TRUTH),
        ([_polygon(A), _polygon(B)], BOTH),
        (_collection(_feature({"type": "GeometryCollection", "geometries": [_polygon(A), _polygon(B)]})), BOTH),
        (_collection(_feature(_polygon(A[:-1]))), TRUTH),
        (_collection(_feature(_polygon([[*corner, 7] for corner in A]))), TRUTH),
        (_collection(_feature({"type": "MultiPolygon", "coordinates": [[A], [B[:-1]]]})), BOTH),
        (_collection(_feature(_polygon(A), "Ink "), _feature(_polygon(B), "INK")), BOTH),
        (_collection(_feature(_polygon(A), None)), TRUTH),
        (_collection(_feature(_polygon(A), None, classification='{ "name": "ink" }')), TRUTH),
        (_collection(_feature(_polygon(A), None, classification="ink")), TRUTH),
    ],
)
def test_every_way_to_nest_polygons(tmp_path: Path, content: Any, truth: np.ndarray) -> None:
    plane = _read(tmp_path, content)
    np.testing.assert_array_equal(plane.whole(), truth * np.uint8(255))
    assert plane.is_mask and plane.notes == ()


def test_geometries_that_are_left_out_are_reported(tmp_path: Path) -> None:
    points = [_feature({"type": "Point", "coordinates": [5, 5]}) for _ in range(2)]
    outside = _feature(_polygon(_square(-20, -5, -20, -5)))
    plane = _read(tmp_path, _collection(*points, _feature(None), _feature(_polygon(A)), outside))
    np.testing.assert_array_equal(plane.whole() > 0, TRUTH)
    assert plane.notes == (
        "m.geojson: only polygons are read; left out: 2 Point, 1 features without a geometry.",
        "m.geojson: 1 of 2 polygons lie outside of the plane.",
    )
    for content in (_collection(*points), _collection(), _collection(outside)):
        with pytest.raises(LabelError, match="no polygon"):
            _read(tmp_path, content)


def test_pixel_centres_at_whole_numbers_are_recognised_and_reported(tmp_path: Path) -> None:
    plane = _read(tmp_path, _polygon(_square(9.5, 29.5, 9.5, 29.5)))
    np.testing.assert_array_equal(plane.whole() > 0, TRUTH)
    assert "half pixels" in plane.notes[0]
    slanted = _read(tmp_path, _polygon([[9.5, 9.5], [29.5, 9.5], [9.5, 29.5]]))
    assert slanted.notes == () and slanted.whole()[9, 9] == 255


def test_papyrus_is_never_ink(tmp_path: Path) -> None:
    papyrus = _feature(_polygon(B), "papyrus")
    plane = _read(tmp_path, _collection(_feature(_polygon(A)), papyrus))
    np.testing.assert_array_equal(plane.whole(), np.where(TRUTH, 2, np.where(BOTH, 1, 0)))
    assert plane.names == INK_LABELS
    assert _read(tmp_path, _collection(papyrus)).whole().max() == 1
    other = _read(
        tmp_path, _collection(_feature(_polygon(A)), _feature(_polygon(B), "letter"), _feature(_polygon(B), None))
    )
    np.testing.assert_array_equal(other.whole() > 0, TRUTH)
    assert other.notes == ("m.geojson: shapes of other classes are left out (1 of letter, 1 of no class).",)
    alone = _read(tmp_path, _collection(_feature(_polygon(A), "Region*")))
    assert alone.is_mask and "Region*" in alone.notes[0]
    for names in (("a", "b"), ("ink", "edge"), ("papyrus", "a")):
        with pytest.raises(LabelError, match="unclear which"):
            _read(tmp_path, _collection(*(_feature(_polygon(A), name) for name in names)))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "content",
    [
        '{"type": "Polygon", "coordinates": [[[NaN, 1], [2, 3], [4, 5]]]}',
        '{"type": "Polygon", "coordinates": [[[1e999, 1], [2, 3], [4, 5]]]}',
        '{"type": "Polygon", "coordinates": [[[1e300, 1], [2, 3], [4, 5]]]}',
        f'{{"type": "Polygon", "coordinates": [[[1{"0" * 400}, 1], [2, 3], [4, 5]]]}}',
        "[" * 100_000,
        '{"type": "GeometryCollection", "geometries": [' * 900 + "]}" * 900,
        _collection(_feature(_polygon([["a", "b"], [1, 2], [3, 4]]))),
        _collection(_feature(_polygon([[1], [2], [3]]))),
        _collection({"type": "Feature"}),
        _collection(3),
        {"type": "FeatureCollection", "features": 3},
        {"type": "Topology"},
        {"a": 1},
        [1],
        "3",
        '"a"',
        "{",
        {**_collection(), "napari_ink": {"height": 200_000, "width": 200_000, "values": {"2": "ink"}}},
        {**_collection(), "napari_ink": {"height": -3, "width": 4, "values": {"2": "ink"}}},
        {**_collection(), "napari_ink": {"height": True, "width": 4, "values": {"2": "ink"}}},
        {**_collection(), "napari_ink": {"height": 3, "width": 4, "values": {"300": "ink"}}},
        {**_collection(), "napari_ink": 3},
        {
            **_collection(_feature(_polygon(A), value=9)),
            "napari_ink": {"height": 3, "width": 4, "values": {"2": "ink"}},
        },
    ],
)
def test_damaged_and_huge_files_end_in_a_sentence(tmp_path: Path, content: Any) -> None:
    with pytest.raises(LabelError, match=r"m\.geojson") as error:
        _read(tmp_path, content)
    assert "\n" not in str(error.value)


def test_polygons_that_cover_the_plane_ten_thousand_times_are_refused(tmp_path: Path) -> None:
    content = _collection(*[_feature(_polygon(_square(0, 2000, 0, 2000)))] * 9999)
    with pytest.raises(LabelError, match="merge the shapes"):
        _read(tmp_path, content, (2000, 2000))


def test_labels_that_qupath_saved_again(tmp_path: Path) -> None:
    values = np.random.default_rng(5).integers(0, 3, (20, 30), dtype=np.uint8)
    content = json.loads(write_label_values(values, tmp_path / "a.geojson").read_text())
    for feature in content["features"]:
        del feature["properties"]["value"]
    plane = _read(tmp_path, content["features"], (20, 30))
    np.testing.assert_array_equal(plane.whole(), values)
    np.testing.assert_array_equal(_read(tmp_path, content, None).whole(), values)


BOXES = st.tuples(*[st.integers(0, 12)] * 4).map(lambda b: (min(b[:2]), max(b[:2]) + 1, min(b[2:]), max(b[2:]) + 1))
GEOMETRIES = st.recursive(
    st.one_of(
        BOXES.map(lambda box: ("Polygon", box)),
        st.lists(BOXES, min_size=1, max_size=3).map(lambda boxes: ("MultiPolygon", boxes)),
        st.just(("Point", None)),
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: ("GeometryCollection", parts)),
    max_leaves=6,
)


def _built(kind: str, of: Any, truth: np.ndarray) -> dict[str, Any]:
    match kind:
        case "Polygon":
            truth[of[0] : of[1], of[2] : of[3]] = True
            return _polygon(_square(*of))
        case "MultiPolygon":
            return {"type": kind, "coordinates": [_built("Polygon", box, truth)["coordinates"] for box in of]}
        case "Point":
            return {"type": kind, "coordinates": [1, 1]}
    return {"type": kind, "geometries": [_built(*part, truth) for part in of]}


@settings(max_examples=100, deadline=None)
@given(
    geometries=st.lists(GEOMETRIES, min_size=1, max_size=4), bare=st.sampled_from(["collection", "list", "geometries"])
)
def test_random_nesting_of_geometries(
    tmp_path_factory: pytest.TempPathFactory, geometries: list[Any], bare: str
) -> None:
    truth = np.zeros((14, 15), np.bool_)
    built = [_built(*one, truth) for one in geometries]
    features = [_feature(one) for one in built]
    content = _collection(*features) if bare == "collection" else features if bare == "list" else built
    folder = tmp_path_factory.mktemp("geo")
    if truth.any():
        np.testing.assert_array_equal(_read(folder, content, truth.shape).whole() > 0, truth)
    else:
        with pytest.raises(LabelError, match="no polygons|neither"):
            _read(folder, content, truth.shape)
