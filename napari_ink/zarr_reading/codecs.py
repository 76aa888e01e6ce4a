"""Decompression of chunks with a limit on their unpacked size.

A few bytes can state that they unpack to gigabytes, and most decoders believe them. Here the stated size is compared
with the size of the array's chunks; for formats that state none, decoding stops at that size.
"""

from __future__ import annotations

import asyncio
import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numcodecs.abc
from zarr.abc.codec import BytesBytesCodec

if TYPE_CHECKING:
    import zarr
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer

_SLACK = 2**16
_BLOSC_HEADER = 16
_MOST_LZMA_BYTES = 2**29
_RUNS_CODE = frozenset({"pickle"})


def bounded_array(array: zarr.Array[Any], **changes: Any) -> zarr.Array[Any]:
    """Return the same array with compressors whose output is limited to a chunk's size.

    Parameters
    ----------
    array
        An array of format 2 or 3.
    **changes
        Entries of its metadata to replace, such as the separator in names of chunks.

    Raises
    ------
    ValueError
        If its chunks are pickles, which could run any code.
    """
    import zarr
    from zarr.core.metadata import ArrayV2Metadata

    metadata: Any = array.metadata
    if isinstance(metadata, ArrayV2Metadata):
        _check_harmless(metadata.compressor, *(metadata.filters or ()))
        most = _most(metadata.chunks, array.dtype.itemsize)
        if metadata.compressor is not None:
            changes["compressor"] = BoundedCompressor(metadata.compressor, most)
    else:
        changes["codecs"] = _bounded_codecs(metadata.codecs)
    inner = array.async_array
    config = getattr(inner, "config", None) or getattr(inner, "_config", None)  # private until zarr 3.1.5
    return zarr.Array(zarr.AsyncArray(replace(metadata, **changes), inner.store_path, config))


def unpack(name: str, data: bytes, most: int, raw_lzma: dict[str, Any] | None = None) -> bytes | None:
    """Unpack data of a format that states no size; for other formats, only check the stated size.

    Parameters
    ----------
    name
        Name of the codec in numcodecs.
    data
        Compressed bytes.
    most
        Largest unpacked size, in bytes.
    raw_lzma
        Format and filters of LZMA.

    Returns
    -------
    bytes or None
        Unpacked bytes; None if the stated size fits, so that the codec itself may unpack the data.

    Raises
    ------
    ValueError
        If the stated or actual size is larger than `most`.
    EOFError
        If the data are cut short.
    """
    if (stated := _stated_size(name, data)) is not None:
        if stated > most:
            raise ValueError(f"a chunk says that it unpacks to {stated} bytes, and a chunk has at most {most}")
        return None
    if name in _STREAMS:
        return _unpack_stream(lambda: _STREAMS[name](raw_lzma or {}), data, most)
    if name == "zstd":
        import imagecodecs

        return bytes(imagecodecs.zstd_decode(data, out=most))
    return None


def _stated_size(name: str, data: bytes) -> int | None:
    if name == "blosc":
        # Blosc trusts the header and would read memory beyond the end of a truncated chunk.
        if len(data) < _BLOSC_HEADER or len(data) < int.from_bytes(data[12:16], "little"):
            raise EOFError("a chunk is cut short")
        return int.from_bytes(data[4:8], "little")
    if name == "lz4":
        return int.from_bytes(data[:4], "little")
    return _zstd_size(data) if name == "zstd" else None


def _zstd_size(data: bytes) -> int | None:
    """Return the size in the header of a Zstandard frame (RFC 8878, 3.1.1.1); None if it is omitted."""
    if len(data) < 6:
        raise EOFError("a chunk is cut short")
    descriptor = data[4]
    is_single, size_flag = bool(descriptor & 0x20), descriptor >> 6
    if size_flag == 0 and not is_single:
        return None
    start = 5 + (0 if is_single else 1) + (0, 1, 2, 4)[descriptor & 3]
    # By the RFC, a size of two bytes is stored minus 256.
    length = (1, 2, 4, 8)[size_flag]
    return int.from_bytes(data[start : start + length], "little") + (256 if length == 2 else 0)


_STREAMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "gzip": lambda _: zlib.decompressobj(31),
    "zlib": lambda _: zlib.decompressobj(),
    "bz2": lambda _: bz2.BZ2Decompressor(),
    "lzma": lambda how: _lzma(**how),
}


