"""Rows of results that are computed once, and the search for a learning rate by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

FACTOR = 3.0  # between two rates of the grid


def rows_done(out: Path) -> list[dict]:
    """Return the rows of earlier runs."""
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def keep(out: Path, row: dict) -> None:
    """Append a row to the file."""
    with out.open("a") as file:
        file.write(json.dumps(row) + "\n")


def stored_or(key: dict[str, Any], out: Path, compute: Callable[[], dict]) -> dict:
    """Return the row of a key from the file; compute and store it if it is missing."""
    for row in rows_done(out):
        if key.items() <= row.items():
            return row
    row = key | compute()
    keep(out, row)
    print(json.dumps(row), flush=True)
    return row


def best_step(tried: Callable[[int], float], most: int) -> int:
    """Return the power of `FACTOR` whose score is best, of -1, 0 and 1, and of more while the best is at an end.

    Parameters
    ----------
    tried
        Returns the score of a power.
    most
        Largest number of powers to try; below 3 none is tried, and the power is 0.
    """
    if most < 3:
        return 0
    found = {step: tried(step) for step in (-1, 0, 1)}
    while len(found) < most:
        best = max(found, key=lambda step: found[step])
        if min(found) < best < max(found):
            break
        beyond = best + (1 if best == max(found) else -1)
        found[beyond] = tried(beyond)
    return max(found, key=lambda step: found[step])
