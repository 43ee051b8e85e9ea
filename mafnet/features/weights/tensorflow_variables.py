"""Reads the variables of a SavedModel or of a checkpoint without TensorFlow: numbers, no graph.

The folder `variables` has an index, which is a table of LevelDB (github.com/google/leveldb,
doc/table_format.md) with one protocol buffer for each variable (tensorflow/core/protobuf/
tensor_bundle.proto), and the values in files of raw numbers.
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mafnet.common.errors import MafnetError

FOOTER_BYTES = 48
MAGIC = bytes.fromhex("57fb808b247547db")
TRAILER_BYTES = 5
"""After each block: its compression and checksum."""

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}
"""The types of `tensorflow.DataType` that weights have."""


def read_variables(folder: Path) -> dict[str, np.ndarray]:
    """The variables of a SavedModel's folder `variables` by name, without those of other types.

    MafnetError if a file is missing or damaged.
    """
    index = folder / "variables.index"
    try:
        return dict(_variables(folder, index.read_bytes()))
    except FileNotFoundError as error:
        raise MafnetError(f"{folder}: lacks {Path(error.filename).name}") from error
    except (OSError, IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise MafnetError(
            f"{index}: is not an index of TensorFlow's variables ({error})"
        ) from error


def _variables(folder: Path, index: bytes) -> Iterator[tuple[str, np.ndarray]]:
    entries = {key.decode(): _fields(value) for key, value in _table(index)}
    shards = _one(entries.pop(""), 1, 1)
    for name, fields in entries.items():
        kind = TYPES.get(_one(fields, 1, 0))
        if kind is None or not name.endswith(SUFFIX):
            continue
        path = folder / f"variables.data-{_one(fields, 3, 0):05}-of-{shards:05}"
        sizes = [_fields(size) for size in _fields(_one(fields, 2, b"")).get(2, [])]
        shape = tuple(_one(size, 1, 0) for size in sizes)
        count, offset = math.prod(shape), _one(fields, 4, 0)
        if offset + count * np.dtype(kind).itemsize > path.stat().st_size:
            raise ValueError(f"{path.name} ends before the values of {name}")
        array = np.fromfile(path, kind, count, offset=offset)
        yield name.removesuffix(SUFFIX), array.reshape(shape)


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a table of LevelDB."""
    footer = content[-FOOTER_BYTES:]
    if not footer.endswith(MAGIC):
        raise ValueError("it has no footer")
    _, at = _handle(footer, 0)  # of the block of metadata
    (start, size), _ = _handle(footer, at)
    for _, handle in _block(content, start, size):
        yield from _block(content, *_handle(handle, 0)[0])


def _block(content: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block; a key shares its beginning with the one before."""
    block = content[start : start + size]
    if len(block) < size or content[start + size] != 0:
        raise ValueError("a block is cut or compressed")
    (restarts,) = struct.unpack("<I", block[-4:])
    at, end, key = 0, size - 4 * (restarts + 1), b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and the place behind them."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(message: bytes) -> dict[int, list]:
    """The fields of a protocol buffer: integers, or bytes, by number."""
    fields: dict[int, list] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(message, at)
        elif wire == 2:
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        else:
            size = {1: 8, 5: 4}[wire]
            value, at = message[at : at + size], at + size
        fields.setdefault(number, []).append(value)
    return fields


def _one(fields: dict[int, list], number: int, default: int | bytes) -> int | bytes:
    """The value of a field, which is left out if it has its default."""
    return fields.get(number, [default])[-1]
