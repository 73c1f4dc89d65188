"""What a run has promoted, one numbered file each, in the folder of its start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mbrl_ros.data.numbered_files import NumberedFiles

KEPT = 20  # newest versions that stay on disk


class VersionFiles(NumberedFiles):
    """Each written whole; the oldest go."""

    def save(self, version: int, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.path(version), content)
        for old in self.paths()[:-KEPT]:
            old.unlink()

    def newest_first(self) -> Iterator[bytes]:
        return (path.read_bytes() for path in reversed(self.paths()))


def write_whole(path: Path, content: bytes) -> None:
    """Beside it first, then renamed: a crash leaves the old file or the new one."""
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    beside.replace(path)
