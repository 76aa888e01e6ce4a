"""Phantoms, simulated segments with known ink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.phantom.config import PhantomConfig
from napari_ink.phantom.fields import FloatArray, smooth_field
from napari_ink.phantom.ink import lay_ink
from napari_ink.phantom.labels import draw_labels
from napari_ink.phantom.letters import draw_text
from napari_ink.phantom.scanner import scan
from napari_ink.phantom.sheet import GAP_GREY, MIDDLE_GREY, Sheet, loose_fibres, make_sheet


@dataclass(frozen=True, eq=False)
class Phantom:
    """A simulated segment.

    Attributes
    ----------
    volume
        Grey values ``(z, y, x)`` uint16: 256 levels spread over 16 bits, as in scans that were scaled from 8 bits.
    ink
        Mask ``(y, x)`` of the true ink: the strokes of the pen within `mask` and on papyrus.
    mask
        Mask ``(y, x)`` of the segment; outside it all voxels are 0.
    drawn
        Mask ``(y, x)`` of the ink as drawn by a person, off the truth by `PhantomConfig.label_shift`.
    reviewed
        Mask ``(y, x)`` of the reviewed pixels; nothing is drawn elsewhere.
    config
        Parameters of the phantom.
    """

    volume: npt.NDArray[np.uint16]
    ink: npt.NDArray[np.bool_]
    mask: npt.NDArray[np.bool_]
    drawn: npt.NDArray[np.bool_]
    reviewed: npt.NDArray[np.bool_]
    config: PhantomConfig


def make_phantom(config: PhantomConfig) -> Phantom:
    """Simulate a segment; the same `config` gives the same voxels."""
    rng = np.random.default_rng(config.seed)
    shape = (config.height, config.width)
    volume, ink = _papyrus(rng, config)
    volume, ink = _at_voxel_size(volume, ink, config)
    greys = np.rint(scan(rng, volume, config)).astype(np.uint16) * 257
    mask = _outline(rng, shape, config.ragged_edge * config.scale)
    greys[:, ~mask] = 0
    if config.reversed_depth:
        greys = greys[::-1].copy()
    ink &= mask
    drawn, reviewed = draw_labels(ink, mask, config)
    return Phantom(greys, ink, mask, drawn, reviewed, config)


def _papyrus(rng: np.random.Generator, config: PhantomConfig) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the greys ``(z, y, x)`` before the scan and the ink ``(y, x)``, in voxels of `BASE_VOXEL_UM`."""
    depth_layers, *shape = (max(round(n / config.scale), 9) for n in (config.depth_layers, config.height, config.width))
    sheet = make_sheet(rng, config, (shape[0], shape[1]))
    # Letters are drawn for a blank sheet, too: the generator must not give what follows other numbers.
    strokes = draw_text(rng, (shape[0], shape[1]), config.letter_height, config.stroke_width)
    strokes &= ~sheet.bare & (not config.blank)
    ink = lay_ink(rng, strokes, config)
    height, crackle = ink.height * (sheet.thickness > 0), config.ink_texture * ink.crackle
    threads = loose_fibres(rng, (shape[0], shape[1]), int(shape[0] * shape[1] / 20_000))
    neighbours = _Neighbours.around(rng, (shape[0], shape[1]))
    volume = np.empty((depth_layers, *shape), dtype=np.float32)
    for z, layer in enumerate(volume):
        depth = z - depth_layers // 2 - config.surface_offset - sheet.face
        inked = _sheet_layer(sheet, depth, height, crackle, config.ink_contrast)
        layer[:] = np.maximum(inked, neighbours.layer(sheet, depth))
        np.maximum(layer, 150 * np.exp(-((depth + threads) ** 2)) * (threads > 0), out=layer)
    return volume, strokes & (sheet.thickness > 0)


