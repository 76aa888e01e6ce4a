"""Figures for papers and talks: a projection with ink and edges drawn over it, and a scale bar."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ink.durable import replacing
from napari_ink.errors import BadInputError, OutputError
from napari_ink.export.outlines import trace
from napari_ink.export.svg import colour_of, path_data
from napari_ink.typing import Mask

if TYPE_CHECKING:
    from PIL.Image import Image

_SUFFIXES = (".png", ".svg", ".pdf")
_INK_OPACITY = 0.55
_LEAST_MM = 0.1  # shorter lengths are told in micrometres


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A scale bar of a round length.

    Attributes
    ----------
    length_px
        Its length in pixels of the figure.
    text
        The length in words, such as ``"2 mm"``.
    """

    length_px: float
    text: str


def write_figure(
    path: str | os.PathLike[str],
    image: npt.NDArray[Any],
    ink: Mask | None = None,
    edges: Mask | None = None,
    voxel_size_um: float | None = None,
    longest_px: int = 4096,
    overwrite: bool = False,
    least_px: int = 0,
    dpi: int = 300,
    bar_mm: float | None = None,
) -> Path:
    """Write a figure as a PNG or PDF of pixels, or as an SVG with the outlines as paths over an embedded picture.

    Parameters
    ----------
    path
        File to write; its suffix, .png, .svg or .pdf, decides the format.
    image
        Grey values ``(y, x)`` of any dtype, such as a projection; the 1st percentile becomes black, the 99th white.
    ink, edges
        Masks ``(y, x)`` of bool, of the same shape as `image`, drawn over it in the colours of the labels.
    voxel_size_um
        Side of a pixel in micrometres; with None, the scale bar is in pixels instead of millimetres.
    longest_px
        Longest side of the figure in pixels. Larger images are reduced by a whole factor: every n-th grey value, and
        the maximum of masks, so that thin lines are not lost.
    overwrite
        Whether to replace an existing file.
    least_px
        Smaller images are enlarged by a whole factor until their longest side has at least this many pixels.
    dpi
        Resolution that PNG and PDF files record, in pixels per inch.
    bar_mm
        Length of the scale bar; None for a round length. It applies only where the voxel size is known.

    Returns
    -------
    Path
        The absolute path of the file.

    Raises
    ------
    OutputError
        If the suffix is another one, the file exists already (unless `overwrite`), or it cannot be written.
    BadInputError
        If a mask has another shape than the image, or the scale bar is wider than the figure.
    """
    path = Path(path).absolute()
    _check(path, overwrite)
    overlays = {name: mask for name, mask in (("ink", ink), ("edge", edges)) if mask is not None}
    _check_shapes(overlays, image.shape)
    step = max(1, -(-max(image.shape) // longest_px))
    grey = _stretched(image[::step, ::step])
    factor = max(1, -(-least_px // max(grey.shape)))
    overlays = {name: _enlarged(_thinned(mask, step, grey.shape), factor) for name, mask in overlays.items()}
    grey = _enlarged(grey, factor)
    pixel_um = None if voxel_size_um is None else voxel_size_um * step / factor
    if pixel_um is None or bar_mm is None:
        bar = _round_bar(grey.shape[1], pixel_um, step, factor)
    else:
        bar = _bar_of(bar_mm, grey.shape[1], pixel_um)
    with replacing(path) as partial:
        _save(partial, path.suffix.lower(), grey, overlays, bar, dpi)
    return path


def _save(
    partial: Path, suffix: str, grey: npt.NDArray[np.uint8], overlays: dict[str, Mask], bar: ScaleBar, dpi: int
) -> None:
    if suffix == ".svg":
        partial.write_text(_svg(grey, overlays, bar), encoding="utf-8")
        return
    page = _picture(grey, overlays, bar)
    if suffix == ".png":
        page.save(partial, "PNG", dpi=(dpi, dpi))
    else:
        page.save(partial, "PDF", resolution=dpi)


def _check_shapes(overlays: Mapping[str, Mask], shape: tuple[int, ...]) -> None:
    for name, mask in overlays.items():
        if mask.shape != shape:
            raise BadInputError(
                f"The {name} mask has the shape {mask.shape} but the image {shape}; give the same part of both."
            )


def _bar_of(bar_mm: float, width_px: int, pixel_um: float) -> ScaleBar:
    """Return a bar of the length that was asked for."""
    length_px = 1000 * bar_mm / pixel_um
    if length_px > width_px:
        raise BadInputError(
            f"A scale bar of {_length(bar_mm)} is wider than the figure, which shows "
            f"{width_px * pixel_um / 1000:.3g} mm; give a shorter one."
        )
    return ScaleBar(length_px, _length(bar_mm))


def _round_bar(width_px: int, pixel_um: float | None, step: int, factor: int) -> ScaleBar:
    """Return a bar of a round length for a figure that was reduced by `step` and enlarged by `factor`."""
    if pixel_um is not None:
        return scale_bar(width_px, pixel_um, step)
    bar = scale_bar(width_px // factor, None, step)  # in pixels of the segment, which enlarging does not change
    return ScaleBar(bar.length_px * factor, bar.text)


def scale_bar(width_px: int, pixel_um: float | None, step: int = 1) -> ScaleBar:
    """Return the longest bar of 1, 2 or 5 times a power of ten that takes up at most a quarter of the width.

    Parameters
    ----------
    width_px
        Width of the figure in its pixels.
    pixel_um
        Side of one of its pixels in micrometres; None for a bar in pixels of the segment.
    step
        Pixels of the segment per pixel of the figure; used only if `pixel_um` is None.
    """
    unit_px = 1000 / pixel_um if pixel_um else 1 / step
    longest = width_px / 4 / unit_px
    power = 10.0 ** np.floor(np.log10(longest))
    # The tolerance keeps a length that fits exactly, which rounding would otherwise drop.
    length = max(factor * power for factor in (1, 2, 5) if factor * power <= longest * (1 + 1e-9))
    if not pixel_um:
        return ScaleBar(length * unit_px, f"{length:g} px")
    return ScaleBar(length * unit_px, _length(length))


def _length(mm: float) -> str:
    return f"{mm:g} mm" if mm >= _LEAST_MM else f"{1000 * mm:g} µm"


def _enlarged(plane: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    return plane if factor == 1 else plane.repeat(factor, axis=0).repeat(factor, axis=1)


def _check(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() not in _SUFFIXES:
        raise OutputError(f"{path} ends in {path.suffix or 'no suffix'}; name a .png, .svg or .pdf file.")
    if os.path.lexists(path) and not (overwrite and path.is_file()):
        raise OutputError(f"{path} exists already; choose another name or remove it.")
    if not os.path.isdir(path.parent):
        raise OutputError(f"There is no folder {path.parent}; create it or choose another.")


def _stretched(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    low, high = np.percentile(image, (1, 99)) if image.size else (0, 1)
    share = (image.astype(np.float32) - low) / max(high - low, 1e-6)
    return (np.clip(share, 0, 1) * 255).astype(np.uint8)


def _thinned(mask: Mask, step: int, shape: tuple[int, ...]) -> Mask:
    """Return a mask reduced by `step`: True for each square of `step` × `step` pixels that contains any True."""
    padded = np.pad(mask, [(0, small * step - large) for small, large in zip(shape, mask.shape, strict=True)])
    return np.asarray(padded.reshape(shape[0], step, shape[1], step).any(axis=(1, 3)))


def _picture(grey: npt.NDArray[np.uint8], overlays: dict[str, Mask], bar: ScaleBar) -> Image:
    from PIL import Image, ImageDraw

    picture = np.repeat(grey[:, :, None], 3, axis=2)
    for name, mask in overlays.items():
        colour = np.array([int(colour_of(name)[place : place + 2], 16) for place in (1, 3, 5)])
        opacity = _INK_OPACITY if name == "ink" else 1.0
        picture[mask] = np.round(picture[mask] * (1 - opacity) + colour * opacity).astype(np.uint8)
    page = Image.fromarray(picture)
    pen, (left, top, thick, size) = ImageDraw.Draw(page), _layout(grey.shape, bar)
    right = left + round(bar.length_px)
    # A black border makes the white bar visible on bright papyrus.
    for border, fill in ((1, "black"), (0, "white")):
        pen.rectangle((left - border, top - border, right - 1 + border, top + thick - 1 + border), fill)
    where = (left + right) / 2, top - thick
    pen.text(where, bar.text, "white", anchor="mb", font_size=size, stroke_width=1, stroke_fill="black")
    return page


def _svg(grey: npt.NDArray[np.uint8], overlays: dict[str, Mask], bar: ScaleBar) -> str:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(grey).save(content, "PNG")
    picture = base64.b64encode(content.getvalue()).decode("ascii")
    height, width = grey.shape
    left, top, thick, size = _layout(grey.shape, bar)
    shapes = "".join(
        f'<path id="{name}" fill="{colour_of(name)}" fill-opacity="{_INK_OPACITY if name == "ink" else 1}" '
        f'fill-rule="evenodd" d="{path_data(trace(mask))}"/>\n'
        for name, mask in overlays.items()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{picture}"/>\n{shapes}'
        f'<rect id="scale-bar" x="{left}" y="{top}" width="{bar.length_px:.2f}" height="{thick}" fill="white" '
        'stroke="black"/>\n'
        f'<text x="{left + bar.length_px / 2:.2f}" y="{top - thick}" fill="white" stroke="black" paint-order="stroke" '
        f'font-family="sans-serif" font-size="{size}" text-anchor="middle">{bar.text}</text>\n</svg>\n'
    )


def _layout(shape: tuple[int, ...], bar: ScaleBar) -> tuple[int, int, int, int]:
    """Return left, top and thickness of the bar at the bottom left, and the font size of its text, in pixels."""
    margin, thick = max(2, shape[1] // 40), max(2, shape[1] // 200)
    return margin, max(0, shape[0] - margin - thick), thick, max(10, shape[1] // 40)
