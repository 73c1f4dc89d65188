"""`mbrl bench plan` and `mbrl bench learn`: what a plan costs here, and a step of training."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Sequence

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mbrl_ros.bench.contenders import missing
from mbrl_ros.bench.grid import AXES, chosen_shapes, chosen_threads, of_shape
from mbrl_ros.bench.plan_plot import plot_plans
from mbrl_ros.bench.plan_table import detail_table, plan_table
from mbrl_ros.bench.planning import PlanRow, bench_shape
from mbrl_ros.bench.timing import Row
from mbrl_ros.bench.training import bench_learning
from mbrl_ros.bench.wide_table import print_whole
from mbrl_ros.config import as_mapping
from mbrl_ros.control.report import SCHEMA, write_report
from mbrl_ros.runs import RunConfig

ALL, PLAN, LEARN = "all", "plan", "learn"
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
    group = parser.add_argument_group("of plan and learn")
    for name, what in SHAPE.items():
        group.add_argument(
            f"--{name}", type=int, nargs="+", metavar="N", help=f"{what}; several make a grid, the rest as in the run"
        )
    for name, (setting, what) in TRAINING.items():
        group.add_argument(f"--{name}", type=int, metavar="N", help=f"{what}, as --set {setting}=...")
    group.add_argument("--compile", action="store_true", help="torch.compile as well, half a minute a shape")


def run(run: RunConfig, args: argparse.Namespace, console: Console) -> int:
    plans, trained = [], []
    for name, (setting, _) in TRAINING.items():
        if getattr(args, name) is not None:
            run = run.with_setting(setting, getattr(args, name), f"--{name}")
    if args.what in (ALL, PLAN):
        plans = _plans(run, args, console)
    if args.what in (ALL, LEARN):
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