def _at_voxel_size(
    volume: FloatArray, ink: npt.NDArray[np.bool_], config: PhantomConfig
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Resample to the voxels of the scan; the surface layer stays in the middle."""
    if config.scale == 1:
        return volume, ink
    step, shape = 1 / config.scale, (config.depth_layers, config.height, config.width)
    start = (len(volume) // 2 - config.depth_layers // 2 * step, (step - 1) / 2, (step - 1) / 2)
    fine = ndimage.affine_transform(volume, [step] * 3, start, shape, order=1, mode="nearest")
    soft = ndimage.affine_transform(ink.astype(np.float32), [step] * 2, start[1:], shape[1:], order=1, mode="nearest")
    return fine, soft > 0.5


def _outline(rng: np.random.Generator, shape: tuple[int, int], margin: float) -> npt.NDArray[np.bool_]:
    """Return the mask of the segment, which has a ragged margin around it."""
    margin = min(margin, 0.04 * min(shape))
    ys, xs = np.ogrid[: shape[0], : shape[1]]
    to_border = np.minimum(np.minimum(ys, shape[0] - 1 - ys), np.minimum(xs, shape[1] - 1 - xs))
    ragged = 1 + 0.5 * smooth_field(rng, shape, 25.0) + 0.1 * smooth_field(rng, shape, 2.0)
    outline: npt.NDArray[np.bool_] = to_border >= margin * ragged
    return outline


def _inside(depth: FloatArray, top: FloatArray | float, bottom: FloatArray | float) -> FloatArray:
    """Return the share of each voxel, one layer deep, that lies between two depths."""
    share: FloatArray = np.clip(np.minimum(depth + 0.5, bottom) - np.maximum(depth - 0.5, top), 0, 1)
    return share


def _sheet_layer(sheet: Sheet, depth: FloatArray, ink: FloatArray, crackle: FloatArray, contrast: float) -> FloatArray:
    papyrus = _inside(depth, 0.0, sheet.thickness)
    plane = np.clip(depth - sheet.first, 0, len(sheet.grey) - 1.001)
    below = plane.astype(np.intp)[None]
    blend = plane - below[0]
    grey = (1 - blend) * np.take_along_axis(sheet.grey, below, 0)[0]
    grey += blend * np.take_along_axis(sheet.grey, below + 1, 0)[0]
    # Ink soaks two or three layers deep into the face and roughens it.
    grey += crackle * np.exp(-0.5 * (np.clip(depth, 0, 30) / 1.5) ** 2)
    deposit = _inside(depth, -ink, 0.0)
    # Ink is about as dense as papyrus, so most of the contrast of the fibres below continues in it.
    ink_grey = MIDDLE_GREY + contrast + 0.7 * (sheet.grey[-sheet.first] - MIDDLE_GREY)
    layer: FloatArray = GAP_GREY + papyrus * (grey - GAP_GREY) + deposit * (ink_grey - GAP_GREY)
    return layer


@dataclass(frozen=True, eq=False)
class _Neighbours:
    """Sheets in front and behind, which are blurred copies of other parts of the same sheet."""

    above: FloatArray
    below: FloatArray
    shift: tuple[int, int]

    @classmethod
    def around(cls, rng: np.random.Generator, shape: tuple[int, int]) -> _Neighbours:
        above = 17 + 2.5 * smooth_field(rng, shape, 70.0)
        below = 27 + 2.5 * smooth_field(rng, shape, 70.0)
        return cls(above, below, (int(rng.integers(shape[0])), int(rng.integers(shape[1]))))

    def layer(self, sheet: Sheet, depth: FloatArray) -> FloatArray:
        flat = depth + sheet.face  # neighbours keep their own depth, not this sheet's
        plane = int(np.clip(np.median(flat) % len(sheet.grey), 0, len(sheet.grey) - 1))
        share = _inside(flat, -40.0, -self.above) + _inside(flat, self.below, 60.0)
        layer: FloatArray = GAP_GREY + share * 0.55 * (np.roll(sheet.grey[plane], self.shift, (0, 1)) - GAP_GREY)
        return layer
