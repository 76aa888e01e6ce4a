"""Ways to damage a file or folder: its bytes, its format's header, and its type in the file system."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

Bytes = Callable[[Random, bytes], bytes]

_DEEP = 3000
INTEGERS = (0, 1, -1, 2, 3, 7, 8, 127, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, -(2**31),
            10**6, 10**9, 10**12, 10**30)  # fmt: skip
NUMBERS = (*map(str, INTEGERS), "nan", "inf", "-inf", "1e308", "1e400", "-1e400", "0.5", "1e-320", "9" * 400,
           "9" * 5000, "0x10", "١٢", "", "1_0", "+", "--1", "1e", "½")  # fmt: skip


# Bytes ----------------------------------------------------------------------------------------------------------------


def flip_bits(rng: Random, data: bytes) -> bytes:
    """Flip one to eight bits; half of the time near the beginning, where headers are."""
    out = bytearray(data)
    most = len(out) if rng.random() < 0.5 else min(len(out), 256)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        if out:
            out[rng.randrange(most)] ^= 1 << rng.randrange(8)
    return bytes(out)


def cut(rng: Random, data: bytes) -> bytes:
    """Keep only the beginning, sometimes nothing."""
    return data[: rng.choice((0, 1, 4, rng.randrange(len(data) + 1), max(len(data) - 1, 0)))]


def cut_out(rng: Random, data: bytes) -> bytes:
    """Remove a span."""
    begin, end = _span(rng, data)
    return data[:begin] + data[end:]


def insert(rng: Random, data: bytes) -> bytes:
    """Insert random bytes, zeros or line breaks somewhere."""
    at = rng.randrange(len(data) + 1)
    count = rng.choice((1, 2, 4, 100, 5000))
    return data[:at] + rng.choice((rng.randbytes(count), bytes(count), b"\xff" * count, b"\n" * count)) + data[at:]


def duplicate(rng: Random, data: bytes) -> bytes:
    """Repeat a span."""
    begin, end = _span(rng, data)
    return data[:end] + data[begin:end] * rng.choice((1, 2, 50)) + data[end:]


def overwrite(rng: Random, data: bytes) -> bytes:
    """Write an integer that often breaks programs, of one to eight bytes in either order."""
    if not data:
        return data
    code = rng.choice("<>") + rng.choice("BHIQ")
    size = struct.calcsize(code)
    at = rng.randrange(min(len(data), rng.choice((64, 1024, len(data)))))
    return data[:at] + struct.pack(code, rng.choice(INTEGERS) % 2 ** (8 * size)) + data[at + size :]


def swap(rng: Random, data: bytes) -> bytes:
    """Swap two spans."""
    (a, b), (c, d) = sorted((_span(rng, data), _span(rng, data)))
    return data if c < b else data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _span(rng: Random, data: bytes) -> tuple[int, int]:
    begin = rng.randrange(len(data) + 1)
    return begin, min(len(data), begin + rng.choice((1, 4, 16, 200, len(data))))


ANY_BYTES: tuple[Bytes, ...] = (flip_bits, flip_bits, cut, cut_out, insert, duplicate, overwrite, overwrite, swap)


# JSON -----------------------------------------------------------------------------------------------------------------


def nasty(rng: Random) -> Any:
    """Return a value that no metadata should have."""
    return rng.choice((
        None, True, False, "", "nan", "x", "../../x", "\x00", "\ud800", "é" * 300, "x" * 100_000, 0, 1, -1, 0.5, -0.0,
        1e308, 1e-320, float("nan"), float("inf"), 2**31, 2**53 + 1, 2**64, 10**30, 10**400, [], {}, [[]], [None],
        {"": 1}, ["a", 1, None], list(range(1000)), [1e308] * 3, [-1] * 3, [10**9] * 3, [0] * 3, {"name": 3},
        "|O", "<U9", "uint16", ["uint16"], "gzip", {"id": "zlib"}, "NaN", "0x00", "AAAA",
    ))  # fmt: skip


def change_json(rng: Random, data: bytes) -> bytes:
    """Replace, remove or duplicate values of a JSON file, or corrupt its text."""
    try:
        content = json.loads(data)
    except ValueError:
        return rng.choice(ANY_BYTES)(rng, data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        content = _changed(rng, content)
    try:
        text = json.dumps(content)
    except (RecursionError, ValueError):
        return data
    how = rng.random()
    if how < 0.04:
        return b"[" * _DEEP + text.encode() + b"]" * _DEEP
    if how < 0.06:
        return ('{"a":' * 100_000).encode()
    if how < 0.10:
        return text.encode(rng.choice(("utf-8-sig", "utf-16", "utf-32", "utf-16-be")))
    return text.encode()


def _changed(rng: Random, node: Any) -> Any:
    """Return a JSON value with one nested value changed, at any depth."""
    if isinstance(node, (dict, list)) and node and rng.random() < 0.9:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key, how = rng.choice(keys), rng.random()
        new = type(node)(node)
        if how < 0.1:
            del new[key]
        elif how < 0.15 and isinstance(new, list):
            new += new
        elif how < 0.2 and isinstance(new, dict):
            new[str(nasty(rng))[:50]] = new.pop(key)
        else:
            new[key] = _changed(rng, node[key])
        return new
    if isinstance(node, (int, float)) and rng.random() < 0.5:
        return rng.choice((*INTEGERS, -node, node + 1, node * 2, node / 3, str(node), 1e308, 10**400))
    if isinstance(node, str) and rng.random() < 0.3:
        return rng.choice((node.upper(), node[:-1], node * 2, node[::-1], node + "\x00", [node], {node: node}))
    return nasty(rng)


# Formats --------------------------------------------------------------------------------------------------------------


def change_tiff(rng: Random, data: bytes) -> bytes:
    """Change entries of directories, or the offset of the next directory."""
    if data[:2] not in (b"II", b"MM") or len(data) < 16:
        return rng.choice(ANY_BYTES)(rng, data)
    order, big = ("<" if data[:2] == b"II" else ">"), data[2:4] in (b"\x2b\x00", b"\x00\x2b")
    word, count_code, size = ("Q", "Q", 20) if big else ("I", "H", 12)
    out = bytearray(data)
    try:
        directories = list(_directories(data, order, word, count_code, size))
        for _ in range(rng.choice((1, 1, 2, 3))):
            offset, count = rng.choice(directories)
            first, after = offset + struct.calcsize(count_code), offset + struct.calcsize(count_code) + size * count
            how, entry = rng.random(), first + size * rng.randrange(max(count, 1))
            value = rng.choice(INTEGERS)
            if how < 0.15:
                target = rng.choice((offset, directories[0][0], 0, len(data) - 3, value))
                _pack(out, order + word, after, target)
            elif how < 0.25:
                _pack(
                    out,
                    order + "H",
                    entry,
                    rng.choice((254, 256, 257, 258, 259, 262, 273, 277, 278, 279, 317, 322, 339)),
                )
            elif how < 0.35:
                _pack(out, order + "H", entry + 2, rng.choice((0, 1, 2, 3, 4, 5, 7, 11, 12, 13, 16, 99)))
            elif how < 0.5:
                _pack(out, order + word, entry + 4, rng.choice((0, 2, 8, 1000, value)))
            elif how < 0.55:
                _pack(out, order + count_code, offset, rng.choice((0, 1, count + 1, 60000)))
            else:
                where = entry + (12 if big else 8)
                _pack(out, order + rng.choice("HI" + word), where, value)
    except (struct.error, IndexError):
        return overwrite(rng, data)
    return bytes(out)


def _directories(data: bytes, order: str, word: str, count_code: str, size: int) -> Any:
    offset = struct.unpack_from(order + word, data, 8 if word == "Q" else 4)[0]
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) < 100:
        seen.add(offset)
        count = struct.unpack_from(order + count_code, data, offset)[0]
        yield offset, count
        offset = struct.unpack_from(order + word, data, offset + struct.calcsize(count_code) + size * count)[0]


def _pack(out: bytearray, code: str, at: int, value: int) -> None:
    struct.pack_into(code, out, at, value % 2 ** (8 * struct.calcsize(code)))


def change_npy(rng: Random, data: bytes) -> bytes:
    """Change the header of a NumPy file."""
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        return rng.choice(ANY_BYTES)(rng, data)
    length = struct.unpack_from("<H", data, 8)[0]
    text = data[10 : 10 + length].decode("latin1")
    fields = ast.literal_eval(text.strip())
    shape = list(fields["shape"])
    at = rng.randrange(len(shape))
    shape[at] = rng.choice((*INTEGERS, True, 2.0, "8", None, shape[at] + 1, -shape[at]))
    changed = rng.choice((
        {**fields, "shape": tuple(shape)}, {**fields, "shape": tuple(shape[: at + 1])}, {**fields, "shape": ()},
        {**fields, "shape": (*shape, 1)}, {**fields, "shape": (1, *shape)}, {**fields, "shape": shape[at]},
        {**fields, "descr": rng.choice(("|O", "<U4", ">u2", "<f8", "<f2", "<c16", "|b1", "<i8", "<M8[s]", "|V2", "?",
                                        [("a", "<u2")], "x", 3, "<u3", "|S5", [("a", "|O")], ""))},
        {**fields, "fortran_order": rng.choice((True, 1, "no", None))}, {"shape": (3,)}, {**fields, "x": 1}, [], 3,
    ))  # fmt: skip
    text = repr(changed)
    if rng.random() < 0.1:
        text = rng.choice(("(" * 2000 + ")" * 2000, "{" + text, "[" * 100_000, text + ";import os", "9" * 6000, "\x00"))
    packed = text.encode("latin1")[:65000] + b"\n"
    version, code = rng.choice(((data[6:8], "<H"), (b"\x02\x00", "<I"), (b"\x03\x00", "<I"), (b"\x09\x00", "<H")))
    return data[:6] + version + struct.pack(code, len(packed)) + packed + data[10 + length :]


def change_png(rng: Random, data: bytes) -> bytes:
    """Change chunks of a PNG, and correct their checksums."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return rng.choice(ANY_BYTES)(rng, data)
    chunks, at = [], 8
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return overwrite(rng, data)
    how, number = rng.random(), rng.randrange(len(chunks))
    name, body = chunks[number]
    if how < 0.5 and len(chunks[0][1]) == 13:
        width, height, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
        rest = [rng.choice((v, v, v, rng.randrange(256), 1, 2, 3, 4, 8, 16)) for v in rest]
        sizes = [rng.choice((v, v, rng.choice(INTEGERS) % 2**32, v + 1, 60000)) for v in (width, height)]
        chunks[0] = (chunks[0][0], struct.pack(">IIBBBBB", *sizes, *rest))
    elif how < 0.6:
        del chunks[number]
    elif how < 0.7:
        chunks.insert(rng.randrange(len(chunks)), (name, body))
    elif how < 0.8:
        extra = rng.choice((b"tRNS", b"PLTE", b"iCCP", b"tEXt", b"zTXt", b"eXIf", b"acTL", b"iTXt"))
        chunks.insert(1, (extra, rng.choice((b"", rng.randbytes(30), b"a\0\0" + zlib.compress(bytes(10**7))))))
    else:
        chunks[number] = (name, rng.choice(ANY_BYTES)(rng, body))
    packed = (struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks)
    return data[:8] + b"".join(packed)


