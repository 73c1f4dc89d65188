"""`mbrl bench`: measured comparisons on this machine, each of its parts taken in turns within one run."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mbrl_ros.bench import (
    doubt_command,
    driven_command,
    environment_command,
    experiments_command,
    ladder_command,
    pets_command,
    soak_command,
)
from mbrl_ros.bench.contenders import missing
from mbrl_ros.bench.doubt_command import DOUBT
from mbrl_ros.bench.driven_command import POLICY, PUSHES
from mbrl_ros.bench.environment_command import ENVIRONMENT
from mbrl_ros.bench.experiments import SUITES
from mbrl_ros.bench.grid import AXES, chosen_shapes, chosen_threads, of_shape
from mbrl_ros.bench.ladder_command import LADDER
from mbrl_ros.bench.pets_command import PETS
from mbrl_ros.bench.plan_plot import plot_plans
from mbrl_ros.bench.plan_table import detail_table, plan_table
from mbrl_ros.bench.planning import PlanRow, bench_shape
from mbrl_ros.bench.soak_command import SOAK
from mbrl_ros.bench.timing import Row
from mbrl_ros.bench.training import bench_learning
from mbrl_ros.bench.wide_table import print_whole
from mbrl_ros.config import ConfigError, as_mapping
from mbrl_ros.control.report import SCHEMA, write_report
from mbrl_ros.paths import check_report
from mbrl_ros.runs import RunConfig, load_run, with_settings

PLAN, LEARN = "plan", "learn"
TRAINING = {
    "batch": ("learner.train.batch", "sequences a member and training step"),
    "rollout": ("learner.train.rollout", "steps of a training sequence"),
}
SHAPE = {
    "samples": "rollouts of a plan",
    "horizon": "steps planned ahead",
    "members": "networks of the ensemble",
    "width": "units a hidden layer",
    "threads": "threads that plan",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        choices=("all", PLAN, LEARN, PUSHES, POLICY, DOUBT, SOAK, PETS, ENVIRONMENT, LADDER, *SUITES),
        default="all",
        help="plan: plans of many shapes, beside pytorch_mppi; learn: training; all (default): both; "
        "pushes: who stays up, policy or planner; policy: what they cost, and in how much time; "
        "soak: hours of robot time, and what they do to memory; "
        "pets: a cartpole learned beside mbrl-lib's PETS; "
        "environment: that or another (RUN: gymnasium/NAME, dm_control/NAME) learned from nothing, its reward, too; "
        "ladder: every planner, model and treatment of doubt, on every task; "
        + "; ".join(f"{name}: {what}" for name, (_, what) in SUITES.items()),
    )
    parser.add_argument("given", nargs="?", metavar="RUN", help="as --run")
    parser.add_argument(
        "--run", dest="run_name", default="quadruped_mpc", metavar="RUN", help="run file in config/ (quadruped_mpc)"
    )
    for name, what in SHAPE.items():
        parser.add_argument(
            f"--{name}", type=int, nargs="+", metavar="N", help=f"{what}; several make a grid, the rest as in the run"
        )
    for name, (setting, what) in TRAINING.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{what}, as --set {setting}=...")
    driven_command.add_arguments(parser)
    soak_command.add_arguments(parser)
    experiments_command.add_arguments(parser)
    pets_command.add_arguments(parser)
    ladder_command.add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=10, help="over which a ratio's spread is given (10)")
    parser.add_argument("--calls", type=int, default=10, help="of each part in a round, fewer where they are long (10)")
    parser.add_argument("--compile", action="store_true", help="torch.compile as well, half a minute a shape")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (0)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the rows as JSON, with a plot beside")


def run(args: argparse.Namespace) -> int:
    if args.rounds < 1 or args.calls < 1:
        raise ConfigError("--rounds and --calls are at least 1")
    check_report(args.report)
    if args.what == ENVIRONMENT:
        return environment_command.run(args, Console(highlight=False, soft_wrap=True))
    run = with_settings(load_run(args.given or args.run_name), args.settings).with_setting("seed", args.seed, "--seed")
    for name, (setting, _) in TRAINING.items():
        if getattr(args, name) is not None:
            run = run.with_setting(setting, getattr(args, name), f"--{name}")
    console, plans, trained = Console(highlight=False, soft_wrap=True), [], []
    if args.what in SUITES:
        return experiments_command.run(args, console)
    if args.what == PETS:
        return pets_command.run(args, console)
    if args.what == LADDER:
        return ladder_command.run(args, console)
    if args.what == SOAK:
        return soak_command.run(run, args, console)
    if args.what == DOUBT:
        return doubt_command.run(run, args, console)
    if args.what in (PUSHES, POLICY):
        driven_command.run(run, args, console)
        return 0
    if args.what in ("all", PLAN):
        plans = _plans(run, args, console)
    if args.what in ("all", LEARN):
        trained = bench_learning(run, args.rounds, args.calls)
        console.print(_learn_table(run, trained))
    if args.report:
        write_report(args.report, report(run, args.rounds, args.calls, [*plans, *trained]))
        console.print(f"report written to {args.report}", markup=False)
    if args.report and plans:
        plot = plot_plans(plans, args.report.with_suffix(".png"), f"mbrl bench plan, {run.name}")
        console.print(f"plot written to {plot}", markup=False)
    return 0


def _plans(run: RunConfig, args: argparse.Namespace, console: Console) -> list[PlanRow]:
    """Every shape with every number of threads; all are checked before the first is measured."""
    shapes = chosen_shapes(run, {axis: getattr(args, axis) for axis in AXES}, args.settings)
    each = [(shape, count) for shape in shapes for count in chosen_threads(run, args.threads, args.settings)]
    for shape, count in each:
        of_shape(run, shape, count)
    if reason := missing():
        console.print(reason, markup=False)
    rows = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(each))
        for shape, count in each:
            what = f"{shape}, {count} thread{'s' if count > 1 else ''}"
            progress.update(task, description=what)
            if not console.is_terminal:
                console.print(f"measuring {what}")
            rows.append(bench_shape(run, shape, count, args.rounds, args.calls, args.compile))
            progress.advance(task)
    print_whole(console, plan_table(run.name, rows))
    if len(shapes) == 1:
        for row in rows:
            console.print(detail_table(row))
    return rows


def report(run: RunConfig, rounds: int, calls: int, rows: Sequence[PlanRow | Row]) -> dict:
    config = {
        "run": run.name,
        "rounds": rounds,
        "calls": calls,
        "planner": as_mapping(run.planner),
        "learner": as_mapping(run.learner),
        "torch": torch.__version__,
        "cores": len(os.sched_getaffinity(0)),
        "busy_cores": os.getloadavg()[0],  # over the last minute: what else ran beside
    }
    mappings = [dataclasses.asdict(row) for row in rows]
    keys = dict.fromkeys(key for row in mappings for key in row)
    return {"schema": SCHEMA, "config": config, "seeds": [run.planner.seed], "rows": [keys | row for row in mappings]}


def _learn_table(run: RunConfig, rows: Sequence[Row]) -> Table:
    train, members = run.learner.train, run.learner.ensemble.members
    shape = f"batch {train.batch} x {train.rollout} steps, {members} members"
    table = Table(title=f"mbrl bench learn, {run.name}, {shape}", title_justify="left")
    table.add_column("part")
    for column in ("p50 ms", "p95 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(row.part, *(f"{ms:.2f}" for ms in (row.p50_ms, row.p95_ms, row.p99_ms)))
    return table
