"""What a scan measures, beside what published scans measure: greys, likeness of layers, smoothness, noise, sheet."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import skeletonize

Statistics = dict[str, float]

# Lowest and highest figure of two sets of public crops of Scroll 1 (7.91 µm, 8-bit): large crops and crops of letters.
PUBLISHED: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "grey, 5 %": (56, 63),
        "grey, 25 %": (78, 83),
        "grey, 50 %": (99, 112),
        "grey, 75 %": (145, 160),
        "grey, 95 %": (188, 203),
        "grey, 99 %": (214, 231),
        "correlation 1 layer on": (0.93, 0.93),
        "correlation 2 layers on": (0.74, 0.75),
        "correlation 4 layers on": (0.25, 0.27),
        "correlation 8 layers on": (-0.16, -0.15),
        "autocorrelation y, 1 px": (0.97, 0.98),
        "autocorrelation y, 2 px": (0.93, 0.93),
        "autocorrelation y, 4 px": (0.82, 0.84),
        "autocorrelation y, 8 px": (0.6, 0.69),
        "autocorrelation y, 16 px": (0.33, 0.48),
        "autocorrelation y, 32 px": (0.08, 0.25),
        "autocorrelation x, 1 px": (0.97, 0.99),
        "autocorrelation x, 2 px": (0.89, 0.96),
        "autocorrelation x, 4 px": (0.75, 0.9),
        "autocorrelation x, 8 px": (0.6, 0.76),
        "autocorrelation x, 16 px": (0.4, 0.56),
        "autocorrelation x, 32 px": (0.17, 0.34),
        "noise over spread": (0.04, 0.08),
        "slope of the power spectrum": (-3.2, -2.9),
        "grey of the gap": (17, 17),
        "highest grey along the depth": (93, 93),
        "sheet, layers at half height": (14, 14),
        "grey before the gap": (51, 51),
        "grey behind the sheet": (34, 48),
        "stroke width, px": (20, 60),
    }
)
_TOLERANCE, _LEAST = 1 / 3, 0.1


def tolerated(name: str) -> tuple[float, float]:
    """Return the bounds of a figure: a third beyond the `PUBLISHED` ones, and at least 0.1 for correlations near 0."""
    low, high = PUBLISHED[name]
    below, above = (max(abs(figure) * _TOLERANCE, _LEAST if abs(figure) < 0.3 else 0.0) for figure in (low, high))
    # A ratio that is small by nature: the least tolerance of 0.1 would allow more than twice the noise.
    if name == "noise over spread":
        below, above = low * _TOLERANCE, high * _TOLERANCE
    return low - below, high + above


def scan_statistics(volume: npt.NDArray[np.uint16], ink: npt.NDArray[np.bool_]) -> Statistics:
    """Measure a scan at 7.91 µm with its surface in the middle layer.

    Parameters
    ----------
    volume
        ``(z, y, x)``, 8-bit greys spread over 16 bits, without margins.
    ink
        The truth ``(y, x)``.

    Returns
    -------
    dict
        The figures of `PUBLISHED`; the stroke width is left out where there is no ink.
    """
    at = len(volume) // 2 + 7  # the middle of the sheet
    layer = (volume[at] / 257).astype(np.float64)
    measured = {f"grey, {share} %": float(np.percentile(layer, share)) for share in (5, 25, 50, 75, 95, 99)}
    for lag in (1, 2, 4, 8):
        first = at - lag // 2
        measured[f"correlation {lag} layer{'s' * (lag > 1)} on"] = _correlation(volume[first], volume[first + lag])
    for lag in (1, 2, 4, 8, 16, 32):
        measured[f"autocorrelation y, {lag} px"] = _correlation(layer[lag:], layer[:-lag])
        measured[f"autocorrelation x, {lag} px"] = _correlation(layer[:, lag:], layer[:, :-lag])
    measured["noise over spread"] = immerkaer_noise(layer) / float(layer.std())
    measured["slope of the power spectrum"] = spectral_slope(layer)
    measured |= _depth_profile(volume)
    if ink.any():
        measured["stroke width, px"] = stroke_width(ink)
    return {name: measured[name] for name in PUBLISHED if name in measured}


def _correlation(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def immerkaer_noise(layer: npt.NDArray[np.floating]) -> float:
    """Return the standard deviation of white noise in a layer (Immerkær 1996)."""
    # The difference of two Laplacians: structure cancels, noise stays.
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(ndimage.convolve(layer, kernel)).mean())


def spectral_slope(layer: npt.NDArray[np.floating]) -> float:
    """Return the exponent of the power spectrum between 0.01 and 0.4 cycles per pixel."""
    # Opposite edges of a crop differ, and without a window that step adds power at high frequencies.
    window = np.hanning(layer.shape[0])[:, None] * np.hanning(layer.shape[1])
    power = np.abs(np.fft.fft2((layer - layer.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(layer.shape[0])[:, None], np.fft.fftfreq(layer.shape[1]))
    edges = np.geomspace(0.01, 0.4, 20)
    bins = [(frequency >= low) & (frequency < high) for low, high in zip(edges, edges[1:], strict=False)]
    middle, mean = np.sqrt(edges[1:] * edges[:-1]), [power[chosen].mean() for chosen in bins if chosen.any()]
    return float(np.polyfit(np.log(middle[[chosen.any() for chosen in bins]]), np.log(mean), 1)[0])


def _depth_profile(volume: npt.NDArray[np.uint16]) -> Statistics:
    profile = volume.mean(axis=(1, 2)) / 257
    middle = len(profile) // 2
    # In layers of 7.91 µm: the gap before the face, and the next sheet behind one that is 14 layers thick.
    before, behind = slice(middle - 14, middle), slice(middle + 15, middle + 28)
    peak = middle + int(profile[middle : middle + 15].argmax())
    half = (profile[peak] + profile[before].min()) / 2
    first, last = peak, peak
    while first > 0 and profile[first] > half:
        first -= 1
    while last < len(profile) - 1 and profile[last] > half:
        last += 1
    left = first + (half - profile[first]) / max(profile[first + 1] - profile[first], 1e-6)
    right = last - (half - profile[last]) / max(profile[last - 1] - profile[last], 1e-6)
    return {
        "grey of the gap": float(profile[before].min()),
        "highest grey along the depth": float(profile[peak]),
        "sheet, layers at half height": float(right - left),
        "grey before the gap": float(profile[: middle - 14].max()),
        "grey behind the sheet": float(profile[behind].max()),
    }


def stroke_width(ink: npt.NDArray[np.bool_]) -> float:
    """Return the median width of strokes in pixels: twice the distance of their middle line from papyrus."""
    middle_line = skeletonize(ink)  # type: ignore[no-untyped-call]
    return float(2 * np.median(ndimage.distance_transform_edt(ink)[middle_line]))
