"""Journal files in which something else stands than was written: read on behind it, named, and left as they are."""

import errno
from io import BytesIO

import pytest
from test_journal import ROBOT, TOPIC, entries, written

from mbrl_ros.data.journal import repair
from mbrl_ros.data.journal_file import JournalFile, read


def closed(chunks=12, each=10) -> tuple[bytes, list[int]]:
    """A file that was ended, and where its records begin, up to the end of the data."""
    raw = BytesIO()
    file = JournalFile(raw, TOPIC, ROBOT)
    for k in range(chunks):
        file.append(entries(k * each, (k + 1) * each))
    file.end()
    data, begins = raw.getvalue(), [8]
    while data[begins[-1]] != 0x0F:
        begins.append(begins[-1] + 9 + int.from_bytes(data[begins[-1] + 1 : begins[-1] + 9], "little"))
    return data, begins


@pytest.mark.parametrize("ended", [True, False])
def test_a_flipped_bit_between_chunks_costs_no_transition_and_is_named(tmp_path, ended):
    """In the magic, and in opcode or length of any record."""
    data, begins = closed()
    chunks = [at for at in begins if data[at] == 0x06]
    path = tmp_path / "journal_000001.mcap"
    for at in [3, *begins[:-1]]:
        for byte in (0, 1, 3, 8) if at > 3 else (0,):
            for bit in range(8):
                changed = bytearray(data if ended else data[: begins[-1]])
                changed[at + byte] ^= 1 << bit
                path.write_bytes(changed)
                contents = read(path)
                assert list(contents.entries) == entries(0, 120), (at, byte, bit)
                assert contents.damage or at not in chunks, (at, byte, bit)


def test_a_chunk_that_is_damaged_costs_itself_and_the_index_says_how_much(tmp_path):
    data, begins = closed()
    path = tmp_path / "journal_000001.mcap"
    for chunk in range(12):
        changed = bytearray(data)
        at = begins[1 + 2 * chunk]
        changed[at + 120 : at + 140] = bytes(20)
        path.write_bytes(changed)
        contents = read(path)
        assert list(contents.entries) == entries(0, 10 * chunk) + entries(10 * chunk + 10, 120)
        assert contents.damage == "damaged in 1 places: 110 transitions were read, 10 are lost"


def test_only_what_a_crash_explains_is_only_cut_off(tmp_path):
    data, ends = written()
    path = tmp_path / "journal_000001.mcap"
    for content, only_cut_off in (
        (data, True),
        (data[:-50], True),
        (data + bytes(2_000_000), False),
        (closed()[0], False),
    ):
        path.write_bytes(content)
        assert read(path).only_cut_off is only_cut_off


def test_a_repair_that_fails_leaves_the_file_and_nothing_beside_it(tmp_path, monkeypatch):
    data, ends = written()
    path = tmp_path / "journal_000001.mcap"
    path.write_bytes(data[:-50])

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(JournalFile, "end", full)
    with pytest.raises(OSError):
        repair(path, read(path))
    assert path.read_bytes() == data[:-50] and list(tmp_path.iterdir()) == [path]
