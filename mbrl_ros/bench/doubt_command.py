"""Its command line: three seeds of every situation, as a table and a report."""

from __future__ import annotations

import argparse
from dataclasses import asdict

import torch
from rich.console import Console
from rich.table import Table

from mbrl_ros.bench.doubt import SITUATIONS, DoubtRow, bench_doubt
from mbrl_ros.bench.wide_table import print_whole
from mbrl_ros.config import ConfigError, as_mapping
from mbrl_ros.control.report import SCHEMA, write_report
from mbrl_ros.dynamics.native import torch_threads
from mbrl_ros.learning.models import load_model
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig

DOUBT = "doubt"
SEEDS = 3


def run(run: RunConfig, args: argparse.Namespace, console: Console) -> int:
    spec = load_robot(run.planner.robot)
    if spec.legs is None:
        raise ConfigError(
            f"bench doubt walks, and {spec.name} has no legs: leave --run as it is, or name a quadruped's"
        )
    torch.set_num_threads(torch_threads(run.planner.precision, run.planner.threads))
    found = load_model(run.planner.model, run.name, FeatureLayout(spec))
    if found is None or found[1].calibration is None:
        raise ConfigError(
            "bench doubt wants a model with a calibration: one of `mbrl train`, or with its keepsake beside"
        )
    seeds, rows = list(range(args.seed, args.seed + SEEDS)), []
    for row in bench_doubt(run, spec, found[0], found[1].calibration, seeds):
        rows.append(row)
        if not console.is_terminal:
            console.print(f"{row.situation}, seed {row.seed}")
    print_whole(console, table(run.name, rows))
    if args.report:
        config = {"run": run.name, "planner": as_mapping(run.planner), "calibration": asdict(found[1].calibration)}
        write_report(
            args.report, {"schema": SCHEMA, "config": config, "seeds": seeds, "rows": [asdict(row) for row in rows]}
        )
        console.print(f"report written to {args.report}", markup=False)
    return 0


def table(name: str, rows: list[DoubtRow]) -> Table:
    """Means over the seeds; falls in all."""
    shown = Table(title=f"mbrl bench doubt, {name}", title_justify="left")
    for column in ("situation", "model off", "AUROC", "doubt p50", "p99", "limited", "stood", "m/s off", "falls"):
        shown.add_column(column, justify="left" if column == "situation" else "right")
    for situation in SITUATIONS:
        own = [row for row in rows if row.situation == situation.name]
        areas = [row.auroc for row in own if row.auroc is not None]

        def mean(name: str, own=own) -> float:
            return sum(getattr(row, name) for row in own) / len(own)

        shown.add_row(
            situation.name,
            f"{100 * mean('wrong'):.1f}%",
            f"{sum(areas) / len(areas):.2f}" if areas else "-",
            f"{mean('doubt_p50'):.3f}",
            f"{mean('doubt_p99'):.3f}",
            f"{100 * mean('limited'):.1f}%",
            f"{100 * mean('stood'):.1f}%",
            f"{mean('velocity_error'):.3f}",
            str(sum(row.falls for row in own)),
        )
    return shown
