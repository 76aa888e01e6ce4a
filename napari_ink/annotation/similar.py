"""Find similar: where else on the segment something looks like a boxed stroke, turned and sized a little differently.

Normalised cross-correlation (Lewis 1995, as in scikit-image) of the box with the whole segment, coarsely and by FFT, on
the prediction and on a projection of the layers near the surface; the best places are then looked at more closely.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.errors import LabelError
from napari_ink.typing import Mask

Plane = npt.NDArray[np.float32]
Read = Callable[[tuple[int, int], tuple[int, int]], Plane]
ANGLES = (-15.0, -7.5, 0.0, 7.5, 15.0)
SCALES = (0.85, 1.0, 1.18)
_SEEN_PX = 20
_LEAST_PX = 6
_BAND_PX = 1024
_FINER = (-3.75, 0.0, 3.75)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A place that looks like the box.

    Attributes
    ----------
    y, x
        Its middle, in pixels of the segment.
    angle, scale
        How the box is turned (degrees, counterclockwise) and sized there.
    score
        Correlation, −1…1.
    ink
        What the match covers: the box's ink turned and sized, bool ``(y, x)`` around the middle.
    picture
        Grey values there, uint8 ``(y, x)``, to be shown small.
    """

    y: int
    x: int
    angle: float
    scale: float
    score: float
    ink: Mask
    picture: npt.NDArray[np.uint8]

    @property
    def corner(self) -> tuple[int, int]:
        """The first row and column that `ink` covers; they may lie outside the segment."""
        return self.y - self.ink.shape[0] // 2, self.x - self.ink.shape[1] // 2


@dataclass(frozen=True, slots=True, eq=False)
class SearchProgress:
    """How far a search has come, and what has been found once it is over.

    Attributes
    ----------
    done
        Share of the work, 0…1.
    candidates
        Best first; empty until the end.
    """

    done: float
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    y: float
    x: float
    angle: float
    scale: float
    score: float


