"""SVGs saved by drawing programs: the pixels follow every transform, or one sentence gives the reason for a refusal."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.errors import LabelError
from napari_ink.export import EDGE_LABELS, INK_LABELS, plane_of, read_labels, write_mask, write_plane

MASK = np.zeros((64, 96), np.bool_)
MASK[10:30, 10:30] = True
MASK[15:20, 15:20] = False
MOVED = np.roll(MASK, (5, 20), (0, 1))
INK = 'data-value="255" data-name="ink"'


def _read(folder: Path, text: str | bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    path = folder / "m.svg"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    plane = read_labels(path)
    return plane.whole() > 0, plane.notes


def _page(inside: str, size: str = 'width="96" height="64" viewBox="0 0 96 64"') -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {size}>{inside}</svg>'


SQUARE = f'<path {INK} d="M10 10h20v20h-20zM15 20h5v-5h-5z"/>'


@pytest.fixture
def exported(tmp_path: Path) -> str:
    return write_mask(MASK, tmp_path / "out.svg").read_text()


@pytest.mark.parametrize(
    ("old", "new", "truth"),
    [
        ("<path ", '<path transform="translate(20,5)" ', MOVED),
        ("<path ", '<path style="transform: translate(20px, 5px)" ', MOVED),
        ("<path ", '<path transform="matrix(1 0 0 1 20 5)" ', MOVED),
        ("<path ", '<path transform="scale(2) translate(10 2.5) scale(.5)" ', MOVED),
        ("<path ", '<path transform="rotate(90 20 20)" ', np.rot90(MASK[:40, :40], -1)),
        ("<path ", '<path transform="translate(40) scale(-1,1)" ', MASK[:40, :40][:, ::-1]),
        ('width="96" height="64" v', 'width="72" height="48" v', MASK),
        ('width="96" height="64" v', 'width="96mm" height="64mm" v', MASK),
        ('width="96" height="64" v', 'width="100%" height="100%" v', MASK),
        ('width="96" height="64" v', 'width="96px" height="64px" v', MASK),
        (' viewBox="0 0 96 64"', "", MASK),
        ('"0 0 96 64"', '"-20 -5 96 64"', MOVED),
        ("<path ", '<path display="none" ', MASK & False),
        ("<path ", '<path style="display:none" ', MASK & False),
        ("<path ", '<path visibility="hidden" ', MASK & False),
        ("<path ", '<path style="fill:none;stroke:#000" ', MASK & False),
        ("<path ", '<path opacity="0" ', MASK & False),
        ('fill-rule="evenodd"', "", MASK),  # holes turn the other way, so both rules agree
    ],
)
def test_pixels_follow_a_changed_export(exported: str, tmp_path: Path, old: str, new: str, truth: np.ndarray) -> None:
    found, notes = _read(tmp_path, exported.replace(old, new, 1))
    whole = np.zeros_like(MASK)
    whole[: truth.shape[0], : truth.shape[1]] = truth
    np.testing.assert_array_equal(found, whole)
    assert bool(notes) == (not truth.any())  # omitted shapes are reported


def test_groups_layers_and_style_sheets(tmp_path: Path) -> None:
    classed = SQUARE.replace("<path", '<path class="d"')
    inside = (
        "<style>/* { */ .a, .b{fill:none} #c{display:none} path.d{transform:translate(20px,5px)}</style>"
        f'<g transform="translate(20,5)"><g {INK}><path d="M10 10h20v20h-20zM15 20h5v-5h-5z"/></g></g>'
        f'<g class="a">{SQUARE}</g><g id="c">{SQUARE}</g>{classed}'
        '<rect x="50" y="50" width="9" height="9"/>'
    )
    found, notes = _read(tmp_path, _page(inside))
    np.testing.assert_array_equal(found, MOVED)
    assert notes == ("m.svg: shapes are left out (1 hidden, 1 without a data-value, 1 without a fill).",)


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (SQUARE.replace("<path", '<path clip-path="url(#a)"'), "clipped"),
        (f'<g mask="url(#a)">{SQUARE}</g>', "masked"),
        (SQUARE.replace("<path", '<path style="filter:blur(2px)"'), "filtered"),
        (SQUARE.replace("<path", '<path id="a"') + '<use xlink:href="#a" x="9"/>', "clone"),
        (f'<svg x="9">{SQUARE}</svg>', "<svg>"),
        (SQUARE.replace("<path", '<path transform="rotate(9)" transform-origin="5 5"'), "transform-origin"),
        (SQUARE.replace("<path", '<path transform="spin(9)"'), "damaged transform"),
        (SQUARE.replace("<path", '<path transform="scale(1,2,3)"'), "damaged transform"),
        (SQUARE.replace("z", "zz5"), "path data"),
        (SQUARE.replace("M10", "M1e400"), "beyond"),
        (SQUARE.replace("255", "7"), "values 7"),
        ("<style>g &gt; path{fill:none}</style>" + SQUARE, "style for"),
        ("<style>@media print{path{fill:none}}</style>" + SQUARE, "style sheet"),
        ("<g>" * 999 + SQUARE + "</g>" * 999, "nested groups"),
        (f'<circle {INK} r="-3"/>', "negative"),
        (f'<rect {INK} width="3em" height="3"/>', "unknown length"),
        (f'<polygon {INK} points="1 1 2 2 3"/>', "cannot be read"),
    ],
)
def test_unsupported_content_is_refused(tmp_path: Path, inside: str, message: str) -> None:
    with pytest.raises(LabelError, match=message) as error:
        _read(tmp_path, _page(inside))
    assert "m.svg" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "data", ["M1", "M0 0z5", "M1 1h", "M0 0 L1 2 3", "M0 0 foo", "M0 0C1 1", "M0 0V", "h5", "5 5M0 0"]
)
@pytest.mark.timeout(20)
def test_damaged_path_data_are_refused(tmp_path: Path, data: str) -> None:
    with pytest.raises(LabelError, match="path data"):
        _read(tmp_path, _page(f'<path {INK} d="{data}"/>'))


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0" encoding="inf"?><svg width="8" height="8"/>',
        '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + _page(SQUARE + "&b;"),
        f'<!DOCTYPE svg [<!ENTITY a "{"a" * 9999}">]>' + _page(SQUARE + "&a;" * 9999),
        '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + _page(SQUARE + "&a;"),
        _page(SQUARE, 'width="1e5" height="1e5"'),
        _page(SQUARE, 'width="1e300" height="1e300"'),
        _page(SQUARE, 'width="8.5" height="8.5"'),
        _page(SQUARE, 'viewBox="0 0 8"'),
        _page(SQUARE, 'viewBox="0 0 nan 8"'),
        _page("<style>" + "/**/" * 300_000 + "a</style>" + SQUARE),
        _page("<style>" + "a" * 300_000 + "</style>" + SQUARE),
        _page(SQUARE.replace("M10", "M" + "1" * 300_000 + "x")),
        _page(f'<polygon {INK} points="{"1" * 300_000}x"/>'),
        _page(f'<path {INK} d="M0 0h2000v2000h-2000z"/>' * 9999, 'width="2000" height="2000"'),
        _page(f'<path {INK} d="M0 0{"q9e8 9e8 1 1" * 9999}"/>'),
        b"\xff\xfe<\x00s\x00",
    ],
)
def test_hostile_files_give_one_error_sentence_quickly(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(LabelError, match=r"m\.svg"):
        _read(tmp_path, text)


def test_illustrators_entities_are_read(tmp_path: Path) -> None:
    head = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd" [<!ENTITY ns_svg "http://www.w3.org/2000/svg">]>'
    text = head + _page(SQUARE).replace("http://www.w3.org/2000/svg", "&ns_svg;")
    np.testing.assert_array_equal(_read(tmp_path, text)[0], MASK)


def test_a_page_in_millimetres_has_its_original_pixels(tmp_path: Path, exported: str) -> None:
    side = 25.4 / 96
    page = f'width="{96 * side}mm" height="{64 * side}mm" viewBox="0 0 {96 * side} {64 * side}"'
    text = _page(SQUARE.replace("<path", f'<path transform="scale({side})"'), page)
    np.testing.assert_array_equal(_read(tmp_path, text)[0], MASK)
    page = 'width="192" height="128" viewBox="0 0 192 128" data-width="96" data-height="64"'
    found, notes = _read(tmp_path, _page(SQUARE, page))
    assert found.shape == (128, 192) and "had 64 × 96 when it was exported" in notes[0]


def test_values_without_remaining_shapes_keep_their_meaning(tmp_path: Path) -> None:
    values = np.zeros((6, 7), np.uint8)
    values[1:3, 1:3], values[4, 4] = 1, 2
    for names in (INK_LABELS, EDGE_LABELS):
        path = write_plane(plane_of(values, names), tmp_path / f"{names[1]}.svg")
        lines = path.read_text().splitlines()
        path.write_text("\n".join(line for line in lines if 'data-value="2"' not in line))
        plane = read_labels(path)
        assert plane.names == names
        np.testing.assert_array_equal(plane.whole(), np.where(values == 1, 1, 0))


# Compared with a separate fill, by the angles that the sides turn through around each centre


def _inside(ring: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return winding numbers of the centres, and their distance from the nearest side; points are (x, y)."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    turned, near = np.zeros(shape), np.full(shape, np.inf)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        ax, ay, bx, by = x0 - x, y0 - y, x1 - x, y1 - y
        turned += np.arctan2(ax * by - ay * bx, ax * bx + ay * by)
        dx, dy = x1 - x0, y1 - y0
        t = np.clip(-(ax * dx + ay * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
        near = np.minimum(near, np.hypot(ax + t * dx, ay + t * dy))
    return np.rint(turned / (2 * np.pi)).astype(int), near


NUMBERS = st.floats(-1.5, 1.5).map(lambda x: round(x, 3))
FUNCTIONS = st.one_of(
    st.tuples(st.floats(-20, 20), st.floats(-20, 20)).map(lambda p: ("translate", p)),
    st.tuples(NUMBERS, NUMBERS).map(lambda p: ("scale", p)),
    st.tuples(st.integers(-180, 180), st.integers(0, 40), st.integers(0, 40)).map(lambda p: ("rotate", p)),
    st.tuples(st.integers(-60, 60)).map(lambda p: ("skewX", p)),
    st.tuples(st.integers(-60, 60)).map(lambda p: ("skewY", p)),
    st.tuples(*[NUMBERS] * 6).map(lambda p: ("matrix", p)),
)


def _matrix(name: str, p: tuple[float, ...]) -> np.ndarray:
    out = np.eye(3)
    match name:
        case "translate":
            out[:2, 2] = p
        case "scale":
            out[0, 0], out[1, 1] = p
        case "rotate":
            c, s = math.cos(math.radians(p[0])), math.sin(math.radians(p[0]))
            out[:2, :2] = [[c, -s], [s, c]]
            out[:2, 2] = np.array(p[1:]) - out[:2, :2] @ p[1:]
        case "skewX":
            out[0, 1] = math.tan(math.radians(p[0]))
        case "skewY":
            out[1, 0] = math.tan(math.radians(p[0]))
        case "matrix":
            out[:2] = np.array(p).reshape(3, 2).T
    return out


@settings(max_examples=150, deadline=None)
@given(
    outer=st.lists(FUNCTIONS, max_size=2),
    inner=st.lists(FUNCTIONS, max_size=2),
    points=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=6),
    origin=st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
    odd=st.booleans(),
)
def test_pixels_follow_any_transform(
    tmp_path_factory: pytest.TempPathFactory,
    outer: list[tuple[str, tuple[float, ...]]],
    inner: list[tuple[str, tuple[float, ...]]],
    points: list[tuple[int, int]],
    origin: tuple[int, int],
    odd: bool,
) -> None:
    def chain(functions: list[tuple[str, tuple[float, ...]]]) -> str:
        return " ".join(f"{name}({', '.join(map(repr, p))})" for name, p in functions)

    shape = (40, 50)
    data = "M" + " ".join(f"{x},{y}" for x, y in points) + "Z"
    rule = "evenodd" if odd else "nonzero"
    inside = f'<g transform="{chain(outer)}"><path {INK} fill-rule="{rule}" transform="{chain(inner)}" d="{data}"/></g>'
    page = f'viewBox="{origin[0]} {origin[1]} {shape[1]} {shape[0]}"'
    found, _ = _read(tmp_path_factory.mktemp("svg"), _page(inside, page))
    matrix = np.eye(3)
    for function in (*outer, *inner):
        matrix = matrix @ _matrix(*function)
    ring = (np.c_[points, np.ones(len(points))] @ matrix.T)[:, :2] - origin
    turns, near = _inside(ring, shape)
    sure = near > 1e-4
    truth = turns % 2 == 1 if odd else turns != 0
    np.testing.assert_array_equal(found[sure], truth[sure])


def _sampled(kind: str) -> tuple[str, np.ndarray]:
    """Return a shape as SVG, and as many points that follow from its definition."""
    t = np.linspace(0, 1, 2000)[:, None]
    angle = 2 * np.pi * t
    a, b, c, d = (np.array(p, float) for p in ((5, 30), (10, -10), (45, 0), (40, 32)))
    cubic = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    quad = (1 - t) ** 2 * a + 2 * (1 - t) * t * b + t**2 * d
    end = 2 * d - b  # the control point of T, which ends in (45, 5)
    more = (1 - t) ** 2 * d + 2 * (1 - t) * t * end + t**2 * np.array([45, 5])
    half = np.c_[25 + 15 * np.cos(angle / 2), 20 - 10 * np.sin(angle / 2)]
    return {
        "circle": (f'<circle {INK} cx="25" cy="20" r="15"/>', np.c_[25 + 15 * np.cos(angle), 20 + 15 * np.sin(angle)]),
        "ellipse": (
            f'<ellipse {INK} cx="25" cy="20" rx="15" ry="9"/>',
            np.c_[25 + 15 * np.cos(angle), 20 + 9 * np.sin(angle)],
        ),
        "rect": (
            f'<rect {INK} x="5.2" y="10%" width="30" height="12px"/>',
            np.array([(5.2, 4), (35.2, 4), (35.2, 16), (5.2, 16)]),
        ),
        "polygon": (f'<polygon {INK} points="5,30 10-10,45 0 40.5.5"/>', np.array([a, b, c, (40.5, 0.5)])),
        "cubic": (f'<path {INK} d="M5 30C10-10 45,0 40 32Z"/>', cubic),
        "relative": (f'<path {INK} d="m5 30c5-40 40-30 35 2z"/>', cubic),
        "quad": (f'<path {INK} d="M5 30Q10-10 40 32T45 5z"/>', np.r_[quad, more]),
        "arc": (f'<path {INK} d="M40. 20a15 10 0 10-30 0z"/>', half),
    }[kind]


@pytest.mark.parametrize("kind", ["circle", "ellipse", "rect", "polygon", "cubic", "relative", "quad", "arc"])
def test_curves_and_basic_shapes_are_filled(tmp_path: Path, kind: str) -> None:
    text, ring = _sampled(kind)
    found, _ = _read(tmp_path, _page(text, 'viewBox="0 0 50 40"'))
    turns, near = _inside(ring, (40, 50))
    sure = near > 0.03
    np.testing.assert_array_equal(found[sure], (turns != 0)[sure])
    assert (~sure).sum() < 60 and found.any()
