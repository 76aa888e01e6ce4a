import os
from pathlib import Path

import pytest

from napari_ink.decoding import (
    check_memory,
    check_regular,
    check_unpacked,
    decode_text,
    decoder_errors,
    exists,
    parse_json,
    read_bounded,
)
from napari_ink.errors import BadInputError, LabelError, StackError


@pytest.mark.parametrize("error", [TypeError("x"), RecursionError(), MemoryError(), KeyError("k"), ZeroDivisionError()])
def test_whatever_a_decoder_raises_becomes_one_sentence(error):
    with (
        pytest.raises(StackError, match=r"^f\.tif .*; copy it again\.$"),
        decoder_errors(StackError, "f.tif", "copy it again"),
    ):
        raise error


def test_our_own_errors_and_interruptions_pass_through():
    with pytest.raises(LabelError, match="ours"), decoder_errors(StackError, "f", "x"):
        raise LabelError("ours")
    with pytest.raises(KeyboardInterrupt), decoder_errors(StackError, "f", "x"):
        raise KeyboardInterrupt


def test_denied_access_is_named_as_the_reason():
    with (
        pytest.raises(StackError, match=r"^/a cannot be read: permission denied; ask"),
        decoder_errors(StackError, "f", "copy it again"),
    ):
        raise PermissionError(13, "Permission denied", "/a")


def test_a_folder_without_access_is_named_as_the_reason(monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    for look in (exists, check_regular):
        with pytest.raises(LabelError, match=r"locked/m\.png cannot be read: permission denied; ask for the right"):
            look(Path("locked/m.png"), LabelError)


def test_pipes_devices_and_folders_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero", "."):
        with pytest.raises(BadInputError, match="not a regular file"):
            check_regular(tmp_path / name, BadInputError)


def test_memory_is_checked_before_allocation():
    check_memory(1000, LabelError, "f", "crop it")
    with pytest.raises(LabelError, match=r"f would take 1000000\.0 GB of memory, and .* can be used; crop it\.$"):
        check_memory(10**15, LabelError, "f", "crop it")


def test_large_metadata_are_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bounded(tmp_path / "a", StackError, 5) == b"12345"
    with pytest.raises(StackError, match="has 5 bytes, and at most 4"):
        read_bounded(tmp_path / "a", StackError, 4)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_from_any_editor_is_read(encoding):
    assert decode_text("Rolle ä".encode(encoding), LabelError, "f") == "Rolle ä"
    with pytest.raises(LabelError, match="save it as UTF-8 text"):
        decode_text("ä".encode("latin-1"), LabelError, "f")


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "1e999", "[" * 100_000, "{", "1" * 5000])
def test_invalid_json_is_refused(text):
    with pytest.raises(StackError, match=r"^m\.json cannot be read"):
        parse_json(text, StackError, "m.json")


def test_an_impossible_unpacked_size_is_refused():
    check_unpacked(1032, 1, 1032, StackError, "f")
    with pytest.raises(StackError, match="f is damaged: it states 1033 bytes, and the 1 stored ones"):
        check_unpacked(1033, 1, 1032, StackError, "f")
