"""What a run has promoted, one numbered file each, in the folder of its start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

KEPT = 20  # newest versions that stay on disk


class VersionFiles:
    """Files <kind>_000001<suffix> and so on."""

    def __init__(self, folder: Path, kind: str, suffix: str):
        self._folder, self._kind, self._suffix = folder, kind, suffix

    def save(self, version: int, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._folder / f"{self._kind}_{version:06d}{self._suffix}", content)
        for old in self._files()[:-KEPT]:
            old.unlink()

    def newest_first(self) -> Iterator[bytes]:
        return (path.read_bytes() for path in reversed(self._files()))

    def highest(self) -> int:
        """Version numbers grow across restarts, whatever became of the file."""
        return max((int(path.stem.removeprefix(f"{self._kind}_")) for path in self._files()), default=0)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._kind}_*{self._suffix}"))


def write_whole(path: Path, content: bytes) -> None:
    """Beside it first, then renamed: a crash leaves the old file or the new one."""
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    beside.replace(path)
