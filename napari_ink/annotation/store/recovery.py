"""Recovery on opening: bringing history, counts and chunks to the journal's last change, whatever their state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_ink.annotation.store.edits import CHUNK_PX, PLANES, Plane, known_values
from napari_ink.annotation.store.history import History
from napari_ink.annotation.store.journal import Journal
from napari_ink.annotation.store.journal_scan import MAGIC, Record
from napari_ink.annotation.store.marker import Marker, read_marker
from napari_ink.errors import ProjectError
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:  # Zarr takes its time to import
    from napari_ink.annotation.store.planes import Planes


@dataclass(frozen=True, slots=True)
class Recovered:
    """The result of recovery.

    Attributes
    ----------
    history
        Edits, and the steps that can be undone and redone.
    number
        Number of the last change that was ever made.
    warnings
        Sentences about damage that was found, and its repair.
    is_mended
        Whether the marker must be written again.
    """

    history: History
    number: int
    warnings: tuple[str, ...]
    is_mended: bool


def recover(planes: Planes, journal: Journal, marker_path: Path, read_only: bool, journal_bytes: int) -> Recovered:
    """Make the planes in memory agree with the journal.

    Parameters
    ----------
    planes
        The label planes as they are on disk.
    journal
        The journal. Unless `read_only`, it is mended: a half-written end is cut off, damaged parts are moved away.
    marker_path
        Path of the marker.
    read_only
        Whether nothing may be written.
    journal_bytes
        Above this size the journal drops the values of its oldest edits.

    Raises
    ------
    ProjectError
        If the labels cannot be recovered.
    OSError
        If a file cannot be read or written.
    """
    warnings: list[str] = []
    marker = _marker(marker_path, planes, warnings)
    records = journal.records()
    last = records[-1].number if records else 0
    through = marker.through if marker else 0
    # A lost last record had a number too; if the next change took that number, the loss would be hidden.
    number = max(through, last + (1 if journal.has_lost_end else 0))
    # The chunks are ahead of the journal, so the journal lost its end after it had been synced.
    is_cut = through > last and not journal.has_lost_end
    journal_was_damaged = any(not one.is_torn for one in journal.damage)
    if journal.damage:
        lost = _in_words(journal, records, number, through)
        kept = None if read_only else journal.mend(records, keep_torn=is_cut)
        records = records if read_only else journal.records()
        warnings += [f"{lost} {_where(kept)}"] if lost else []
    if is_cut:
        warnings.append(_cut_in_words(journal, last, through))
    # Only if the chunks hold every change: values that must be replayed are still needed.
    if not read_only and journal.size > journal_bytes and last <= through:
        journal.drop_oldest(records, journal_bytes // 2)
        records = journal.records()
    history = History([record for record in records if planes.holds(record.header)], number)
    begin = through if marker else _first_to_replay(planes, history, records)
    skipped = _replay(planes, journal, records, begin)
    if skipped:
        warnings.append(
            f"{_changes(skipped).capitalize()} in {journal.path} could not be restored; check the last strokes."
        )
    lacking = _restore_lost_chunks(planes, journal, marker_path, records) if marker else []
    warnings += lacking
    if marker is None or skipped or lacking or journal_was_damaged or planes.strange_values():
        planes.recount()
    is_mended = bool(warnings) or (marker is None and bool(records))
    return Recovered(history, number, (*warnings, *planes.strange_values()), is_mended)


def _marker(path: Path, planes: Planes, warnings: list[str]) -> Marker | None:
    """Return the marker and adopt its counts; None if it is missing, damaged, or belongs to lost planes."""
    if planes.is_new:
        if path.exists():
            warnings.append(
                f"{planes.folder} was missing; the labels were restored from the journal as far as it goes back."
            )
        return None
    try:
        marker = read_marker(path)
    except ProjectError as error:
        reason = str(error).partition("; ")[0]
        warnings.append(f"{reason}; the labels were counted again, and brought up to date from the journal.")
        return None
    if marker is not None:
        planes.take_counts(marker.counts)
    return marker


def _first_to_replay(planes: Planes, history: History, records: list[Record]) -> int:
    """Return the change after which to replay the journal if there is no marker.

    Replaying restores whole blocks, so replaying a change twice is harmless as long as every later one is replayed too.
    """
    if planes.is_new:
        return 0
    without_values = (one.number for one in records if one.kind == "edit" and not one.size)
    # The chunks may hold a lost change, which replaying the ones before it would undo. Before the first chunk is
    # written, they hold nothing, and the changes before a lost one are in the journal alone.
    is_any_stored = any(planes.chunks.stored(plane) for plane in PLANES)
    return max(history.last_gap if is_any_stored else 0, *without_values, 0)


def _replay(planes: Planes, journal: Journal, records: list[Record], begin: int) -> int:
    """Replay the changes after `begin`, and return the number that could not be replayed."""
    edits = {record.number: record for record in records if record.kind == "edit"}
    skipped = 0
    for record in (one for one in records if one.number > begin):
        edit = edits.get(record.of)
        if edit is None or not edit.size or not planes.holds(edit.header):
            skipped += 1
            continue
        try:
            values = journal.read(edit.header, edit.offset, edit.size)
        except OSError:
            skipped += 1
            continue
        planes.put(record.kind, values)
    return skipped


def _restore_lost_chunks(planes: Planes, journal: Journal, marker_path: Path, records: list[Record]) -> list[str]:
    """Restore missing chunks from the journal, and return a sentence for each.

    A chunk without labels has no file either, so only the journal shows that one is missing.
    """
    drawn = {
        (plane, y // CHUNK_PX, x // CHUNK_PX)
        for record in records
        if record.kind == "edit" and planes.holds(record.header)
        for plane, y, _, x, _ in record.header.bounds
    }
    stored = {(plane, *place) for plane in {key[0] for key in drawn} for place in planes.chunks.stored(plane)}
    sentences = []
    for plane, row, column in sorted(drawn - stored):
        chunk = chunk_from_journal(planes, journal.path, marker_path, plane, row, column)
        if chunk is not None and chunk.any():
            planes.chunks.write(plane, row * CHUNK_PX, column * CHUNK_PX, chunk)
            path = planes.chunks.path_of((plane, row, column))
            sentences.append(f"{path} was missing; its labels were restored from the journal.")
    return sentences


def _in_words(journal: Journal, records: list[Record], number: int, through: int) -> str:
    """Return a sentence about lost records of the journal; empty if nothing is lost."""
    if not journal.lost:
        return ""
    numbers = {record.number for record in records}
    first = 1 if journal.lost[0].start <= len(MAGIC) else min(numbers, default=1)
    missing = number - first + 1 - len(numbers)
    if missing <= 0:
        return f"{journal.path} is damaged, but no change in it is lost."
    last_missing = number
    while last_missing in numbers:
        last_missing -= 1
    damage = f"{journal.path} is damaged: {_changes(missing)} in it cannot be read. Undo only goes back to there."
    if last_missing > through:
        return f"{damage} The last strokes may be missing; check them."
    return f"{damage} The labels are complete."


def _where(kept: Path | None) -> str:
    if kept is None:
        return "The journal is not repaired while the labels are open for reading only."
    return f"The damaged part is kept beside it in {kept.name}."


def _cut_in_words(journal: Journal, last: int, through: int) -> str:
    return (
        f"{journal.path} is truncated: {_changes(through - last)} in it cannot be read. "
        "The labels are complete, but earlier changes cannot be undone."
    )


def _changes(number: int) -> str:
    return "one change" if number == 1 else f"{number} changes"


def chunk_from_journal(
    planes: Planes, journal_path: Path, marker_path: Path, plane: Plane, row: int, column: int
) -> UInt8Array | None:
    """Return a chunk rebuilt from all its changes; None if the journal does not have all of them."""
    journal = Journal(journal_path)  # a second reader, since the first one's end must not move while it is written to
    records = journal.records()
    try:
        marker = read_marker(marker_path)
    except ProjectError:
        marker = None
    through = marker.through if marker else 0
    if journal.lost or len(records) < through or any(one.number != at for at, one in enumerate(records, 1)):
        return None
    edits = {record.number: record for record in records if record.kind == "edit"}
    height, width = planes.chunks.shape(plane)
    y, x = row * CHUNK_PX, column * CHUNK_PX
    chunk = np.zeros((min(CHUNK_PX, height - y), min(CHUNK_PX, width - x)), np.uint8)
    for record in records:
        edit = edits.get(record.of)
        if edit is None or not planes.holds(edit.header):
            return None
        if not any(
            of == plane and y0 // CHUNK_PX == row and x0 // CHUNK_PX == column
            for of, y0, _, x0, _ in edit.header.bounds
        ):
            continue
        try:
            changes = journal.read(edit.header, edit.offset, edit.size).changes
        except OSError:  # damaged, or dropped to save space
            return None
        for one in changes:
            if one.plane == plane and one.y // CHUNK_PX == row and one.x // CHUNK_PX == column:
                values = known_values(plane, one.before if record.kind == "undo" else one.after)
                top, left = one.y - y, one.x - x
                chunk[top : top + values.shape[0], left : left + values.shape[1]] = values
    return chunk