def find_similar(
    shape: tuple[int, int],
    box: tuple[int, int, int, int],
    ink: Mask,
    channels: list[Read],
    most: int = 60,
    least_score: float = 0.5,
) -> Iterator[SearchProgress]:
    """Search a segment for what looks like a box in it.

    Parameters
    ----------
    shape
        Height and width of the segment.
    box
        ``y0, y1, x0, x1``, half open.
    ink
        Which pixels of the box are ink.
    channels
        Each reads one picture of the segment: prediction, projection. Their correlations are averaged.
    most
        How many candidates at most.
    least_score
        Correlation below which nothing is one.

    Raises
    ------
    LabelError
        If the box is too small, or empty of ink or of anything to be seen.
    """
    y0, y1, x0, x1 = box
    side = min(y1 - y0, x1 - x0)
    if side < _LEAST_PX:
        raise LabelError(f"The box is {y1 - y0} × {x1 - x0} pixels; draw one of at least {_LEAST_PX} on a side.")
    if not ink.any():
        raise LabelError("There is no ink in the box; label or predict the stroke in it first.")
    step = max(1, side // _SEEN_PX)
    templates = [_coarse(channel((y0, y1), (x0, x1)), step) for channel in channels]
    if not any(np.ptp(one) > 0 for one in templates):
        raise LabelError("There is nothing to be seen in the box; draw it around a stroke.")
    reach = _reach((y1 - y0, x1 - x0))
    transforms = list(product(ANGLES, SCALES))
    bands = [(top, min(top + _BAND_PX * step, shape[0])) for top in range(0, shape[0], _BAND_PX * step)]
    places: list[_Place] = []
    for number, (top, bottom) in enumerate(bands):
        # What a box in this band covers may reach into the next ones.
        first, last = max(top - reach, 0), min(bottom + reach, shape[0])
        pictures = [_coarse(channel((first, last), (0, shape[1])), step) for channel in channels]
        for tried, (angle, scale) in enumerate(transforms):
            correlation = _correlation(pictures, templates, angle, scale)
            places.extend(_peaks(correlation, first, step, angle, scale, least_score - 0.1, most))
            yield SearchProgress((number + (tried + 1) / len(transforms)) / len(bands) * 0.9)
    inside = [place for place in places if not _is_box(place, box)]
    chosen = _apart(inside, side, 2 * most)
    full = [channel((y0, y1), (x0, x1)) for channel in channels]
    refined = [_refined(place, shape, full, channels, step) for place in chosen]
    best = [one for one in _apart(refined, side, most) if one.score >= least_score and not _is_box(one, box)]
    yield SearchProgress(1.0, tuple(_candidate(place, shape, ink, channels[-1]) for place in best))


def _coarse(picture: Plane, step: int) -> Plane:
    """Return means of squares of `step` pixels."""
    if step == 1:
        return np.asarray(picture, np.float32)
    height, width = (max(length // step, 1) for length in picture.shape)
    cut = picture[: height * step, : width * step]
    return np.asarray(cut.reshape(height, step, width, step).mean(axis=(1, 3)), np.float32)


def _turned(picture: npt.NDArray[np.float32], angle: float, scale: float) -> Plane:
    """Return a picture turned about its middle and sized, all corners kept, its rim repeated outwards."""
    sized = ndimage.zoom(picture, scale, order=1, mode="nearest", grid_mode=True)
    return np.asarray(ndimage.rotate(sized, angle, order=1, mode="nearest", reshape=False), np.float32)


def _correlation(pictures: list[Plane], templates: list[Plane], angle: float, scale: float) -> Plane:
    """Return the mean correlation of every place that the turned box fits around, by the place's own middle."""
    from skimage.feature import match_template

    found = []
    for picture, template in zip(pictures, templates, strict=True):
        turned = _turned(template, angle, scale)
        if np.ptp(turned) == 0 or any(a < b for a, b in zip(picture.shape, turned.shape, strict=True)):
            found.append(np.zeros(picture.shape, np.float32))
            continue
        inner = match_template(picture, turned)  # type: ignore[no-untyped-call]
        whole = np.zeros(picture.shape, np.float32)
        top, left = turned.shape[0] // 2, turned.shape[1] // 2
        whole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        found.append(whole)
    return np.asarray(np.mean(found, axis=0), np.float32)


def _peaks(
    correlation: Plane, first: int, step: int, angle: float, scale: float, least: float, most: int
) -> Iterator[_Place]:
    from skimage.feature import peak_local_max

    peaks = peak_local_max(  # type: ignore[no-untyped-call]
        correlation, min_distance=3, threshold_abs=least, num_peaks=most, exclude_border=False
    )
    for row, column in peaks.tolist():
        middle = (step - 1) / 2
        yield _Place(
            first + row * step + middle, column * step + middle, angle, scale, float(correlation[row, column])
        )  # fmt: skip


def _apart(places: list[_Place], side: int, most: int) -> list[_Place]:
    """Return the best places of which no two lie nearer than half a box."""
    kept: list[_Place] = []
    for place in sorted(places, key=lambda one: -one.score):
        if all(max(abs(place.y - one.y), abs(place.x - one.x)) > side / 2 for one in kept):
            kept.append(place)
            if len(kept) == most:
                break
    return kept


def _refined(
    place: _Place, shape: tuple[int, int], full: list[Plane], channels: list[Read], step: int
) -> _Place:  # fmt: skip
    """Look at a place again, finely: nearby angles, and every pixel of the coarse one."""
    reach = _reach(full[0].shape) + 2 * step
    y, x = round(place.y), round(place.x)
    rows, columns = (
        (max(at - reach, 0), min(at + reach + 1, length)) for at, length in zip((y, x), shape, strict=True)
    )
    # Where the box is large, half of its pixels tell as much.
    finer = max(1, step // 2)
    pictures = [_coarse(channel(rows, columns), finer) for channel in channels]
    templates = [_coarse(one, finer) for one in full]
    best = replace(place, score=-1.0)
    for turn in _FINER if step > 1 else (0.0,):
        correlation = _correlation(pictures, templates, place.angle + turn, place.scale)
        row, column = np.unravel_index(int(correlation.argmax()), correlation.shape)
        if correlation[row, column] > best.score:
            middle = (finer - 1) / 2
            best = _Place(
                rows[0] + int(row) * finer + middle, columns[0] + int(column) * finer + middle, place.angle + turn,
                place.scale, float(correlation[row, column]),
            )  # fmt: skip
    return best


def _candidate(place: _Place, shape: tuple[int, int], ink: Mask, picture: Read) -> Candidate:
    # Room around it, so that no stroke is cut off as it turns.
    turned = np.asarray(_turned(np.pad(ink, max(ink.shape) // 4).astype(np.float32), place.angle, place.scale) >= 0.5)
    y, x = round(place.y), round(place.x)
    rows, columns = (
        (max(at - length // 2, 0), min(at + length // 2 + 1, whole))
        for at, length, whole in zip((y, x), ink.shape, shape, strict=True)
    )
    seen = picture(rows, columns)
    low, high = float(seen.min()), float(seen.max())
    grey = ((seen - low) / max(high - low, 1e-6) * 255).astype(np.uint8)
    return Candidate(y, x, place.angle, place.scale, min(place.score, 1.0), turned, grey)


def _is_box(place: _Place, box: tuple[int, int, int, int]) -> bool:
    y0, y1, x0, x1 = box
    return abs(place.y - (y0 + y1 - 1) / 2) < (y1 - y0) / 2 and abs(place.x - (x0 + x1 - 1) / 2) < (x1 - x0) / 2


def _reach(shape: tuple[int, ...]) -> int:
    """Return how far from its middle a box reaches, turned and sized as much as may be."""
    return math.ceil(max(SCALES) * math.hypot(*shape) / 2) + 1
