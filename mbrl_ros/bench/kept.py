"""What long comparisons have found so far, on disk: who ends one with Ctrl-C goes on with it later."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from mbrl_ros.config import ConfigError

SUFFIX = ".done.jsonl"


class Kept:
    """One JSON line a part. The first line says what was asked for; what was found for something else is refused."""

    def __init__(self, report: Path | None, asked: dict):
        """Beside the report; None: nothing is kept."""
        self._path = report and report.with_suffix(SUFFIX)
        self._found: dict[str, object] = {}
        self._taken: set[str] = set()  # of those, what this run has asked for
        if self._path is None:
            return
        if self._path.exists():
            self._read(asked)
        else:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(asked) + "\n")

    def get(self, part: str, find: Callable[[], object]):
        """What was found for this part, by `find` if it was not found before."""
        if part not in self._found:
            self.keep(part, find())
        return self[part]

    def keep(self, part: str, found: object) -> None:
        self._found[part] = found
        self._taken.add(part)
        if self._path:
            with self._path.open("a") as file:
                file.write(json.dumps([part, found], allow_nan=True) + "\n")

    def __getitem__(self, part: str):
        self._taken.add(part)
        return self._found[part]

    def __contains__(self, part: str) -> bool:
        return part in self._found

    def reported(self) -> str:
        """The report is written: nothing is kept any more, unless more was found before than it was to have. A word."""
        others = len(self._found.keys() - self._taken)
        if self._path and not others:
            self._path.unlink(missing_ok=True)
        return f", and {others} more stay in {self._path}" if self._path and others else ""

    def _read(self, asked: dict) -> None:
        whole = self._path.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]  # without the last line of a run that was killed as it wrote
        self._path.write_bytes(whole)
        first, *lines = whole.decode(errors="replace").splitlines() or [""]
        if first != json.dumps(asked):
            raise ConfigError(f"{self._path} is of a run with other settings: remove it, or choose another --report")
        for number, line in enumerate(lines, 2):
            try:
                part, found = json.loads(line)
                self._found[part] = found
            except (ValueError, TypeError) as error:
                raise ConfigError(
                    f"{self._path}, line {number}: {error}. Remove the line to have that part found again, or the file "
                    "to begin anew"
                ) from error
