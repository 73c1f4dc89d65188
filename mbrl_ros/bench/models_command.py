"""Its command line: five seeds of every experiment, as a table, a report and a picture."""

from __future__ import annotations

import argparse
from dataclasses import asdict

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mbrl_ros.bench.models import EXPERIMENTS, ModelRow, bench_models
from mbrl_ros.bench.models_picture import plot_models
from mbrl_ros.bench.wide_table import print_whole
from mbrl_ros.config import ConfigError
from mbrl_ros.control.report import SCHEMA, write_report

MODELS = "models"
SEEDS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("of models")
    group.add_argument("--only", nargs="+", metavar="NAME", choices=tuple(EXPERIMENTS), help="(all experiments)")
    group.add_argument("--model-seeds", type=int, default=SEEDS, metavar="N", help=f"from --seed on ({SEEDS})")


def run(args: argparse.Namespace, console: Console) -> int:
    if args.model_seeds < 1:
        raise ConfigError("--model-seeds is at least 1")
    torch.set_num_threads(1)
    names, seeds = args.only or list(EXPERIMENTS), list(range(args.seed, args.seed + args.model_seeds))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(names) * len(seeds))

        def done(name: str, seed: int) -> None:
            progress.update(task, advance=1, description=name)
            if not console.is_terminal:
                console.print(f"{name}, seed {seed}")

        rows = list(bench_models(names, seeds, done))
    print_whole(console, table(rows, len(seeds)))
    if args.report:
        config = {"experiments": names, "torch": torch.__version__}
        write_report(
            args.report, {"schema": SCHEMA, "config": config, "seeds": seeds, "rows": [asdict(row) for row in rows]}
        )
        console.print(f"report written to {args.report}", markup=False)
        picture = plot_models(rows, args.report.with_suffix(".png"), f"mbrl bench models, {len(seeds)} seeds")
        console.print(f"plot written to {picture}", markup=False)
    return 0


def table(rows: list[ModelRow], seeds: int) -> Table:
    shown = Table(title=f"mbrl bench models, {seeds} seeds", title_justify="left")
    for column in ("what", "mean", "lowest", "highest", "bar", ""):
        shown.add_column(column, justify="left" if column in ("what", "bar") else "right")
    for row in rows:
        verdict = {True: "holds", False: "missed", None: ""}[row.holds]
        shown.add_row(row.what, *(f"{number:.3g}" for number in (row.value, row.lowest, row.highest)), row.bar, verdict)
    return shown
