"""A process that journals until it is killed: `python journal_writer.py FOLDER`. Tells what it has added, and when."""

import sys
import time
from pathlib import Path

from mbrl_ros.data.journal import Journal
from mbrl_ros.data.journal_file import Entry

CONTENT = 200  # bytes


def content_of(number: int) -> bytes:
    return number.to_bytes(8, "little") * (CONTENT // 8)


def main(folder: Path) -> None:
    journal = Journal(folder, "/transition", "robot", segment_mb=0.1, total_mb=1000.0)
    journal.start()
    number = 0
    while True:
        journal.add(Entry(content_of(number), number, time.time_ns(), number))
        print(number, time.monotonic_ns(), flush=True)
        number += 1
        time.sleep(0.001)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
