"""Cells of the ladder, one after the other or several at once, each in a process of its own; what is there is kept."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mbrl_ros.bench.kept import Kept
from mbrl_ros.bench.ladder import Rung
from mbrl_ros.bench.ladder_budgets import Budget
from mbrl_ros.bench.ladder_cell import climbed
from mbrl_ros.config import ConfigError

Found = dict[str, float | None]


@dataclass(frozen=True)
class Cell:
    """A rung on a task, by one seed."""

    task: str
    rung: Rung
    seed: int

    def __str__(self) -> str:
        return f"{self.task} {self.rung.cell} {self.seed}"


def climb(
    asked: Sequence[Cell], budgets: dict[str, Budget], jobs: int, kept: Kept, console: Console
) -> dict[str, Found]:
    """What came of each, by its words; in their order: whoever ends it early has all rungs of the first seeds."""
    parts = {str(cell): cell for cell in asked}
    found = {part: kept[part] for part in parts if part in kept}
    missing = [(part, cell, budgets[cell.task]) for part, cell in parts.items() if part not in found]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("", total=len(parts), completed=len(found))
        for part, outcome in _outcomes(missing, jobs):
            found[part] = outcome
            kept.keep(part, outcome)
            progress.update(bar, advance=1, description=part)
            if not console.is_terminal:
                console.print(part, markup=False)
    return found


def _outcomes(missing: Sequence[tuple[str, Cell, Budget]], jobs: int) -> Iterator[tuple[str, Found]]:
    if jobs == 1:
        yield from map(_outcome, missing)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _alone) as pool:
        try:
            for done in as_completed([pool.submit(_outcome, part) for part in missing]):
                yield done.result()
        except BrokenProcessPool as error:
            raise ConfigError(
                "a process of --jobs was killed, perhaps for want of memory: begin again with fewer"
            ) from error
        finally:  # whoever ends it early does not wait for cells that nobody will read
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()


def _outcome(part: tuple[str, Cell, Budget]) -> tuple[str, Found]:
    name, cell, budget = part
    return name, climbed(cell.task, cell.rung, budget, cell.seed)


def _alone() -> None:
    """Of a process that is one of several: one thread, and Ctrl-C is for the first to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
