"""Stacks at an address: a real server on loopback that stalls, cuts off, and answers 404 and 500."""

import functools
import http.server
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
from napari_ink.stack import is_address, open_stack, remote

VOLUME = np.random.default_rng(0).integers(0, 65535, (5, 37, 50), dtype=np.uint16)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, by ranges too, and goes wrong where its server is told to."""

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        fault = next((fault for part, fault in self.server.faults.items() if part in self.path), "")
        if fault == "500" or (fault == "500 once" and self.server.asked[self.path] == 1):
            self.send_error(500)
            return
        if fault == "stall":
            time.sleep(3)
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

    def _answer_as_s3(self) -> None:
        """Answer in XML: that there is no such key, or nothing in a listing."""
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
    """A server of the test's folder, and a cache of its own."""
    monkeypatch.setattr(remote, "user_cache_path", lambda _: tmp_path / "cache")
    monkeypatch.setattr(remote, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(remote, "_PAUSE_S", 0.01)
    remote._kept.cache_clear()
    (tmp_path / "www").mkdir()
    handler = functools.partial(Handler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.faults, server.asked, server.root = {}, Counter(), tmp_path / "www"
        server.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
    remote._kept().close()
    remote._kept.cache_clear()


def whole(address: str) -> np.ndarray:
    return open_stack(address).read(slice(None), slice(None), slice(None))


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


def test_a_store_that_was_written_anew_is_not_taken_from_the_cache(server, store: str) -> None:
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


def test_a_server_that_recovers_is_asked_again(server, store: str) -> None:
    server.faults["/c/"] = "500 once"
    np.testing.assert_array_equal(whole(store), VOLUME)


@pytest.mark.parametrize("fault", ["500", "cut", "stall"])
def test_a_network_that_dies_halfway_is_one_sentence(server, store: str, fault: str) -> None:
    stack = open_stack(store)
    stack.read(slice(0, 1), slice(0, 10), slice(0, 10))
    server.faults["/c/1"] = fault
    np.testing.assert_array_equal(stack.read(slice(0, 1), slice(0, 37), slice(0, 50)), VOLUME[:1])
    with pytest.raises(StackError, match="3 attempts") as caught:
        stack.read(slice(4, 5), slice(0, 10), slice(0, 10))
    assert "\n" not in str(caught.value)
    server.faults.clear()
    np.testing.assert_array_equal(stack.read(slice(4, 5), slice(0, 10), slice(0, 10)), VOLUME[4:5, :10, :10])


def test_a_plain_server_that_knows_no_ranges(server, store: str) -> None:
    server.faults["/"] = "no ranges"
    np.testing.assert_array_equal(whole(store), VOLUME)
    chunks = {path: count for path, count in server.asked.items() if "/c/" in path}
    assert set(chunks.values()) == {1}  # each shard is fetched once, and kept whole
    np.save(server.root / "large.npy", np.zeros((3, 400, 400), np.uint16))
    with pytest.raises(StackError, match="no parts of a file"):
        whole(f"{server.address}/large.npy")


def test_nothing_there_and_no_server_there(server) -> None:
    with pytest.raises(StackError, match="check the address"):
        open_stack(f"{server.address}/nothing.zarr")
    with pytest.raises(StackError, match="check the address"):
        open_stack(f"{server.address}/nothing.npy")
    with pytest.raises(StackError, match="check the network"):
        open_stack("http://127.0.0.1:1/seg.zarr")
    with pytest.raises(StackError, match="cannot be reached"):
        open_stack("gopher://127.0.0.1/seg.zarr")


def test_chunks_that_are_not_there_read_as_empty_and_are_told(server, store: str) -> None:
    (server.root / "seg.zarr" / "0" / "c" / "1" / "0" / "0").unlink()
    stack = open_stack(store)
    assert not stack.read(slice(4, 5), slice(0, 30), slice(0, 30)).any()
    assert stack.missing().startswith("1 chunks are not on the server")


def test_the_cache_is_bounded(server, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_INK_CACHE_GB", "0.0005")
    remote._kept.cache_clear()
    big = np.random.default_rng(1).integers(0, 255, (40, 200, 200), dtype=np.uint8)
    zarr.create_array(server.root / "big.zarr", data=big, chunks=(1, 200, 200), compressors=None)
    np.testing.assert_array_equal(whole(f"{server.address}/big.zarr"), big)
    assert remote._kept().volume() < 1.2e6


def test_what_an_address_is() -> None:
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
