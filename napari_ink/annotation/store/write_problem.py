"""Why labels cannot be written, as one sentence."""

from __future__ import annotations

from pathlib import Path

from napari_ink.decoding import reason_of

# Codecs raise other errors than OSError. One that ended a writing thread would silently end all saving.
WRITE_ERRORS = (OSError, RuntimeError, TypeError, ValueError, MemoryError)


def problem_of(error: Exception, folder: Path) -> str:
    """Return a sentence about an error that keeps labels from being written to a project's folder."""
    return (
        f"Your labels cannot be saved in {folder}: {reason_of(error)}; free some space or allow writing "
        "there. It is tried again every few seconds, and nothing is lost while this stays open."
    )
