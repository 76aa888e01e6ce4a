"""Figures: the image with its overlays, and a scale bar of the stated length."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_ink.errors import BadInputError, OutputError
from napari_ink.export import write_figure
from napari_ink.export.figure import scale_bar

RNG = np.random.default_rng(2)
GREY = RNG.integers(0, 60000, (300, 400), dtype=np.uint16)
INK = np.zeros((300, 400), np.bool_)
INK[40:90, 100:200] = True


def test_ink_is_tinted_and_papyrus_stays_grey(tmp_path: Path) -> None:
    path = write_figure(tmp_path / "a.png", GREY, INK, np.roll(INK, 100, axis=0), voxel_size_um=10)
    picture = np.asarray(Image.open(path)).astype(int)
    assert picture.shape == (300, 400, 3)
    assert (picture[INK][:, 0] > picture[INK][:, 2] + 50).all()
    edges = picture[140:190, 100:200].reshape(-1, 3)
    assert (edges == edges[0]).all() and edges[0, 0] > edges[0, 2] > 180
    rest = picture[200:250, :50].reshape(-1, 3)
    assert (rest == rest[:, :1]).all()


@given(width=st.integers(20, 30000), pixel_um=st.none() | st.floats(0.3, 200), step=st.integers(1, 9))
def test_the_scale_bar_has_a_round_and_exact_length(width: int, pixel_um: float | None, step: int) -> None:
    bar = scale_bar(width, pixel_um, step)
    number, unit = bar.text.split()
    assert (unit == "px") == (pixel_um is None)
    side = step if pixel_um is None else pixel_um / {"mm": 1000, "µm": 1}[unit]
    assert bar.length_px * side == pytest.approx(float(number))
    assert width / 4 / 2.5 <= bar.length_px * (1 + 1e-6) <= width / 4 * (1 + 1e-5)
    assert number.replace("e-05", "").replace(".", "").strip("0") in ("1", "2", "5")


def test_the_scale_bar_in_the_picture(tmp_path: Path) -> None:
    path = write_figure(tmp_path / "a.png", np.zeros((300, 400), np.uint8), voxel_size_um=50)
    white = (np.asarray(Image.open(path))[-20:] == 255).all(axis=2)
    assert scale_bar(400, 50).text == "5 mm"
    assert max(white.sum(axis=1)) == 100


def test_an_svg_contains_outlines_and_the_length_of_the_scale_bar(tmp_path: Path) -> None:
    root = ElementTree.parse(write_figure(tmp_path / "a.svg", GREY, INK, voxel_size_um=7.91)).getroot()
    parts = {element.tag.rpartition("}")[2]: element for element in root}
    assert parts["path"].attrib["d"] == "M100 40h100v50h-100z"
    assert parts["text"].text == "0.5 mm" and float(parts["rect"].attrib["width"]) == pytest.approx(
        500 / 7.91, abs=0.01
    )
    assert parts["image"].attrib["href"].startswith("data:image/png;base64,")


def test_a_pdf_is_written(tmp_path: Path) -> None:
    assert write_figure(tmp_path / "a.pdf", GREY, INK).read_bytes().startswith(b"%PDF-")


def test_large_figures_are_scaled_down_and_keep_thin_lines(tmp_path: Path) -> None:
    line = np.zeros((1000, 900), np.bool_)
    line[333] = True
    path = write_figure(tmp_path / "a.png", np.zeros((1000, 900), np.uint8), edges=line, longest_px=400)
    picture = np.asarray(Image.open(path))
    assert picture.shape == (334, 300, 3) and (picture[111] > 0).any(axis=1).all()


def test_unusable_names_are_refused(tmp_path: Path) -> None:
    path = write_figure(tmp_path / "a.png", GREY)
    for name, message in (("a.png", "exists already"), ("a.jpg", "name a .png"), ("no/a.png", "no folder")):
        with pytest.raises(OutputError, match=message):
            write_figure(tmp_path / name, GREY)
    with pytest.raises(BadInputError, match="same part"):
        write_figure(path, GREY, INK[:-1], overwrite=True)
    assert list(tmp_path.iterdir()) == [path]


def test_a_small_figure_is_enlarged_with_its_scale_bar(tmp_path: Path) -> None:
    path = write_figure(
        tmp_path / "a.png", np.zeros((30, 40), np.uint8), voxel_size_um=50, least_px=200, dpi=600, bar_mm=1
    )
    with Image.open(path) as picture:
        assert picture.size == (200, 150) and round(picture.info["dpi"][0]) == 600
        white = (np.asarray(picture)[-12:] == 255).all(axis=2)
    assert max(white.sum(axis=1)) == 100  # 1 mm at 10 µm a pixel
    with pytest.raises(BadInputError, match="A scale bar of 3 mm is wider than the figure, which shows 2 mm"):
        write_figure(tmp_path / "b.png", np.zeros((30, 40), np.uint8), voxel_size_um=50, bar_mm=3)
