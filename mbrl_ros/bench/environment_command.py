"""`mbrl bench environment`: any environment learned from nothing, its reward and its ends, too."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mbrl_ros.backends.environment import Episodes
from mbrl_ros.backends.environments import make_environment
from mbrl_ros.bench.student import Student, Studies, Trial, taught
from mbrl_ros.bench.wide_table import print_whole
from mbrl_ros.config import ConfigError
from mbrl_ros.control.report import SCHEMA, write_report
from mbrl_ros.known import PLANNERS
from mbrl_ros.settings import MppiConfig

ENVIRONMENT = "environment"
SEEDS, USUAL = 3, "own/balanced-cartpole"
STUDIES = Studies(
    explored=400,
    train_every=100,
    first=800,
    later=200,
    planner=MppiConfig(samples=300, horizon=20, knot_steps=3, temperature=0.1),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("of an environment")
    group.add_argument("--planner", choices=tuple(PLANNERS), default="mppi", help="who plans in it (mppi)")


def run(args: argparse.Namespace, console: Console) -> int:
    """--trials are planned for each of --seeds."""
    name, count = args.given or USUAL, SEEDS if args.seeds is None else args.seeds
    if count < 1 or args.trials < 1:
        raise ConfigError("--seeds and --trials are at least 1")
    seeds, found = list(range(args.seed, args.seed + count)), []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=count)
        for seed in seeds:
            progress.update(bar, description=f"{name}, seed {seed}")
            found.append(learned(name, seed, args.trials, args.planner))
            progress.advance(bar)
    print_whole(console, table(name, seeds, found))
    if args.report:
        _write(args.report, {"environment": name, "planner": args.planner}, seeds, found)
        console.print(f"report written to {args.report}", markup=False)
    return 0


def learned(name: str, seed: int, trials: int, planner: str) -> list[Trial]:
    episodes = Episodes(make_environment(name, seed))
    return taught(Student(episodes.spec, STUDIES, seed, planner=planner), episodes, STUDIES, trials)


def earned_at_random(trials: list[Trial]) -> float:
    """In a trial of random motion, the last left out where it was cut short."""
    random = [trial.earned for trial in trials if trial.explored]
    return float(np.mean(random[:-1] or random))


def table(name: str, seeds: list[int], found: list[list[Trial]]) -> Table:
    shown = Table(title=f"mbrl bench environment, {name}: earned in a trial", title_justify="left")
    shown.add_column("")
    for seed in seeds:
        shown.add_column(f"seed {seed}", justify="right")
    shown.add_row("at random", *(f"{earned_at_random(trials):.1f}" for trials in found))
    for number, planned in enumerate(zip(*([t for t in trials if not t.explored] for trials in found), strict=True)):
        told = (f"{trial.earned:.1f} ({trial.steps} steps, {trial.processor:.0f} s)" for trial in planned)
        shown.add_row(f"trial {number + 1}", *told)
    return shown


def _write(path: Path, config: dict, seeds: list[int], found: list[list[Trial]]) -> None:
    rows = [[asdict(trial) for trial in trials] for trials in found]
    write_report(path, {"schema": SCHEMA, "config": config, "seeds": seeds, "rows": rows})
