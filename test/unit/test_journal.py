"""Transitions on disk: cut off anywhere, on a full disk, over many files, and killed."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from journal_writer import CONTENT, content_of
from learning_driver import transition
from mcap.reader import make_reader
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Float64MultiArray

from mbrl_ros.data import journal_file
from mbrl_ros.data.journal import MOST_WAITING, PIECE, RETRY, Journal, files, new_file, recent, repair
from mbrl_ros.data.journal_file import Entry, JournalFile, read
from mbrl_ros.nodes.messages.learning import transition_message, transition_of

TOPIC, ROBOT = "/robot1/transition", "a layout"
KILLS = int(os.environ.get("MBRL_ROS_KILLS", "4"))


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(content_of(n), n, 10 * n, 20 * n) for n in range(first, last)]


def numbers(paths) -> list[int]:
    return [e.sequence for path in paths for e in read(path).entries]


def written(chunks=12, each=10) -> tuple[bytes, list[int]]:
    """A file that was never ended, and where each chunk ends in it."""
    raw, ends = BytesIO(), []
    file = JournalFile(raw, TOPIC, ROBOT)
    for k in range(chunks):
        file.append(entries(k * each, (k + 1) * each))
        ends.append(file.size)
    return raw.getvalue(), ends


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class FullDisk:
    """Files on a disk with so many bytes left."""

    def __init__(self, room: float = float("inf")):
        self.room = room

    def __call__(self, path):
        return _OnFullDisk(self, new_file(path))


class _OnFullDisk:
    def __init__(self, disk, raw):
        self._disk, self._raw = disk, raw
        self.fileno, self.truncate, self.close = raw.fileno, raw.truncate, raw.close

    def write(self, data):
        if self._disk.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fits = self._raw.write(data[: int(min(self._disk.room, len(data)))])
        self._disk.room -= fits
        return fits


def journal(folder, **changes) -> Journal:
    """Without its thread: `flush` is called by hand."""
    return Journal(folder, TOPIC, ROBOT, **{"segment_mb": 1.0, "total_mb": 100.0, **changes})


def add(one: Journal, first: int, last: int) -> None:
    for entry in entries(first, last):
        one.add(entry)


# What is in a file


def test_another_reader_of_mcap_finds_the_messages_as_they_came(tmp_path):
    one, sent = journal(tmp_path), [transition(k) for k in range(3)]
    for t in sent:
        one.add(Entry(serialize_message(transition_message(t)), t.sequence, 1000 + t.sequence, t.stamp_ns))
    one.close()
    (path,) = files(tmp_path)
    with path.open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        assert reader.get_summary().statistics.message_count == 3
        found = list(reader.iter_messages())
    for t, (schema, channel, message) in zip(sent, found, strict=True):
        assert (channel.topic, channel.message_encoding) == (TOPIC, "cdr")
        assert (schema.name, schema.encoding) == ("std_msgs/msg/Float64MultiArray", "ros2msg")
        assert (message.sequence, message.log_time, message.publish_time) == (t.sequence, 1000 + t.sequence, t.stamp_ns)
        back = transition_of(deserialize_message(message.data, Float64MultiArray))
        np.testing.assert_array_equal(back.next_state, t.next_state)


def test_what_was_written_is_read_and_counted(tmp_path):
    one = journal(tmp_path)
    for k in range(5):
        add(one, 10 * k, 10 * k + 10)
        one.flush()
    one.close()
    (path,) = files(tmp_path)
    contents = read(path)
    assert (contents.topic, contents.layout, contents.ended) == (TOPIC, ROBOT, True)
    assert (contents.torn, contents.damaged, len(contents.chunks)) == (0, 0, 5)
    assert list(contents.entries) == entries(0, 50)
    assert journal_file.count(path) == one.written == 50


def test_nothing_added_leaves_no_file(tmp_path):
    one = journal(tmp_path / "run")
    one.flush()
    one.close()
    assert files(tmp_path / "run") == []


# Cut off


def test_a_file_cut_off_anywhere_gives_all_that_was_whole(tmp_path):
    data, ends = written()
    path, generator = tmp_path / "cut.mcap", random.Random(0)
    for cut in [0, len(data), *ends, *(generator.randrange(len(data)) for _ in range(200))]:
        path.write_bytes(data[:cut])
        contents = read(path)
        # The indices behind a chunk belong to it only for readers that look for them.
        at_least, at_most = sum(end <= cut for end in ends), sum(end - 500 <= cut for end in ends)
        assert 10 * at_least <= len(list(contents.entries)) <= 10 * at_most
        assert list(contents.entries) == entries(0, len(list(contents.entries)))
        assert not contents.ended and not contents.damaged


def test_garbage_behind_a_cut_is_no_transition(tmp_path):
    data, ends = written()
    path, generator = tmp_path / "cut.mcap", random.Random(1)
    for _ in range(200):
        cut = generator.randrange(len(data))
        rubbish = generator.choice([bytes(5000), generator.randbytes(5000), data[: generator.randrange(1, len(data))]])
        path.write_bytes(data[:cut] + rubbish)
        found = list(read(path).entries)
        whole = 10 * sum(end <= cut for end in ends)
        assert found[:whole] == entries(0, whole)
        assert all(e.content == content_of(e.sequence) for e in found)


def test_a_changed_byte_costs_nothing_that_stands_before_it(tmp_path):
    data, ends = written()
    path, generator = tmp_path / "changed.mcap", random.Random(2)
    for _ in range(300):
        at = generator.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << generator.randrange(8))]) + data[at + 1 :])
        found = list(read(path).entries)
        whole = 10 * sum(end <= at for end in ends)
        assert found[:whole] == entries(0, whole)
        assert all(e.content == content_of(e.sequence) for e in found)


def test_a_file_that_is_no_journal_holds_nothing(tmp_path):
    path = tmp_path / "other.mcap"
    for data in (b"", b"words", bytes(100), b"\x89MCAP0\r\n", b"\x89MCAP0\r\n\x06" + b"\xff" * 40):
        path.write_bytes(data)
        contents = read(path)
        assert (contents.chunks, contents.torn) == ((), len(data) - 8 if data[:1] == b"\x89" else len(data))


def test_a_cut_file_is_ended_as_any_other_and_keeps_what_it_had(tmp_path):
    data, ends = written()
    path = tmp_path / "journal_000001.mcap"
    path.write_bytes(data[: ends[6] + 100])
    before = read(path)
    repair(path, before)
    after = read(path)
    assert after.ended and not after.torn and after.chunks == before.chunks
    with path.open("rb") as stream:
        assert make_reader(stream).get_summary().statistics.message_count == 70
    assert list(tmp_path.iterdir()) == [path]


# What no file can hold


@pytest.mark.parametrize("spoilt", [Entry(b"x", 1, 1, -1), Entry(b"x", 1, 2**64, 1), Entry("words", 1, 1, 1)])
def test_an_entry_that_cannot_be_written_is_left_out_and_told_and_the_others_are_written(tmp_path, spoilt):
    one = journal(tmp_path)
    add(one, 0, 5)
    one.add(spoilt)
    add(one, 5, 10)
    one.flush()
    assert (one.written, one.left_out, one.lost, one.in_memory) == (10, 1, 1, 0)
    assert one.objection.startswith("transition 1 of ") and one.error is None
    add(one, 10, 15)
    one.close()
    assert numbers(files(tmp_path)) == list(range(15))


# Many files


def test_a_full_file_is_ended_and_the_oldest_go(tmp_path):
    generator = random.Random(3)
    one = journal(tmp_path, segment_mb=0.02, total_mb=0.1)
    for k in range(300):
        one.add(Entry(generator.randbytes(1000), k, k, k))
        if k % 10 == 9:
            one.flush()
    one.close()
    paths = files(tmp_path)
    assert sum(path.stat().st_size for path in paths) <= 110_000
    assert all(read(path).ended for path in paths)
    found = numbers(paths)
    assert found == list(range(found[0], 300)) and 50 < len(found) < 120
    assert int(paths[-1].stem[-6:]) == 15, "two chunks a file"


def test_a_journal_that_starts_again_goes_on_in_a_new_file(tmp_path):
    for k in range(3):
        one = journal(tmp_path)
        add(one, 10 * k, 10 * k + 10)
        one.flush()
        if k == 2:
            one.close()
    paths = files(tmp_path)
    assert [path.name for path in paths] == [f"journal_00000{k}.mcap" for k in (1, 2, 3)]
    assert [read(path).ended for path in paths] == [False, False, True]
    assert numbers(paths) == list(range(30))
    assert recent(tmp_path, 11) == paths[1:]
    assert recent(tmp_path, 1000) == paths


# A full disk


def test_a_full_disk_keeps_transitions_in_memory_until_there_is_room(tmp_path):
    clock, disk = Clock(), FullDisk()
    one = journal(tmp_path, open_file=disk, clock=clock)
    add(one, 0, 10)
    one.flush()
    disk.room = 100  # bytes: the next chunk is torn
    add(one, 10, 20)
    one.flush()
    assert one.error == os.strerror(errno.ENOSPC)
    assert (one.written, one.in_memory, one.lost) == (10, 10, 0)

    disk.room = float("inf")
    add(one, 20, 30)
    one.flush()
    assert one.in_memory == 20, "not tried again yet"
    clock.now += RETRY
    one.flush()
    assert (one.error, one.written, one.in_memory, one.lost) == (None, 30, 0, 0)
    one.close()
    assert numbers(files(tmp_path)) == list(range(30))
    assert not any(read(path).torn for path in files(tmp_path))


def test_of_a_backlog_is_written_what_there_is_room_for(tmp_path):
    clock, disk = Clock(), FullDisk(0)
    one = journal(tmp_path, open_file=disk, clock=clock)
    add(one, 0, 5 * PIECE)
    one.flush()
    clock.now, disk.room = clock.now + RETRY, 20_000  # bytes
    one.flush()
    assert one.error and one.written in (PIECE, 2 * PIECE, 3 * PIECE)
    assert one.written + one.in_memory == 5 * PIECE
    assert numbers(files(tmp_path)) == list(range(one.written))


def test_a_disk_that_stays_full_leaves_no_empty_files_and_counts_what_is_given_up(tmp_path):
    clock, disk = Clock(), FullDisk(0)
    one = journal(tmp_path, open_file=disk, clock=clock)
    add(one, 0, MOST_WAITING + 500)
    assert one.lost == 500, "what comes when memory is full"
    one.flush()
    add(one, MOST_WAITING + 500, MOST_WAITING + 600)
    clock.now += RETRY
    one.flush()
    assert (one.in_memory, one.lost) == (MOST_WAITING, 600)
    assert files(tmp_path) == []
    one.close()
    assert one.error and one.written == 0


def test_a_full_disk_while_the_file_is_ended_costs_nothing_that_is_in_it(tmp_path):
    disk = FullDisk()
    one = journal(tmp_path, open_file=disk)
    add(one, 0, 10)
    one.flush()
    disk.room = 10
    one.close()
    (path,) = files(tmp_path)
    assert one.error and numbers([path]) == list(range(10)) and not read(path).torn


def test_a_folder_that_cannot_be_written_is_told_and_not_raised(tmp_path):
    (tmp_path / "run").write_text("a file where the folder should be")
    one = journal(tmp_path / "run" / "journal")
    add(one, 0, 3)
    one.flush()
    assert one.error and one.in_memory == 3


# Killed


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_writer_killed_at_any_moment_loses_less_than_a_second(tmp_path, seed):
    """MBRL_ROS_KILLS=200 kills more often."""
    program = Path(__file__).with_name("journal_writer.py")
    process = subprocess.Popen([sys.executable, str(program), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        first = process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.0, 1.5))
    finally:
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
    lines = [line.split() for line in [first, *rest.splitlines(keepends=True)] if line.endswith("\n")]
    added_at = {int(number): int(stamp) for number, stamp in lines}
    contents = [read(path) for path in files(tmp_path)]
    found = [e for c in contents for e in c.entries]
    assert [e.sequence for e in found] == list(range(len(found)))
    assert all(e.content == content_of(e.sequence) and len(e.content) == CONTENT for e in found)
    assert all(c.ended and not c.torn for c in contents[:-1])
    lost = [stamp for number, stamp in added_at.items() if number >= len(found)]
    assert not lost or max(added_at.values()) - min(lost) < 1e9
