"""The picture of a probe: separation over the offset of the window, and the maps of both directions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ink.durable import replacing

if TYPE_CHECKING:
    from PIL import ImageDraw

    from napari_ink.predict.probing.probe import WindowProbed
    from napari_ink.predict.probing.verdict import Verdict, Window

_SIZE = (900, 640)
_PLOT = (60, 60, 870, 330)  # left, top, right, bottom
_MAP = 256
_COLOURS = {
    "as stored": (0, 114, 178),
    "reversed": (213, 94, 0),
}  # from the palette of Okabe and Ito, safe for colour-blind readers


def write_plot(path: Path, probed: Sequence[WindowProbed], verdict: Verdict) -> None:
    """Write a PNG or TIFF with a curve for each direction, and the first tile's ink at the best window of each.

    Parameters
    ----------
    path
        File to write.
    probed
        All windows that were probed, in both directions.
    verdict
        The verdict, whose sentence becomes the title.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from PIL import Image, ImageDraw

    page = Image.new("RGB", _SIZE, "white")
    pen = ImageDraw.Draw(page)
    windows = [event.window for event in probed]
    pen.text((_PLOT[0], 14), _wrapped(verdict.sentence), fill="black", font_size=15)
    _axes(pen, windows)
    for number, (direction, colour) in enumerate(_COLOURS.items()):
        row = [event for event in probed if event.window.direction == direction]
        _curve(pen, [event.window for event in row], windows, colour)
        best = max(row, key=lambda event: event.window.separation)
        left = _PLOT[0] + number * (_MAP + 60)
        caption = f"{direction}, offset {best.window.offset}: {best.window.separation:.0f}"
        pen.text((left, 350), caption, fill=colour, font_size=13)
        page.paste(Image.fromarray(best.ink).resize((_MAP, _MAP)), (left, 370))
    with replacing(path) as partial:
        page.save(partial, "TIFF" if path.suffix.lower().startswith(".tif") else "PNG")


def _wrapped(sentence: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(sentence, 105))


def _place(offset: float, separation: float, windows: Sequence[Window]) -> tuple[float, float]:
    first, last = (choose(window.offset for window in windows) for choose in (min, max))
    left, top, right, bottom = _PLOT
    along = (offset - first) / (last - first) if last > first else 0.5
    return left + 20 + along * (right - left - 40), bottom - max(separation, 0) / 255 * (bottom - top)


def _axes(pen: ImageDraw.ImageDraw, windows: Sequence[Window]) -> None:
    left, top, right, bottom = _PLOT
    pen.line([(left, top), (left, bottom), (right, bottom)], fill="black")
    for level in (0, 50, 100, 150, 200, 250):
        y = _place(windows[0].offset, level, windows)[1]
        pen.line([(left - 4, y), (left, y)], fill="black")
        pen.text((left - 8, y), str(level), fill="black", anchor="rm", font_size=12)
    for offset in sorted({window.offset for window in windows}):
        x = _place(offset, 0, windows)[0]
        pen.text((x, bottom + 4), f"{offset:+d}" if offset else "0", fill="black", anchor="ma", font_size=12)
    pen.text((left + 4, top - 4), "separation", fill="black", anchor="ld", font_size=12)
    pen.text((right, bottom - 4), "offset of the window, layers", fill="black", anchor="rd", font_size=12)


def _curve(pen: ImageDraw.ImageDraw, row: Sequence[Window], windows: Sequence[Window], colour: Any) -> None:
    places = [_place(window.offset, window.separation, windows) for window in sorted(row, key=lambda w: w.offset)]
    pen.line(places, fill=colour, width=2)
    for x, y in places:
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)
