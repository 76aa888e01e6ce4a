"""Stacks at an address: a real server on loopback that stalls, breaks off, and answers 404 and 500."""

import contextlib
import errno
import functools
import http.server
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_ink.errors import StackError
from napari_ink.stack import is_address, open_stack, remote, remote_http
from tests.stack.checks import whole

VOLUME = np.random.default_rng(0).integers(0, 65535, (5, 37, 50), dtype=np.uint16)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, also by ranges, with the faults that its server is set to."""

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        fault = next((fault for part, fault in self.server.faults.items() if part in self.path), "")
        if fault == "500" or (fault == "500 once" and self.server.asked[self.path] == 1):
            self.send_error(500)
            return
        if fault == "stall":
            time.sleep(3)
            return
        if fault.isdecimal():
            self.send_error(int(fault))
            return
        if fault == "redirect":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
            return
        if fault in ("drip", "endless"):
            self._send_without_end(b"[" if fault == "drip" else b"[" * 2**16, 0.05 if fault == "drip" else 0)
            return
        if fault == "unsigned" and not re.search("Signature=a(%2F|/)b", self.path):
            self.send_error(403)
            return
        file = Path(self.translate_path(self.path))
        if not file.is_file():
            if self.path.startswith("/bucket"):
                self._answer_as_s3()
            else:
                super().do_GET()
            return
        data, first, last = file.read_bytes(), 0, file.stat().st_size - 1
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        if wanted and fault != "no ranges":
            start, _, stop = wanted.partition("-")
            first, last = (int(start), min(int(stop or last), last)) if start else (len(data) - int(stop), last)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        part = data[first : last + 1]
        self.wfile.write(part[: len(part) // 2] if fault == "cut" else part)

    def _send_without_end(self, part: bytes, pause_s: float) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(part)
                time.sleep(pause_s)

    def _answer_as_s3(self) -> None:
        """Answer in XML: a missing key, or an empty listing."""
        is_listing = "list-type" in self.path
        body = b"<ListBucketResult></ListBucketResult>" if is_listing else b"<Error><Code>NoSuchKey</Code></Error>"
        self.send_response(200 if is_listing else 404)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.ThreadingHTTPServer]:
    """A server of the test's folder, and a separate cache."""
    monkeypatch.setattr(remote, "user_cache_path", lambda _: tmp_path / "cache")
    monkeypatch.setattr(remote, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(remote_http, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(remote, "_PAUSE_S", 0.01)
    remote._opened_cache.cache_clear()
    (tmp_path / "www").mkdir()
    handler = functools.partial(Handler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.faults, server.asked, server.root = {}, Counter(), tmp_path / "www"
        server.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()
    remote._cache().close()
    remote._opened_cache.cache_clear()


@pytest.fixture
def store(server) -> str:
    """The address of an OME-Zarr with shards."""
    group = zarr.open_group(server.root / "seg.zarr", mode="w")
    array = group.create_array("0", shape=VOLUME.shape, dtype="uint16", chunks=(1, 16, 16), shards=(4, 32, 32))
    array[:] = VOLUME
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": ["z", "y", "x"], "datasets": [{"path": "0"}]}]}
    return f"{server.address}/seg.zarr"


def test_an_ome_zarr_by_http_and_then_from_the_cache(server, store: str) -> None:
    stack = open_stack(store)
    assert (stack.name, stack.source, stack.home) == ("seg", store, None)
    np.testing.assert_array_equal(stack.read(slice(1, 3), slice(5, 30), slice(0, 50)), VOLUME[1:3, 5:30])
    chunks = {path: count for path, count in server.asked.items() if "/c/" in path}
    assert chunks
    np.testing.assert_array_equal(open_stack(store).read(slice(1, 3), slice(5, 30), slice(0, 50)), VOLUME[1:3, 5:30])
    assert {path: count for path, count in server.asked.items() if "/c/" in path} == chunks


def test_a_rewritten_store_is_not_read_from_the_cache(server, store: str) -> None:
    whole(store)
    array = zarr.open_group(server.root / "seg.zarr")["0"]
    array[:] = VOLUME[::-1]
    array.attrs["written"] = "again"
    np.testing.assert_array_equal(whole(store), VOLUME[::-1])


def test_folders_of_tiffs_and_single_files_by_http(server) -> None:
    folder = server.root / "paths" / "20230702185753" / "layers"
    folder.mkdir(parents=True)
    for z, layer in enumerate(VOLUME):
        tifffile.imwrite(folder / f"{z:02d}.tif", layer, compression="zlib" if z == 2 else None)
    for address in (f"{server.address}/paths/20230702185753", f"{server.address}/paths/20230702185753/layers/"):
        stack = open_stack(address)
        assert stack.name == "20230702185753"
        np.testing.assert_array_equal(
            stack.read_block(slice(1, 4), slice(3, 30), slice(7, 50), 3), VOLUME[1:4, 3:30:3, 7:50:3]
        )
    np.save(server.root / "a.npy", VOLUME)
    np.testing.assert_array_equal(whole(f"{server.address}/a.npy"), VOLUME)
    tifffile.imwrite(server.root / "b.tif", VOLUME, photometric="minisblack")
    np.testing.assert_array_equal(whole(f"{server.address}/b.tif"), VOLUME)


def test_requests_to_a_server_that_recovers_are_retried(server, store: str) -> None:
    server.faults["/c/"] = "500 once"
    np.testing.assert_array_equal(whole(store), VOLUME)


@pytest.mark.parametrize("fault", ["500", "cut", "stall"])
def test_a_network_that_fails_halfway_gives_one_sentence(server, store: str, fault: str) -> None:
    stack = open_stack(store)
    stack.read(slice(0, 1), slice(0, 10), slice(0, 10))
    server.faults["/c/1"] = fault
    np.testing.assert_array_equal(stack.read(slice(0, 1), slice(0, 37), slice(0, 50)), VOLUME[:1])
    with pytest.raises(StackError, match="3 attempts") as caught:
        stack.read(slice(4, 5), slice(0, 10), slice(0, 10))
    assert "\n" not in str(caught.value)
    server.faults.clear()
    np.testing.assert_array_equal(stack.read(slice(4, 5), slice(0, 10), slice(0, 10)), VOLUME[4:5, :10, :10])


@pytest.mark.parametrize(
    ("fault", "message", "times"),
    [
        ("401", "asks for a login (401", 1),
        ("403", "is refused by its server (403", 1),
        ("404", "There is nothing at", 1),
        ("400", "answered 400", 1),
        ("500", "could not be read in 3 attempts (500", 3),
        ("503", "could not be read in 3 attempts (503", 3),
        ("429", "could not be read in 3 attempts (429", 3),
        ("redirect", "leads from address to address without end", 10),
        ("stall", "could not be read in 3 attempts (no answer in 1 s", 3),
    ],
)
def test_server_errors_are_reported_and_only_temporary_ones_are_retried(
    server, fault: str, message: str, times: int
) -> None:
    np.save(server.root / "a.npy", VOLUME)
    server.faults["/a.npy"] = fault
    with pytest.raises(StackError) as caught:
        open_stack(f"{server.address}/a.npy")
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert server.asked["/a.npy"] == times


@pytest.mark.parametrize("fault", ["401", "403", "500"])
def test_server_faults_on_a_zarr_or_a_folder_give_the_same_error(server, fault: str) -> None:
    server.faults["/"] = fault
    with pytest.raises(StackError, match=f"{fault} "):
        open_stack(f"{server.address}/seg.zarr")


def test_a_server_that_is_very_slow_or_endless_is_given_up(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_http, "TIMEOUT_S", 0.4)
    server.faults["/zarr.json"] = "drip"  # never silent for long, and never finished
    began = time.monotonic()
    with pytest.raises(StackError, match="3 attempts .only [0-9]+ bytes in"):
        open_stack(f"{server.address}/seg.zarr")
    assert time.monotonic() - began < 5
    server.faults["/zarr.json"] = "endless"
    with pytest.raises(StackError, match="sends more than 16777216 bytes"):
        open_stack(f"{server.address}/seg.zarr")
    server.faults["/"] = "endless"
    with pytest.raises(StackError, match="sends more than"):
        open_stack(f"{server.address}/folder")


def test_chunks_that_never_end_are_bounded(server, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_MOST_VALUE_BYTES", 2**20)
    zarr.create_array(server.root / "plain.zarr", data=VOLUME, chunks=(5, 37, 50))
    stack = open_stack(f"{server.address}/plain.zarr")
    server.faults["/c/"] = "endless"
    with pytest.raises(StackError, match="sends more than 1048576 bytes"):
        stack.read(slice(None), slice(None), slice(None))


def test_queries_fragments_capitals_and_unusual_names_are_read(server, store: str) -> None:
    folder = server.root / "Größe 100% #1" / "layers"
    folder.mkdir(parents=True)
    for z, layer in enumerate(VOLUME):
        tifffile.imwrite(folder / f"layer {z}.tif", layer)
    np.save(server.root / "a.npy", VOLUME)
    tifffile.imwrite(server.root / "b.tif", VOLUME, photometric="minisblack")
    signed = "?X-Amz-Signature=a%2Fb&X-Amz-Expires=900"
    loud = server.address.replace("http", "HTTP")
    server.faults["/"] = "unsigned"
    for address in (
        f"{server.address}/a.npy{signed}",
        f"{server.address}/b.tif{signed}#page=2",
        f"{store}{signed}",
        f"{store}/{signed}",
        f"{loud}/a.npy{signed}",
        f"{server.address}/Größe 100%25 %231{signed}",
        f"{server.address}/Gr%C3%B6%C3%9Fe%20100%25%20%231/layers/{signed}",
    ):
        np.testing.assert_array_equal(whole(address), VOLUME)
    assert open_stack(f"{server.address}/Größe 100%25 %231/layers{signed}").name == "Größe 100% #1"
    assert open_stack(f"{store}{signed}").name == "seg"
    with pytest.raises(StackError, match="403"):
        open_stack(f"{server.address}/a.npy")


def test_file_names_are_read_from_a_listing() -> None:
    page = """<html><a href='?C=N;O=D'>Name</a><a href="../">Parent</a><a href="https://elsewhere.org/x.tif">x</a>
    <A HREF="./01.tif">01</A> <a href="/seg%20a/02.tif?download=1">02</a> <a href="layers/">layers/</a>
    <a href="/other/03.tif">03</a><a href="sub/04.tif">04</a><a href="%c3%bc.tif">ü</a><a href="http://[">bad</a>"""
    links = remote_http._Links()
    links.feed(page)
    found = [remote_http._name_in({"/seg a/"}, link) for link in links.found]
    assert [name for name in found if name] == ["01.tif", "02.tif", "layers", "ü.tif"]


@pytest.mark.parametrize("address", ["http://", "http:///a.npy", "http://[::1/a.npy", "http://h:port/a.npy"])
def test_an_invalid_address_is_reported_in_one_sentence(address: str) -> None:
    with pytest.raises(StackError, match="cannot be reached .*check the address"):
        open_stack(address)


def test_a_bucket_that_answers_403_for_missing_keys(server, store: str) -> None:
    for name in (".zarray", ".zattrs", ".zgroup"):  # the answer of S3 without the right to list
        server.faults[f"/{name}"] = "403"
    server.faults["/c/1"] = "403"  # a refused chunk is not an empty one
    with pytest.raises(StackError, match="403"):
        whole(store)
    del server.faults["/c/1"]
    np.testing.assert_array_equal(whole(store), VOLUME)


def test_a_file_without_a_date_is_downloaded_again_by_the_next_process(server, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(server.root / "a.npy", VOLUME)
    assert np.array_equal(whole(f"{server.address}/a.npy"), VOLUME)
    np.save(server.root / "a.npy", VOLUME[::-1])
    monkeypatch.setattr(remote, "_this_session", lambda: "another")
    np.testing.assert_array_equal(whole(f"{server.address}/a.npy"), VOLUME[::-1])


@pytest.mark.parametrize("damage", ["file for a folder", "garbage", "full", "pickle"])
def test_an_unusable_cache_is_reported_once_and_reading_continues(
    server, store: str, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache" / "remote"
    if damage == "file for a folder":
        folder.parent.mkdir()
        folder.write_bytes(b"")
    elif damage == "garbage":
        folder.mkdir(parents=True)
        (folder / "cache.db").write_bytes(np.random.default_rng(0).bytes(20_000))
    elif damage == "full":
        monkeypatch.setattr("diskcache.Cache.set", _disk_full)
    else:
        whole(store)
        with contextlib.closing(sqlite3.connect(folder / "cache.db")) as found, found:
            found.execute("update Cache set mode = 4")
    for _ in range(2):
        np.testing.assert_array_equal(whole(store), VOLUME)
    notes = [record.getMessage() for record in caplog.records if "cache" in record.getMessage()]
    assert len(notes) == 1 and "so nothing is cached" in notes[0]


def _disk_full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("damage", ["cut", "flipped", "exchanged"])
def test_values_that_changed_in_the_cache_are_downloaded_again(server, store: str, tmp_path: Path, damage: str) -> None:
    np.save(server.root / "large.npy", np.tile(VOLUME, (2, 20, 20)))
    expected = np.tile(VOLUME, (2, 20, 20))
    server.faults["/nothing"] = ""
    stack = open_stack(f"{server.address}/large.npy")
    np.testing.assert_array_equal(stack.read(slice(None), slice(None), slice(None)), expected)
    values = sorted((tmp_path / "cache").rglob("*.val"))
    assert len(values) > 10
    contents = [value.read_bytes() for value in values]
    for number, (value, content) in enumerate(zip(values, contents, strict=True)):
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 4
        other = contents[number - 1]
        value.write_bytes({"cut": content[:30_000], "flipped": bytes(flipped), "exchanged": other}[damage])
    np.testing.assert_array_equal(stack.read(slice(None), slice(None), slice(None)), expected)


@pytest.mark.parametrize("size", ["x", "-1", "nan", "inf", "1e300"])
def test_an_invalid_cache_size_is_reported_as_a_wrong_setting(server, store: str, size: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_INK_CACHE_GB", size)
        with pytest.raises(StackError, match=f"^NAPARI_INK_CACHE_GB is '{size}', which is not a size"):
            open_stack(store)


def test_a_cache_size_of_0_disables_the_cache(server, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_INK_CACHE_GB", "0")
    remote._opened_cache.cache_clear()
    for _ in range(2):
        np.testing.assert_array_equal(whole(store), VOLUME)
    assert remote._cache().volume() == 0


def test_a_failed_chunk_stops_further_requests_of_the_same_read(server) -> None:
    zarr.create_array(server.root / "many.zarr", data=np.tile(VOLUME, (1, 4, 4)), chunks=(1, 8, 8))
    stack = open_stack(f"{server.address}/many.zarr")
    server.faults["/c/"] = "403"
    with pytest.raises(StackError, match="403"):
        stack.read(slice(None), slice(None), slice(None))
    asked = sum(count for path, count in server.asked.items() if "/c/" in path)
    assert asked < 100  # of 2375
    time.sleep(0.3)
    assert sum(count for path, count in server.asked.items() if "/c/" in path) <= asked + 10


def test_files_asked_for_after_one_was_given_up_are_tried_without_pauses(monkeypatch) -> None:
    """A block of many chunks on a server that is down took half a minute to fail."""
    pauses: list[float] = []
    monkeypatch.setattr(remote.time, "sleep", pauses.append)
    asked: list[str] = []

    class Down:
        def read(self, path: str, most: int) -> bytes:
            asked.append(path)
            raise ConnectionError("down")

    files = remote.Remote("http://127.0.0.1:1/seg")
    monkeypatch.setattr(files, "_files", Down())
    for path in ("a", "b", "c"):
        with pytest.raises(StackError, match="in 3 attempts"):
            files.read(path)
    assert asked == [*"aaa", *"bbb", *"ccc"] and len(pauses) == 2
    # Much later, the server may be up again, and is given time again.
    monkeypatch.setattr(remote.time, "monotonic", lambda: files._given_up_at + 11)
    with pytest.raises(StackError):
        files.read("d")
    assert len(pauses) == 4


def test_a_server_that_stops_gives_one_sentence_and_no_traceback(server) -> None:
    zarr.create_array(server.root / "many.zarr", data=np.tile(VOLUME, (1, 4, 4)), chunks=(1, 8, 8))
    server.faults.update({"/c/0/1": "cut", "/c/1": "cut", "/c/2": "500", "/c/3": "cut"})
    done = subprocess.run(
        [sys.executable, "-m", "napari_ink.cli", "convert", f"{server.address}/many.zarr", str(server.root / "o.zarr")],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "XDG_CACHE_HOME": str(server.root.parent / "c")},
    )
    assert done.returncode == 2
    sentences = [line for line in done.stderr.splitlines() if line.strip() and "%|" not in line]
    assert len(sentences) == 1 and "could not be read in 3 attempts" in sentences[0], done.stderr


def test_a_plain_server_without_ranges(server, store: str) -> None:
    server.faults["/"] = "no ranges"
    np.testing.assert_array_equal(whole(store), VOLUME)
    chunks = {path: count for path, count in server.asked.items() if "/c/" in path}
    assert set(chunks.values()) == {1}  # each shard is downloaded once, and cached whole
    np.save(server.root / "large.npy", np.zeros((3, 400, 400), np.uint16))
    with pytest.raises(StackError, match="no parts of a file"):
        whole(f"{server.address}/large.npy")


def test_a_missing_file_and_a_missing_server_are_reported(server) -> None:
    with pytest.raises(StackError, match="check the address"):
        open_stack(f"{server.address}/nothing.zarr")
    with pytest.raises(StackError, match="check the address"):
        open_stack(f"{server.address}/nothing.npy")
    with pytest.raises(StackError, match="check the network"):
        open_stack("http://127.0.0.1:1/seg.zarr")
    with pytest.raises(StackError, match="cannot be reached"):
        open_stack("gopher://127.0.0.1/seg.zarr")


def test_missing_chunks_read_as_empty_and_are_reported(server, store: str) -> None:
    (server.root / "seg.zarr" / "0" / "c" / "1" / "0" / "0").unlink()
    stack = open_stack(store)
    assert not stack.read(slice(4, 5), slice(0, 30), slice(0, 30)).any()
    assert stack.missing().startswith("1 chunks are not on the server")


def test_the_cache_is_bounded(server, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_INK_CACHE_GB", "0.0005")
    remote._opened_cache.cache_clear()
    big = np.random.default_rng(1).integers(0, 255, (40, 200, 200), dtype=np.uint8)
    zarr.create_array(server.root / "big.zarr", data=big, chunks=(1, 200, 200), compressors=None)
    np.testing.assert_array_equal(whole(f"{server.address}/big.zarr"), big)
    assert remote._cache().volume() < 1.2e6


def test_addresses_are_recognised() -> None:
    assert is_address("s3://bucket/key") and is_address("https://host/a")
    assert not is_address(Path("/tmp/a")) and not is_address("C:\\seg")


def test_an_ome_zarr_by_s3(server, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
    (server.root / "bucket").mkdir()
    (server.root / "seg.zarr").rename(server.root / "bucket" / "seg.zarr")
    stack = open_stack("s3://bucket/seg.zarr")
    np.testing.assert_array_equal(stack.read(slice(1, 3), slice(5, 30), slice(0, 50)), VOLUME[1:3, 5:30])
    with pytest.raises(StackError, match="check the address"):
        open_stack("s3://bucket/nothing.zarr")
