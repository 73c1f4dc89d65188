"""Files of one kind in a folder, named by number: <kind>_000001<suffix> and so on."""

from __future__ import annotations

from pathlib import Path


class NumberedFiles:
    """What else lies in the folder is not looked at."""

    def __init__(self, folder: Path, kind: str, suffix: str):
        self.folder, self._prefix, self._suffix = folder, f"{kind}_", suffix

    def path(self, number: int) -> Path:
        return self.folder / f"{self._prefix}{number:06d}{self._suffix}"

    def paths(self) -> list[Path]:
        """The oldest first."""
        found = self.folder.glob(f"{self._prefix}*{self._suffix}")
        return sorted(path for path in found if path.stem.removeprefix(self._prefix).isdecimal())

    def highest(self) -> int:
        """Numbers grow across restarts, whatever became of the files."""
        return max((int(path.stem.removeprefix(self._prefix)) for path in self.paths()), default=0)
