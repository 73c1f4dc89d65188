"""One MCAP file of transitions: written chunk by chunk, ended with an index, read as far as it is whole.

MCAP is what ROS 2 records by default, so `ros2 bag info`, `ros2 bag play` and any viewer of bags read these files. A
chunk is written with one call and carries its own checksum: what a crash cuts off is the last chunk, and only that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Message, Schema
from mcap.stream_reader import breakup_chunk
from mcap.writer import MCAP0_MAGIC as MAGIC
from mcap.writer import CompressionType, Writer

PROFILE, LIBRARY = "ros2", "mbrl_ros"
SCHEMA_NAME, SCHEMA_ENCODING, MESSAGE_ENCODING = "std_msgs/msg/Float64MultiArray", "ros2msg", "cdr"
SCHEMA = (
    "MultiArrayLayout layout\nfloat64[] data\n"
    f"{80 * '='}\nMSG: std_msgs/MultiArrayLayout\nMultiArrayDimension[] dim\nuint32 data_offset\n"
    f"{80 * '='}\nMSG: std_msgs/MultiArrayDimension\nstring label\nuint32 size\nuint32 stride\n"
)
LAYOUT = "layout_hash"  # key in the channel's metadata: which robot's features these are
MOST_CHUNK = 2**26  # bytes; what says that it is larger is damaged
OPCODE_AND_LENGTH = struct.Struct("<BQ")
DAMAGE = (McapError, ValueError, OverflowError, RuntimeError, struct.error, zstandard.ZstdError)


@dataclass(frozen=True)
class Entry:
    """One transition as it came."""

    content: bytes  # its message, serialised
    sequence: int
    log_ns: int  # wall time of receipt
    publish_ns: int  # robot time


@dataclass(frozen=True)
class Contents:
    """What is in a file."""

    topic: str
    layout: str  # RobotSpec.layout_hash; empty where the file does not say
    chunks: tuple[tuple[Entry, ...], ...]
    ended: bool  # with an index, as a file that was closed
    torn: int  # bytes behind the last whole record
    damaged: int  # chunks in between that do not match their checksum

    @property
    def entries(self) -> Iterator[Entry]:
        return (entry for chunk in self.chunks for entry in chunk)


class JournalFile:
    """A file being written. An OSError from any call: it ends here, whole up to the chunk before."""

    def __init__(self, file, topic: str, layout: str):
        """`file`: binary, empty and unbuffered."""
        self._out = _InOneCall(file)
        self._writer = Writer(self._out, chunk_size=MOST_CHUNK, compression=CompressionType.ZSTD)
        self._writer.start(PROFILE, LIBRARY)
        schema = self._writer.register_schema(SCHEMA_NAME, SCHEMA_ENCODING, SCHEMA.encode())
        self._channel = self._writer.register_channel(topic, MESSAGE_ENCODING, schema, {LAYOUT: layout})

    @property
    def size(self) -> int:
        """Bytes that the kernel has."""
        return self._out.written

    def append(self, entries: Sequence[Entry]) -> None:
        """One chunk; after it the kernel has them all."""
        for e in entries:
            self._writer.add_message(self._channel, e.log_ns, e.content, e.publish_ns, e.sequence & 0xFFFFFFFF)
        self._writer.flush()

    def end(self) -> None:
        """The index, for readers that look before they read."""
        self._writer.finish()
        self._out.flush()


class _InOneCall:
    """What the MCAP writer takes for a file: everything between two flushes is one write."""

    def __init__(self, file):
        self._file, self._parts, self._position = file, [], 0
        self.written = 0

    def write(self, data) -> None:
        self._parts.append(bytes(data))
        self._position += len(data)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        left = memoryview(b"".join(self._parts))
        self._parts = []
        while left:
            left = left[self._file.write(left) :]
        self.written = self._position


def read(path: Path) -> Contents:
    """All that is whole, whatever became of the file; raises only where it cannot be opened."""
    data = path.read_bytes()
    channels, chunks, damaged = {}, [], 0
    end, ended = len(MAGIC) if data.startswith(MAGIC) else 0, False
    for opcode, start, stop in _records(data) if end else ():
        end = stop
        if opcode == Opcode.DATA_END:
            ended = data.endswith(MAGIC) and len(data) > stop
            break
        try:
            entries = _entries(opcode, data[start:stop], channels)
        except DAMAGE:
            damaged += 1
        else:
            chunks += [entries] if entries else []
    topic, layout = next(iter(channels.values()), ("", ""))
    return Contents(topic, layout, tuple(chunks), ended, 0 if ended else len(data) - end, damaged)


def count(path: Path) -> int:
    """Transitions in the file, told from the indices behind its chunks; quick. 0 where it cannot be opened."""
    try:
        data, found = path.read_bytes(), 0
    except OSError:
        return 0
    for opcode, start, stop in _records(data) if data.startswith(MAGIC) else ():
        if opcode == Opcode.DATA_END:
            break
        if opcode == Opcode.MESSAGE_INDEX:
            found += (stop - start - 6) // 16
    return found


def _records(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(opcode, start, end) of the content of each record, as long as they can be records."""
    at = len(MAGIC)
    while at + OPCODE_AND_LENGTH.size <= len(data):
        opcode, length = OPCODE_AND_LENGTH.unpack_from(data, at)
        start = at + OPCODE_AND_LENGTH.size
        if opcode not in Opcode._value2member_map_ or length > len(data) - start:
            return
        at = start + length
        yield opcode, start, at


def _entries(opcode: int, content: bytes, channels: dict[int, tuple[str, str]]) -> tuple[Entry, ...]:
    """The transitions in a record, which may be a chunk; raises one of DAMAGE. Channels that carry some are noted."""
    found, stream = [], ReadDataStream(BytesIO(content))
    if opcode == Opcode.CHUNK:
        chunk = Chunk.read(stream)
        size = zstandard.frame_content_size(chunk.data) if chunk.compression == "zstd" else len(chunk.data)
        if max(size, chunk.uncompressed_size) > MOST_CHUNK:
            raise ValueError("a chunk larger than any")
        records = breakup_chunk(chunk, validate_crc=True)
    elif opcode == Opcode.MESSAGE:
        records = [Message.read(stream, len(content))]
    elif opcode == Opcode.CHANNEL:
        records = [Channel.read(stream)]
    else:
        return ()
    schemas = {r.id: r.name for r in records if isinstance(r, Schema)}
    for r in records:
        if isinstance(r, Channel) and r.message_encoding == MESSAGE_ENCODING and r.topic.endswith("transition"):
            if schemas.get(r.schema_id, SCHEMA_NAME) == SCHEMA_NAME:
                channels[r.id] = r.topic, r.metadata.get(LAYOUT, "")
        elif isinstance(r, Message) and r.channel_id in channels:
            found.append(Entry(r.data, r.sequence, r.log_time, r.publish_time))
    return tuple(found)
