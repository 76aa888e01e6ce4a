"""Durable writing: the system calls and their order, since only a failing machine would show a difference."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_ink.durable import make_folder, new_folder, replacing, sync, write_bytes

on_linux = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="only Linux names the file or folder of a handle"
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """The files that were synced and moved, in order; a move by its new path."""
    made: list[tuple[str, Path]] = []
    fsync = os.fsync

    def watch(handle: int) -> None:
        made.append(("sync", Path(os.readlink(f"/proc/self/fd/{handle}"))))
        fsync(handle)

    def moving(move: Callable) -> Callable:
        def noted(source: Path, target: Path) -> None:
            move(source, target)
            made.append(("move", Path(target)))

        return noted

    monkeypatch.setattr(os, "fsync", watch)
    monkeypatch.setattr(os, "rename", moving(os.rename))
    monkeypatch.setattr(os, "replace", moving(os.replace))
    return made


@on_linux
def test_a_new_folder_is_on_the_disk_before_it_gets_its_name_which_is_synced_too(tmp_path, calls):
    final = tmp_path / "made"
    with new_folder(final) as partial:
        (partial / "inner").mkdir(parents=True)
        (partial / "inner" / "file").write_bytes(b"a")
    moved = calls.index(("move", final))
    assert {path for _, path in calls[:moved]} == {partial, partial / "inner", partial / "inner" / "file"}
    assert calls[moved + 1 :] == [("sync", tmp_path)]
    assert [one.name for one in tmp_path.iterdir()] == ["made"]


@on_linux
def test_the_name_of_a_replaced_file_is_on_the_disk(tmp_path, calls):
    with replacing(tmp_path / "a.png") as partial:
        partial.write_bytes(b"a")
    assert calls[-2:] == [("move", tmp_path / "a.png"), ("sync", tmp_path)]


@on_linux
def test_created_parent_folders_are_on_the_disk(tmp_path, calls):
    write_bytes(tmp_path / "c" / "0" / "1", b"a")
    folders = [tmp_path, tmp_path / "c", tmp_path / "c" / "0"]
    assert {("sync", folder) for folder in folders} <= set(calls)
    calls.clear()
    make_folder(tmp_path / "c" / "0")
    assert calls == []


@pytest.mark.parametrize("is_file", [True, False])
def test_a_new_folder_replaces_nothing(tmp_path, is_file):
    final = tmp_path / "made"
    with pytest.raises(FileExistsError), new_folder(final) as partial:  # noqa: PT012
        partial.mkdir()
        if is_file:
            final.write_bytes(b"mine")
        else:
            final.mkdir()
            (final / "mine").touch()
    assert [one.name for one in tmp_path.iterdir()] == ["made"]
    assert final.read_bytes() == b"mine" if is_file else (final / "mine").exists()


def test_an_error_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="broken"), new_folder(tmp_path / "made") as partial:  # noqa: PT012
        partial.mkdir()
        raise ValueError("broken")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_a_file_system_cannot_sync_are_not_synced(tmp_path, monkeypatch):
    def refuse(_handle: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "fsync", refuse)
    sync(tmp_path)
    with pytest.raises(OSError, match="Invalid argument"):
        sync(tmp_path / "file")
