"""One MCAP file of transitions: written chunk by chunk, ended with an index, read as far as it is whole.

MCAP is what ROS 2 records by default, so `ros2 bag info`, `ros2 bag play` and any viewer of bags read these files. A
chunk is written with one call and carries its own checksum: what a crash cuts off is the last chunk, and only that.
Damage is something else, a flipped bit or an overwritten piece: reading goes on at the next chunk behind it.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import zstandard
from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Message, Schema, Statistics
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
BEFORE_COMPRESSION = struct.calcsize("<QQQI")  # bytes of a chunk: start, end, size, checksum
COMPRESSION = re.compile(rb"\x04\0\0\0zstd(?=(.{8}))", re.DOTALL)  # as each of our chunks says it; then its length
INDEX_HEAD = struct.Struct("<HI")  # channel, bytes that follow
FOOTER = struct.Struct("<QQI")  # where the index begins, where its own begins, its checksum
END_SIZE = 4  # bytes, of what ends the data
IN_DATA = (Opcode.HEADER, Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE, Opcode.CHUNK, Opcode.MESSAGE_INDEX,
           Opcode.ATTACHMENT, Opcode.METADATA, Opcode.DATA_END)  # fmt: skip
MOST_TORN = 1_000_000  # bytes that a crash can leave behind the last whole chunk: less than one more
MOST_SEQUENCE = 2**32 - 1
DAMAGE = (McapError, ValueError, OverflowError, RuntimeError, struct.error, zstandard.ZstdError)


@dataclass(frozen=True)
class Entry:
    """One transition as it came."""

    content: bytes  # its message, serialised
    sequence: int
    log_ns: int  # wall time of receipt
    publish_ns: int  # robot time


def unwritable(e: Entry) -> str:
    """Why it cannot be in a file; empty: it can."""
    try:
        Message(0, e.log_ns, e.content, e.publish_ns, e.sequence & MOST_SEQUENCE).write(RecordBuilder())
    except (struct.error, TypeError, ValueError, OverflowError) as error:
        return f"transition {e.sequence} of {e.publish_ns} ns: {error}"
    return ""


@dataclass(frozen=True)
class Contents:
    """What is in a file."""

    topic: str
    layout: str  # RobotSpec.layout_hash; empty where the file does not say
    chunks: tuple[tuple[Entry, ...], ...]
    ended: bool  # as a file that was closed
    torn: int  # bytes behind the last whole record
    damaged: int  # places at which something else stands than was written
    said: int | None = None  # transitions that its index counts; None where it has none

    @property
    def entries(self) -> Iterator[Entry]:
        return (entry for chunk in self.chunks for entry in chunk)

    @property
    def only_cut_off(self) -> bool:
        """Whether a crash explains all that is missing, so that nothing is lost where the file is ended anew."""
        return not self.ended and not self.damaged and self.torn < MOST_TORN

    @property
    def damage(self) -> str:
        """In words, with what may be lost; empty: none, or it is only cut off."""
        if self.only_cut_off or (self.ended and not self.damaged):
            return ""
        found = sum(map(len, self.chunks))
        rest = "nobody knows how many were lost" if self.said is None else f"{max(0, self.said - found)} are lost"
        return f"damaged in {max(1, self.damaged)} places: {found} transitions were read, {rest}"


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
            self._writer.add_message(self._channel, e.log_ns, e.content, e.publish_ns, e.sequence & MOST_SEQUENCE)
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
    channels, said = _from_index(data)
    begun = data.startswith(MAGIC)
    chunks, damaged = [], int(not begun and len(data) > len(MAGIC))
    at = sure = len(MAGIC) if begun else 0  # `sure`: behind the last chunk; what came since has no checksum
    chunked = closed = False
    while not closed:
        record, entries = _record(data, at), None
        if record is not None:
            opcode, start, stop = record
            closed = opcode == Opcode.DATA_END
            stray = opcode == Opcode.MESSAGE and chunked  # where there are chunks, all messages are in them
            entries = None if stray else _whole(opcode, data[start:stop], channels)
            chunked |= opcode == Opcode.CHUNK and bool(entries)
        if entries is None:
            found = _next_chunk(data, sure, channels)
            damaged += record is not None or found is not None
            if record is not None and _record(data, stop) and (found is None or found[1] > stop):
                entries = ()
            elif found is not None:
                (entries, stop), chunked, closed = found, True, False
            else:
                break
        if entries:
            chunks.append(entries)
            sure = stop
        at = stop
    ended = data.endswith(MAGIC) and len(data) > max(at, len(MAGIC))
    if ended and (not closed or (said or 0) > sum(map(len, chunks))):
        damaged = max(1, damaged)
    topic, layout = next(iter(channels.values()), ("", ""))
    return Contents(topic, layout, tuple(chunks), ended, 0 if ended else len(data) - at, damaged, said)


def count(path: Path) -> int:
    """Transitions in the file, told from the indices behind its chunks; quick. 0 where it cannot be opened."""
    try:
        data, found = path.read_bytes(), 0
    except OSError:
        return 0
    record = _record(data, len(MAGIC)) if data.startswith(MAGIC) else None
    while record is not None and record[0] != Opcode.DATA_END:
        opcode, start, stop = record
        if opcode == Opcode.MESSAGE_INDEX:
            found += (stop - start - INDEX_HEAD.size) // 16
        record = _record(data, stop)
    return found


def _record(data: bytes, at: int) -> tuple[int, int, int] | None:
    """(opcode, start, end) of the content of the record there; None where none can be."""
    start = at + OPCODE_AND_LENGTH.size
    if start > len(data):
        return None
    opcode, length = OPCODE_AND_LENGTH.unpack_from(data, at)
    if opcode not in IN_DATA or length > len(data) - start:
        return None
    if opcode == Opcode.DATA_END and length != END_SIZE:
        return None
    if opcode == Opcode.MESSAGE_INDEX:
        if length < INDEX_HEAD.size or INDEX_HEAD.unpack_from(data, start)[1] != length - INDEX_HEAD.size:
            return None
    return opcode, start, start + length


def _next_chunk(data: bytes, at: int, channels: dict) -> tuple[tuple[Entry, ...], int] | None:
    """The transitions of the next chunk that is whole, and where it ends; its record's own length is not needed."""
    for said in COMPRESSION.finditer(data, at + BEFORE_COMPRESSION):
        start, stop = said.start() - BEFORE_COMPRESSION, said.end() + 8 + int.from_bytes(said[1], "little")
        if stop <= len(data) and (entries := _whole(Opcode.CHUNK, data[start:stop], channels)):
            return entries, stop
    return None


