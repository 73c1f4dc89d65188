"""Rows in the terminal as they come, and which trial is running."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from mbrl_ros.chaos.promises import Row

HEAD = f"{'fault':<32} {'seed':>4} {'detected':>10} {'action':<13} {'safe':>10} falls outside nan lost back"


class Progress:
    def __init__(self, console: Console, trials: int):
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        # Without a thread of its own: children are killed when the thread that started them ends, and there is but one.
        self._bar = Bar(*columns, console=console, transient=True, auto_refresh=False)
        self._task = self._bar.add_task("", total=trials)
        self._began = time.monotonic()

    def __enter__(self) -> Progress:
        self._bar.start()
        self._console.print(Text(HEAD, style="bold"))
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def begins(self, fault: str, seed: int) -> None:
        self._bar.update(self._task, description=f"{fault}, seed {seed}", refresh=True)

    def ends(self, row: Row) -> None:
        self._console.print(Text(line(row), style="red" if row.broken else ""))
        for what in row.broken:
            self._console.print(Text(f"    broken: {what}", style="red"))
        self._bar.advance(self._task)


def line(row: Row) -> str:
    return (
        f"{row.fault:<32} {row.seed:>4} {_ms(row.detected_ms):>10} {row.action:<13} {_ms(row.safe_ms):>10} "
        f"{row.falls:>5} {row.outside_limits:>7} {row.non_finite:>3} {row.transitions_lost:>4} "
        f"{'yes' if row.recovered else 'no':<4} {row.seconds:4.0f} s  {row.said}"
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
