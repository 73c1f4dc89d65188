"""Files of one kind in a folder, named by number: <kind>_000001<suffix> and so on."""

from __future__ import annotations

from pathlib import Path

from mbrl_ros.data.whole_file import BESIDE


class NumberedFiles:
    """What else lies in the folder is not looked at."""

    def __init__(self, folder: Path, kind: str, suffix: str):
        self.folder, self._prefix, self._suffix = folder, f"{kind}_", suffix

    def path(self, number: int) -> Path:
        return self.folder / f"{self._prefix}{number:06d}{self._suffix}"

    def paths(self) -> list[Path]:
        """The oldest first."""
        return [path for path in self._named() if path.is_file()]

    def number(self, path: Path) -> int:
        """Of one of them."""
        return int(path.stem.removeprefix(self._prefix))

    def numbers(self) -> set[int]:
        return set(map(self.number, self.paths()))

    def highest(self) -> int:
        """Numbers grow across restarts, whatever became of the files: also of what has such a name and is none."""
        return max(map(self.number, self._named()), default=0)

    def remove_unfinished(self) -> None:
        """What a killed process was writing. For whoever alone writes these files."""
        for path in self.folder.glob(f"{self._prefix}*{self._suffix}{BESIDE}"):
            path.unlink(missing_ok=True)

    def _named(self) -> list[Path]:
        found = self.folder.glob(f"{self._prefix}*{self._suffix}")
        return sorted(path for path in found if path.stem.removeprefix(self._prefix).isdecimal())
