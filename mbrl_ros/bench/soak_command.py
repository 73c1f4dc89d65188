"""`mbrl bench soak`: one unbroken run of hours of robot time in lockstep, and what it does to memory."""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mbrl_ros.bench.soak import summary
from mbrl_ros.bench.soak_graph import SoakGraph
from mbrl_ros.bench.soak_picture import plot_soak
from mbrl_ros.config import ConfigError, as_mapping
from mbrl_ros.control.report import SCHEMA, parse_commands, write_report
from mbrl_ros.paths import check_file
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import SECTIONS, RunConfig
from mbrl_ros.settings import DRIVING_MODES
from mbrl_ros.stack import Options, configured
from mbrl_ros.up.command import DEMO

SOAK = "soak"
SAMPLES = 500  # of each process in a run
LINE_EVERY = 60.0  # s of robot time between two lines where no bar can be drawn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    soak = parser.add_argument_group("of soak; --commands and --hold say what is driven, again and again")
    soak.add_argument("--hours", type=float, default=3.0, metavar="H", help="of robot time (3)")
    soak.add_argument("--mode", choices=DRIVING_MODES, help="in place of the run's")
    soak.add_argument("--plot", type=Path, metavar="FILE", help="the memory curve; else beside the report")


def run(run: RunConfig, args: argparse.Namespace, console: Console) -> int:
    """1 where a process died, a transition was lost or the robot was never driven."""
    if not 0 < args.hours < math.inf:
        raise ConfigError(f"--hours {args.hours:g}: expected a number above 0")
    check_file("--plot", args.plot, "memory.png")
    options = Options(mode=args.mode, lockstep=True)
    run = configured(run, options)
    spec = load_robot(run.planner.robot)
    commands = args.commands or DEMO
    parse_commands(commands)
    graph = SoakGraph(run, options, commands if spec.floats else "", args.hold)
    seconds = 3600 * args.hours
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=seconds)
        lines = _Lines(console, seconds)

        def show(said: Mapping) -> None:
            done = said["seconds"] or 0.0
            progress.update(bar, completed=min(done, seconds), description=_line(said))
            lines.show(said)

        graph.run(seconds, max(1.0, seconds / SAMPLES), show)
    about = summary(graph.samples, seconds, graph.crashes, graph.last)
    console.print(_table(run, about))
    if graph.why:
        console.print(graph.why, style="yellow", markup=False)
    _write(run, args, commands, graph, about, console)
    return 0 if about["steps"] and not about["crashes"] and not about["losses"] else 1


class _Lines:
    """Now and then a line, where a bar would not be seen."""

    def __init__(self, console: Console, seconds: float):
        self._console, self._every, self._due = console, min(LINE_EVERY, seconds / 5), 0.0

    def show(self, said: Mapping) -> None:
        if not self._console.is_terminal and (said["seconds"] or 0.0) >= self._due:
            self._due += self._every
            self._console.print(_line(said), markup=False)


def _line(said: Mapping) -> str:
    return f"{(said['seconds'] or 0.0) / 60:.1f} min of robot time, {said['falls']} falls, model {said['model']}"


def _table(run: RunConfig, about: dict) -> Table:
    rate = about["steps_per_wall_second"]
    steps = "-" if rate is None else f"{rate:.0f}"
    title = (
        f"mbrl bench soak, {run.name}, mode {run.planner.mode}: {about['robot_seconds']:.0f} s of robot time in "
        f"{about['wall_seconds']:.0f} s, {steps} steps/s, {about['falls']} falls, "
        f"{about['losses']} of {about['transitions']} transitions lost, {about['crashes']} crashes"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("process")
    for column in ("first MB", "last MB", "most MB", "MB/h of robot time", "of a core"):
        table.add_column(column, justify="right")
    for process, used in about["processes"].items():
        grown = used["growth_mb_per_hour"]
        sizes = [f"{used[name]:.1f}" for name in ("rss_first_mb", "rss_last_mb", "rss_most_mb")]
        table.add_row(process, *sizes, "-" if grown is None else f"{grown:+.2f}", f"{used['cpu_share']:.2f}")
    return table


def _write(run: RunConfig, args, commands: str, graph: SoakGraph, about: dict, console: Console) -> None:
    config = {"run": run.name, "hours": args.hours, "commands": commands, "hold": args.hold}
    config |= {"busy_cores": os.getloadavg()[0], **{name: as_mapping(getattr(run, name)) for name in SECTIONS}}
    rows = [dataclasses.asdict(sample) for sample in graph.samples]
    if args.report:
        whole = {"schema": SCHEMA, "config": config, "seeds": [run.planner.seed], "summary": about, "rows": rows}
        write_report(args.report, whole)
        console.print(f"report written to {args.report}", markup=False)
    plot = args.plot or (args.report and args.report.with_suffix(".png"))
    if plot:
        title = f"mbrl bench soak, {run.name}, mode {run.planner.mode}"
        console.print(f"plot written to {plot_soak(graph.samples, plot, title)}", markup=False)
