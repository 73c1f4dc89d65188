"""`mbrl bench`: measured comparisons on this machine, each of its parts taken in turns within one run."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from mbrl_ros.bench.planning import bench_planning
from mbrl_ros.bench.timing import Row
from mbrl_ros.bench.training import bench_learning
from mbrl_ros.config import ConfigError, as_mapping
from mbrl_ros.control.report import SCHEMA, write_report
from mbrl_ros.paths import check_report
from mbrl_ros.settings import RunConfig, load_run, with_settings

COMPARISONS = {"plan": bench_planning, "learn": bench_learning}
SHORTHANDS = {
    "samples": ("planner.mppi.samples", "rollouts of a plan"),
    "horizon": ("planner.mppi.horizon", "steps planned ahead"),
    "batch": ("learner.train.batch", "sequences a member and training step"),
    "rollout": ("learner.train.rollout", "steps of a training sequence"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=("all", *COMPARISONS), default="all", help="one plan, one training step; both (all)"
    )
    parser.add_argument(
        "--run", dest="run_name", default="quadruped_mpc", metavar="RUN", help="run file in config/ (quadruped_mpc)"
    )
    for name, (setting, what) in SHORTHANDS.items():
        parser.add_argument(f"--{name}", type=int, help=f"{what}, as --set {setting}=...")
    parser.add_argument("--rounds", type=int, default=10, help="over which a ratio's spread is given (10)")
    parser.add_argument("--calls", type=int, default=10, help="of each part in a round (10)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (0)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the rows as JSON")


def run(args: argparse.Namespace) -> int:
    if args.rounds < 1 or args.calls < 1:
        raise ConfigError("--rounds and --calls are at least 1")
    check_report(args.report)
    run = with_settings(load_run(args.run_name), args.settings).with_setting("seed", args.seed, "--seed")
    for name, (setting, _) in SHORTHANDS.items():
        if getattr(args, name) is not None:
            run = run.with_setting(setting, getattr(args, name), f"--{name}")
    console, rows = Console(highlight=False, soft_wrap=True), []
    for name in COMPARISONS if args.what == "all" else [args.what]:
        found = COMPARISONS[name](run, args.rounds, args.calls)
        console.print(_table(name, run, found))
        for row in found:
            if row.ratio is not None:
                console.print(_in_words(row, args.rounds), markup=False)
        rows += found
    if args.report:
        write_report(args.report, report(run, args.rounds, args.calls, rows))
        console.print(f"report written to {args.report}", markup=False)
    return 0


def report(run: RunConfig, rounds: int, calls: int, rows: Sequence[Row]) -> dict:
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
    return {
        "schema": SCHEMA,
        "config": config,
        "seeds": [run.planner.seed],
        "rows": [dataclasses.asdict(row) for row in rows],
    }


def _table(name: str, run: RunConfig, rows: Sequence[Row]) -> Table:
    table = Table(title=f"mbrl bench {name}, {run.name}, {_shape(name, run)}", title_justify="left")
    table.add_column("part")
    for column in ("p50 ms", "p95 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(row.part, *(f"{ms:.2f}" for ms in (row.p50_ms, row.p95_ms, row.p99_ms)))
    return table


def _shape(name: str, run: RunConfig) -> str:
    members = f"{run.learner.ensemble.members} members"
    if name == "plan":
        return f"{run.planner.mppi.samples} samples x {run.planner.mppi.horizon} steps, {members}"
    return f"batch {run.learner.train.batch} x {run.learner.train.rollout} steps, {members}"


def _in_words(row: Row, rounds: int) -> str:
    spread = f"{row.ratio_low:.2f} .. {row.ratio_high:.2f} over {rounds} rounds"
    return f"'{row.against}' takes {row.ratio:.2f} times as long as '{row.part}' ({spread})"
