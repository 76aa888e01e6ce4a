"""Numbers, sizes and durations in words, written alike in the whole window."""

from __future__ import annotations

_FEW_S, _MINUTE_S = 10, 60


def count_text(number: int) -> str:
    """Return a number with a comma after thousands: ``10,031``."""
    return f"{number:,}"


def size_text(height: int, width: int) -> str:
    """Return a size in pixels, with its order: ``512 × 640 px (height × width)``."""
    return f"{height} × {width} px (height × width)"


def time_left(seconds: float) -> str:
    """Return a rough duration: ``a few seconds``, ``about 40 s``, ``about 3 min``, ``about 1 h 20 min``."""
    if seconds < _FEW_S:
        return "a few seconds"
    # In tens, since an estimate that counts every second claims more than is known.
    if (tens := 10 * round(seconds / 10)) < _MINUTE_S:
        return f"about {tens} s"
    minutes = max(round(seconds / _MINUTE_S), 1)
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60:02d} min"


def left_text(seconds: float | None) -> str:
    """Return how long something still takes, after what it does: ``, about 40 s left``; empty if that is unknown."""
    return "" if seconds is None else f", {time_left(seconds)} left"
