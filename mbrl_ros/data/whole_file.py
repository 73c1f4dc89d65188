"""Files that appear whole or not at all: written beside, to the disk itself, then renamed.

A crash or a power cut leaves the old file or the new one, a full disk the old one and nothing beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

BESIDE = ".part"


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """What is written within is at `path` after it; an exception leaves `path` as it was."""
    beside = path.with_name(path.name + BESIDE)
    try:
        with open(beside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    with written_whole(path) as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """The names in it."""
    listing = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(listing)
    finally:
        os.close(listing)