def _from_index(data: bytes) -> tuple[dict[int, tuple[str, str]], int | None]:
    """The channels with transitions, and how many are in them, as the index behind the data says; nothing without."""
    channels, found = {}, None
    footer = len(data) - len(MAGIC) - FOOTER.size
    if footer < 0 or not data.endswith(MAGIC):
        return {}, None
    at, _, checksum = FOOTER.unpack_from(data, footer)
    if zlib.crc32(data[at : footer + FOOTER.size - 4]) != checksum:
        return {}, None
    try:
        while at < footer - OPCODE_AND_LENGTH.size:
            opcode, length = OPCODE_AND_LENGTH.unpack_from(data, at)
            start, at = at + OPCODE_AND_LENGTH.size, at + OPCODE_AND_LENGTH.size + length
            if opcode == Opcode.CHANNEL:
                _entries(opcode, data[start:at], channels)
            elif opcode == Opcode.STATISTICS:
                counts = Statistics.read(ReadDataStream(BytesIO(data[start:at]))).channel_message_counts
                found = sum(counts.get(channel, 0) for channel in channels)
    except DAMAGE:
        return {}, None
    return channels, found


def _whole(opcode: int, content: bytes, channels: dict[int, tuple[str, str]]) -> tuple[Entry, ...] | None:
    """The transitions in a record; None where it is damaged."""
    try:
        return _entries(opcode, content, channels)
    except DAMAGE:
        return None


def _entries(opcode: int, content: bytes, channels: dict[int, tuple[str, str]]) -> tuple[Entry, ...]:
    """The transitions in a record, which may be a chunk; raises one of DAMAGE. Channels that carry some are noted."""
    found, stream = [], ReadDataStream(BytesIO(content))
    if opcode == Opcode.CHUNK:
        chunk = Chunk.read(stream)
        if stream.count != len(content):
            raise ValueError("a chunk of another length")
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