def _lzma(format: int = lzma.FORMAT_XZ, filters: Any = None) -> lzma.LZMADecompressor:
    # Raw LZMA takes no memory limit.
    limit = None if format == lzma.FORMAT_RAW else _MOST_LZMA_BYTES
    return lzma.LZMADecompressor(format, limit, filters)


def _unpack_stream(begin: Callable[[], Any], data: bytes, most: int) -> bytes:
    """Unpack concatenated streams; raise once the output exceeds `most`."""
    parts, length = [], 0
    while data:
        stream = begin()
        part = stream.decompress(data, most + 1 - length)
        parts.append(part)
        length += len(part)
        if length > most:
            raise ValueError(f"a chunk unpacks to more than the {most} bytes that a chunk has at most")
        if not stream.eof:
            raise EOFError("a chunk is cut short")
        data = stream.unused_data.lstrip(b"\0")  # gzip data may be padded with zeros
    return b"".join(parts)


class BoundedCompressor(numcodecs.abc.Codec):  # type: ignore[misc]
    """A compressor for arrays of format 2 with a limit on the unpacked size.

    Parameters
    ----------
    inner
        Compressor whose output is limited.
    most
        Largest unpacked size of a chunk, in bytes.
    """

    codec_id = "bounded"

    def __init__(self, inner: Any, most: int) -> None:
        self.inner, self.most = inner, most
        self.codec_id = inner.codec_id

    def encode(self, buf: Any) -> Any:
        """Return the compressed data."""
        return self.inner.encode(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return the unpacked data; raise if they are larger than the limit."""
        unpacked = unpack(self.codec_id, bytes(memoryview(buf)), self.most, _raw_lzma(self.inner))
        return self.inner.decode(buf, out) if unpacked is None else unpacked

    def get_config(self) -> dict[str, Any]:
        """Return the settings of the compressor."""
        config: dict[str, Any] = self.inner.get_config()
        return config


@dataclass(frozen=True)
class BoundedCodec(BytesBytesCodec):
    """A compressor for arrays of format 3 with a limit on the unpacked size.

    Attributes
    ----------
    inner
        Compressor whose output is limited.
    name
        Its name in numcodecs.
    """

    inner: BytesBytesCodec
    name: str

    is_fixed_size = False

    def to_dict(self) -> dict[str, Any]:
        """Return the settings of the compressor."""
        return self.inner.to_dict()

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Return the compressed size, if the compressor can compute it."""
        return self.inner.compute_encoded_size(input_byte_length, chunk_spec)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> Buffer:
        most = _most(chunk_spec.shape, chunk_spec.dtype.to_native_dtype().itemsize)
        unpacked = await asyncio.to_thread(unpack, self.name, chunk_data.to_bytes(), most, _raw_lzma(self.inner))
        if unpacked is not None:
            return chunk_spec.prototype.buffer.from_bytes(unpacked)
        decoded = next(iter(await self.inner.decode([(chunk_data, chunk_spec)])))
        assert decoded is not None
        return decoded


def _most(chunks: tuple[int, ...], itemsize: int) -> int:
    """Return the largest unpacked size of a chunk, with room for checksums and filters that are decoded later."""
    length = itemsize
    for size in chunks:
        length *= size
    return 2 * length + _SLACK


def _bounded_codecs(codecs: tuple[Any, ...]) -> tuple[Any, ...]:
    from zarr.codecs import ShardingCodec

    found: list[Any] = []
    for codec in codecs:
        name = _name_of(codec)
        if isinstance(codec, ShardingCodec):
            # Chunks inside a shard have codecs of their own.
            codec = replace(codec, codecs=_bounded_codecs(codec.codecs))
        elif isinstance(codec, BytesBytesCodec) and name in {"blosc", "lz4", "zstd", *_STREAMS}:
            codec = BoundedCodec(codec, name)
        found.append(codec)
    return tuple(found)


def _name_of(codec: Any) -> str:
    return str(codec.to_dict().get("name", "")).removeprefix("numcodecs.")


def _raw_lzma(codec: Any) -> dict[str, Any] | None:
    """Return the format and filters of LZMA; None for other compressors."""
    config = getattr(codec, "codec_config", None) or (codec.get_config() if hasattr(codec, "get_config") else {})
    if "lzma" not in (config.get("id"), getattr(codec, "codec_id", ""), getattr(codec, "codec_name", "")[-4:]):
        return None
    return {key: config[key] for key in ("format", "filters") if config.get(key) is not None}


def _check_harmless(*codecs: Any) -> None:
    for codec in codecs:
        if getattr(codec, "codec_id", "") in _RUNS_CODE:
            raise ValueError("its chunks are pickles, which could run any code")
