"""Find similar: search a segment for places that look like a boxed stroke, slightly rotated or scaled.

The search is a normalised cross-correlation (Lewis, "Fast normalized cross-correlation", 1995, as in scikit-image) of
the box with the whole segment, at reduced resolution, on the prediction and on a projection of the layers near the
surface; the best places are then refined.
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
# The box is reduced to this many pixels on its shorter side for the coarse search.
_SEEN_PX = 20
_LEAST_PX = 6
# The segment is searched in bands of this height (of reduced pixels), so that memory does not grow with it.
_BAND_PX = 1024
# Share of a candidate's ink that is labelled already, above which there is nothing to decide.
_KNOWN_SHARE = 0.5
# Degrees around a coarse angle, half the distance to the next one.
_FINER = (-3.75, 0.0, 3.75)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """Place that is similar to the box.

    Attributes
    ----------
    y, x
        Centre of the place, in segment pixels.
    angle, scale
        Rotation of the box (degrees, counterclockwise) and its scale.
    score
        Correlation, −1…1.
    ink
        The box's ink, rotated and scaled, bool ``(y, x)`` around the centre.
    picture
        Grey values around the centre, uint8 ``(y, x)``, for a thumbnail.
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
    """The progress of a search, and its results at the end.

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
    known: Callable[[tuple[int, int], tuple[int, int]], Mask] | None = None,
) -> Iterator[SearchProgress]:
    """Search a segment for places that look like a box, and yield progress; the last event holds the candidates.

    Parameters
    ----------
    shape
        Height and width of the segment.
    box
        ``y0, y1, x0, x1``, half open.
    ink
        Ink inside the box, bool ``(y, x)``.
    channels
        Functions that read an image of the segment, such as prediction and projection; correlations are averaged.
    most
        Largest number of candidates.
    least_score
        Lowest correlation of a candidate.
    known
        Function that reads the pixels that are ink already, bool ``(y, x)``. Places with mostly such
        pixels are left out.

    Raises
    ------
    LabelError
        If the box is too small, has no ink, or shows nothing.
    """
    y0, y1, x0, x1 = box
    side = min(y1 - y0, x1 - x0)
    _check_box(box, ink)
    step = max(1, side // _SEEN_PX)
    templates = [_coarse(channel((y0, y1), (x0, x1)), step) for channel in channels]
    if not any(np.ptp(one) > 0 for one in templates):
        raise LabelError("The box has no contrast; draw it around a stroke.")
    reach = _reach((y1 - y0, x1 - x0))
    transforms = list(product(ANGLES, SCALES))
    bands = [(top, min(top + _BAND_PX * step, shape[0])) for top in range(0, shape[0], _BAND_PX * step)]
    places: list[_Place] = []
    for number, (top, bottom) in enumerate(bands):
        # A box whose centre is in this band may reach into the bands around it.
        first, last = max(top - reach, 0), min(bottom + reach, shape[0])
        pictures = [_coarse(channel((first, last), (0, shape[1])), step) for channel in channels]
        for tried, (angle, scale) in enumerate(transforms):
            correlation = _correlation(pictures, templates, angle, scale)
            places.extend(_peaks(correlation, first, step, angle, scale, least_score - 0.1, most))
            yield SearchProgress((number + (tried + 1) / len(transforms)) / len(bands) * 0.9)
    # The box itself is its own best match. Twice as many as wanted: refining changes the order.
    inside = [place for place in places if not _is_box(place, box)]
    chosen = _apart(inside, side, 2 * most)
    full = [channel((y0, y1), (x0, x1)) for channel in channels]
    refined = [_refined(place, shape, full, channels, step) for place in chosen]
    best = [one for one in _apart(refined, side, most) if one.score >= least_score and not _is_box(one, box)]
    found = (_candidate(place, shape, ink, channels[-1]) for place in best)
    yield SearchProgress(1.0, tuple(one for one in found if known is None or not is_known(one, shape, known)))


def _check_box(box: tuple[int, int, int, int], ink: Mask) -> None:
    y0, y1, x0, x1 = box
    if min(y1 - y0, x1 - x0) < _LEAST_PX:
        raise LabelError(f"The box is {y1 - y0} × {x1 - x0} pixels; draw one of at least {_LEAST_PX} on a side.")
    if not ink.any():
        raise LabelError("There is no ink in the box; label or predict the stroke in it first.")


def is_known(
    candidate: Candidate, shape: tuple[int, int], known: Callable[[tuple[int, int], tuple[int, int]], Mask]
) -> bool:
    """Return whether most pixels that a candidate would label as ink are ink already.

    Parameters
    ----------
    candidate
        Place that was found.
    shape
        Height and width of the segment.
    known
        Function that reads the pixels that are ink already, bool ``(y, x)``.
    """
    (top, left), (height, width) = candidate.corner, candidate.ink.shape
    y, x = (max(top, 0), min(top + height, shape[0])), (max(left, 0), min(left + width, shape[1]))
    if y[0] >= y[1] or x[0] >= x[1]:
        return True  # it lies beside the segment
    ink = candidate.ink[y[0] - top : y[1] - top, x[0] - left : x[1] - left]
    return bool((ink & known(y, x)).sum() > _KNOWN_SHARE * ink.sum())


def _coarse(picture: Plane, step: int) -> Plane:
    """Return an image reduced by the mean of squares of `step` pixels."""
    if step == 1:
        return np.asarray(picture, np.float32)
    height, width = (max(length // step, 1) for length in picture.shape)
    cut = picture[: height * step, : width * step]
    return np.asarray(cut.reshape(height, step, width, step).mean(axis=(1, 3)), np.float32)


def _turned(picture: npt.NDArray[np.float32], angle: float, scale: float) -> Plane:
    """Return an image scaled and rotated about its centre; its border is repeated outwards."""
    sized = ndimage.zoom(picture, scale, order=1, mode="nearest", grid_mode=True)
    return np.asarray(ndimage.rotate(sized, angle, order=1, mode="nearest", reshape=False), np.float32)


def _correlation(pictures: list[Plane], templates: list[Plane], angle: float, scale: float) -> Plane:
    """Return the correlation ``(y, x)`` of the rotated box centred at each pixel, averaged over channels."""
    from skimage.feature import match_template

    found = []
    for picture, template in zip(pictures, templates, strict=True):
        turned = _turned(template, angle, scale)
        if np.ptp(turned) == 0 or any(a < b for a, b in zip(picture.shape, turned.shape, strict=True)):
            # A flat template has no correlation, and one larger than the image does not fit.
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
        yield _Place(first + row * step + middle, column * step + middle, angle, scale, float(correlation[row, column]))


def _apart(places: list[_Place], side: int, most: int) -> list[_Place]:
    """Return the best places, no two of them closer than half a box."""
    kept: list[_Place] = []
    for place in sorted(places, key=lambda one: -one.score):
        if all(max(abs(place.y - one.y), abs(place.x - one.x)) > side / 2 for one in kept):
            kept.append(place)
            if len(kept) == most:
                break
    return kept


def _refined(place: _Place, shape: tuple[int, int], full: list[Plane], channels: list[Read], step: int) -> _Place:
    """Return a place refined at a finer resolution: position and nearby angles."""
    reach = _reach(full[0].shape) + 2 * step
    y, x = round(place.y), round(place.x)
    rows, columns = (
        (max(at - reach, 0), min(at + reach + 1, length)) for at, length in zip((y, x), shape, strict=True)
    )
    # For a large box, half of the coarse step is precise enough.
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
                rows[0] + int(row) * finer + middle,
                columns[0] + int(column) * finer + middle,
                place.angle + turn,
                place.scale,
                float(correlation[row, column]),
            )
    return best


def _candidate(place: _Place, shape: tuple[int, int], ink: Mask, picture: Read) -> Candidate:
    # Padded, so that no stroke is cut off by the rotation.
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
    """Return the largest distance from a box's centre to its corners over all rotations and scales, in pixels."""
    return math.ceil(max(SCALES) * math.hypot(*shape) / 2) + 1