def change_jpeg(rng: Random, data: bytes) -> bytes:
    """Change the size in a JPEG's header."""
    at = data.find(b"\xff\xc0")
    if at < 0 or len(data) < at + 9:
        return rng.choice(ANY_BYTES)(rng, data)
    out = bytearray(data)
    _pack(out, ">H", at + rng.choice((5, 7)), rng.choice((0, 1, 65535, 60000, 71, 89)))
    return bytes(out)


def change_text(rng: Random, data: bytes) -> bytes:
    """Replace numbers and words of a text, repeat or remove lines, or change its encoding."""
    text = data.decode("utf-8", "replace")
    how = rng.random()
    if how < 0.5:
        for _ in range(rng.choice((1, 1, 3, 10))):
            found = list(re.finditer(r"[-+]?\d+(\.\d+)?", text[:200_000]))
            if found:
                where = rng.choice(found)
                text = text[: where.start()] + rng.choice(NUMBERS) + text[where.end() :]
    elif how < 0.65:
        words = list(re.finditer(r"[A-Za-z]+", text[:200_000]))
        if words:
            where = rng.choice(words)
            other = rng.choice(
                (rng.choice(words).group(), "", "x" * 70_000, "&a;", "<g>", "\x00", "Z0", "M", "transform")
            )
            text = text[: where.start()] + other + text[where.end() :]
    elif how < 0.8:
        lines = text.splitlines(keepends=True) or [""]
        at = rng.randrange(len(lines))
        lines[at:at] = rng.choice(([lines[at]], ["\n"], [lines[-1]], ["<g>" * 5000], ["x,y,z\n"], ["#\n"], ['"\n']))
        text = "".join(lines)
    elif how < 0.9:
        return text.encode(rng.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32")))
    else:
        return rng.choice(ANY_BYTES)(rng, data)
    return text.encode("utf-8", "replace")


def change_nrrd(rng: Random, data: bytes) -> bytes:
    """Change the text header of a NRRD file, and keep its data."""
    head, blank, body = data.partition(b"\n\n")
    lines = head.split(b"\n")
    at, how = rng.randrange(len(lines)), rng.random()
    name = lines[at].partition(b":")[0]
    if how < 0.4:
        other = rng.choice(
            (*(n.encode() for n in NUMBERS), b"gzip", b"bzip2", b"hex", b"LIST", b"double", b"block", b"4 5")
        )
        lines[at] = name + b": " + other
    elif how < 0.8:
        lines[at] = change_text(rng, lines[at])
    else:
        del lines[at]
    return b"\n".join(lines) + blank + body


def change_zip(rng: Random, data: bytes) -> bytes:
    """Change, remove, rename or duplicate entries of a zip file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            entries = [(info.filename, old.read(info)) for info in old.infolist()]
    except (zipfile.BadZipFile, NotImplementedError, OSError, zlib.error):
        return rng.choice(ANY_BYTES)(rng, data)
    at = rng.randrange(len(entries))
    name, content = entries[at]
    changed = change_json(rng, content) if name.endswith(".json") else rng.choice(ANY_BYTES)(rng, content)
    replaced = rng.choice(
        (
            [(name, changed)],
            [(name, changed)],
            [(name, changed)],
            [],
            [("../" + name, content)],
            [(name + "/", b"")],
            [(name, content), (name, changed)],
            [(name, bytes(2 * 10**8))],
            [("/" + name, content)],
            [("é" + name, content)],
        )
    )
    entries[at : at + 1] = replaced
    out = io.BytesIO()
    how = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    import warnings

    with zipfile.ZipFile(out, "w", how) as new, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about duplicate names
        for entry_name, entry in entries:
            new.writestr(entry_name, entry)
    return out.getvalue() if rng.random() < 0.8 else rng.choice(ANY_BYTES)(rng, out.getvalue())


def change_safetensors(rng: Random, data: bytes) -> bytes:
    """Change the JSON in front of the weights, or the configuration in it; the length is corrected."""
    length = struct.unpack_from("<Q", data)[0] if len(data) > 8 else 0
    try:
        header = json.loads(data[8 : 8 + length])
        metadata = header["__metadata__"]
        key = rng.choice(list(metadata))
    except (ValueError, KeyError, IndexError, TypeError):
        return rng.choice(ANY_BYTES)(rng, data)
    if rng.random() < 0.7:
        metadata[key] = change_json(rng, metadata[key].encode()).decode("utf-8", "replace")
        packed = json.dumps(header).encode()
    else:
        packed = change_json(rng, data[8 : 8 + length])
    return struct.pack("<Q", len(packed)) + packed + data[8 + length :]


def bomb(rng: Random, data: bytes) -> bytes:
    """Return a few bytes that unpack to gigabytes, or to endless zeros, in the format of one of Zarr's codecs."""
    import gzip

    import numcodecs

    zeros = bytes(2 * 10**8)
    return rng.choice((gzip.compress, zlib.compress, numcodecs.Zstd(1).encode, numcodecs.Blosc("zstd").encode))(zeros)


BY_SUFFIX: dict[str, tuple[Bytes, ...]] = {
    ".tif": (change_tiff,),
    ".npy": (change_npy,),
    ".png": (change_png,),
    ".jpg": (change_jpeg,),
    ".nrrd": (change_nrrd,),
    ".nhdr": (change_nrrd,),
    ".zip": (change_zip,),
    ".pt": (change_zip,),
    ".ckpt": (change_zip,),
    ".json": (change_json, change_json, change_text),
    ".geojson": (change_json, change_json, change_text),
    ".zarray": (change_json,),
    ".zattrs": (change_json,),
    ".zgroup": (change_json,),
    ".jsonl": (change_text,),
    ".csv": (change_text,),
    ".svg": (change_text,),
    ".txt": (change_text,),
    ".safetensors": (change_safetensors,),
}


def change_file(rng: Random, path: Path) -> str:
    """Damage the content of a file; return the kind of damage."""
    data = path.read_bytes()
    own = BY_SUFFIX.get(path.suffix or path.name, ())
    ways = own if own and rng.random() < 0.7 else ANY_BYTES
    if not own and rng.random() < 0.05:
        ways = (bomb,)
    way = rng.choice(ways)
    try:
        changed = way(rng, data)
    except Exception:  # noqa: BLE001 - an earlier change may have destroyed the header
        way = rng.choice(ANY_BYTES)
        changed = way(rng, data)
    path.write_bytes(changed)
    return way.__name__


# File types -----------------------------------------------------------------------------------------------------------


def swap_kind(rng: Random, path: Path) -> str:
    """Replace a file or folder by something else: nothing, a folder, a pipe, a link, another file."""
    how = rng.choice(("removed", "folder", "pipe", "loop", "dangling", "zero", "other", "renamed", "twice", "long"))
    others = [p for p in path.parent.iterdir() if p != path and p.is_file()]
    if how == "twice":
        if path.is_file():
            shutil.copy(path, path.with_name(rng.choice(("copy_", "1", "099")) + path.name))
        return how
    if how in ("renamed", "long"):
        name = os.fsdecode(b"\xff\xfe") + path.name if rng.random() < 0.5 else path.name.upper()
        path.rename(path.with_name("x" * 200 + path.suffix if how == "long" else name))
        return how
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "loop":
        path.symlink_to(path.name)
    elif how == "dangling":
        path.symlink_to("nowhere")
    elif how == "zero":
        path.symlink_to("/dev/zero")
    elif how == "other" and others:
        shutil.copy(rng.choice(others), path)
    return how


def damage(rng: Random, folder: Path) -> list[str]:
    """Damage one to three things below a folder; return their paths and the kinds of damage."""
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        files = sorted(
            p for p in folder.rglob("*") if p.is_file() and not p.is_symlink() and "/dev" not in str(p.resolve())
        )
        if not files:
            break
        telling = [p for p in files if p.suffix in BY_SUFFIX or p.name in BY_SUFFIX]
        path = rng.choice(telling if telling and rng.random() < 0.6 else files)
        if rng.random() < 0.12:
            if rng.random() < 0.2 and path.parent != folder:
                path = path.parent
            done.append(f"{path.relative_to(folder)}: {swap_kind(rng, path)}")
        else:
            done.append(f"{path.relative_to(folder)}: {change_file(rng, path)}")
    return done
