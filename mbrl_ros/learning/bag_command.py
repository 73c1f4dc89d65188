"""`mbrl bag info FILE...`: how much is in journals, and in bags in which the transition topic was recorded."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mbrl_ros.config import ConfigError
from mbrl_ros.data.journal import files
from mbrl_ros.data.journal_file import Contents, Entry, read
from mbrl_ros.data.transition_record import NotATransition, decoded
from mbrl_ros.learning.facts_table import facts_table
from mbrl_ros.types import NS


@dataclass(frozen=True)
class Held:
    """What a row of files holds together."""

    transitions: int
    repeated: int
    refused: int  # messages that are none
    objection: str  # to the first of them
    step: float  # s, the usual time between two
    sequences: int  # unbroken pieces
    planners: int  # starts of one
    missing: int  # numbers that never came, between the first and the last of each planner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("info",), help="info: how much is inside")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="an .mcap, or the folder of a run")


def run(args: argparse.Namespace) -> int:
    paths = [path for given in args.files for path in (_in_folder(given) if given.is_dir() else [given])]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(
                f"no file {path}: a learner keeps its journal in the folder of its run, below runs/"
            )
    read_files = {path: read(path) for path in paths}
    entries = [entry for contents in read_files.values() for entry in contents.entries]
    console = Console(highlight=False)
    console.print(_table_of_files(read_files))
    console.print(_table(held(entries), entries, read_files))
    return 0


def held(entries: list[Entry]) -> Held:
    """In the order in which they were written."""
    known, refused = {}, []
    for entry in entries:
        try:
            t = decoded(entry.content)
        except NotATransition as error:
            refused.append(str(error))
        else:
            known.setdefault((t.start_ns, t.sequence), t.stamp_ns)
    keys, stamps = list(known), np.array(list(known.values()), np.int64)
    follows = [a[0] == b[0] and a[1] + 1 == b[1] for a, b in zip(keys[:-1], keys[1:], strict=True)]
    steps = np.diff(stamps)[follows] if any(follows) else np.zeros(1)
    planners = {start: [n for s, n in keys if s == start] for start in {start for start, _ in keys}}
    return Held(
        transitions=len(keys),
        repeated=len(entries) - len(refused) - len(keys),
        refused=len(refused),
        objection=refused[0] if refused else "",
        step=float(np.median(steps)) / NS,
        sequences=len(keys) - sum(follows),
        planners=len(planners),
        missing=sum(max(numbers) - min(numbers) + 1 - len(numbers) for numbers in planners.values()),
    )


def _in_folder(folder: Path) -> list[Path]:
    found = files(folder)
    if not found:
        raise ConfigError(f"no journal in {folder}: there is one where learner.journal.enabled was true")
    return found


def _table_of_files(read_files: dict[Path, Contents]) -> Table:
    table = Table(title="files", title_justify="left")
    table.add_column("file", overflow="fold")
    for column in ("MB", "transitions", "chunks"):
        table.add_column(column, justify="right")
    table.add_column("state")
    for path, contents in read_files.items():
        state = "ended" if contents.ended else f"cut off: {contents.torn} bytes behind the last whole record"
        if contents.damage:
            state += f"; {contents.damage}"
        count = sum(map(len, contents.chunks))
        table.add_row(str(path), f"{path.stat().st_size / 1e6:.2f}", str(count), str(len(contents.chunks)), state)
    return table


def _table(about: Held, entries: list[Entry], read_files: dict[Path, Contents]) -> Table:
    rows = {
        "robot time": f"{about.transitions * about.step:.1f} s in {about.transitions} steps of {1e3 * about.step:g} ms",
        "sequences": f"{about.sequences} unbroken, of {about.planners} starts of a planner",
        "missing": f"{about.missing} by their numbers",
        "left out": f"{about.repeated} repeated, {about.refused} no transitions"
        + (f", the first: {about.objection}" if about.objection else ""),
        "layout": ", ".join(sorted({c.layout or "not said" for c in read_files.values() if c.chunks})) or "-",
        "topic": ", ".join(sorted({c.topic for c in read_files.values() if c.chunks})) or "-",
    }
    if entries:
        first, last = (datetime.fromtimestamp(f(e.log_ns for e in entries) / NS) for f in (min, max))
        rows["received"] = f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}"
    return facts_table("together", rows)
