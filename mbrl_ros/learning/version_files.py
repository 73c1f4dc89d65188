"""What a run has promoted, one numbered file each, in the folder of its start; and which of it was refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mbrl_ros.data.numbered_files import NumberedFiles
from mbrl_ros.data.whole_file import sync_folder, write_whole

KEPT = 20  # newest versions that stay on disk
REFUSED = ".refused"  # in place of the suffix


class VersionFiles(NumberedFiles):
    """Each written whole; the oldest go. One that was refused is renamed, and its number not used again."""

    def __init__(self, folder: Path, kind: str, suffix: str):
        super().__init__(folder, kind, suffix)
        self._refused = NumberedFiles(folder, kind, REFUSED)

    def save(self, version: int, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.remove_unfinished()
        write_whole(self.path(version), content)
        for old in self.paths()[:-KEPT]:
            old.unlink()

    def newest_first(self) -> Iterator[bytes]:
        """Of those that can be read and were not refused."""
        for path in reversed(self.paths()):
            try:
                content = path.read_bytes()
            except OSError:
                continue  # as one that a crash has cut off: the one before it serves
            yield content

    def refuse(self, version: int) -> None:
        """For good, beyond a restart. One that is not here, as the model of the start, is noted by an empty file."""
        kept, refused = self.path(version), self._refused.path(version)
        if kept.is_file():
            kept.replace(refused)
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            refused.touch()
        sync_folder(self.folder)
        for old in self._refused.paths()[:-KEPT]:
            os.truncate(old, 0)  # its name says enough

    def refused(self) -> set[int]:
        return self._refused.numbers()

    def highest(self) -> int:
        return max(super().highest(), self._refused.highest())
