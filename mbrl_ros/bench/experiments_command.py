"""Their command line: several seeds of every experiment of a suite, as a table, a report and a picture."""

from __future__ import annotations

import argparse
from dataclasses import asdict

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mbrl_ros.bench.experiments import CURVE, USUAL_SEEDS, Figure, Suite
from mbrl_ros.bench.experiments_picture import plot_figures
from mbrl_ros.bench.kept import Kept
from mbrl_ros.bench.wide_table import print_whole
from mbrl_ros.config import ConfigError
from mbrl_ros.content import content_hash
from mbrl_ros.control.report import SCHEMA, write_report
from mbrl_ros.paths import share


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(f"of experiments; --seeds is {USUAL_SEEDS} but where one says otherwise")
    group.add_argument("--only", nargs="+", metavar="NAME", help="(all experiments)")


def run(args: argparse.Namespace, console: Console) -> int:
    if args.seeds is not None and args.seeds < 1:
        raise ConfigError("--seeds is at least 1")
    torch.set_num_threads(1)
    suite = Suite(args.what)
    names = suite.chosen(args.only)
    if args.report and args.report.stem in suite.pictures:
        raise ConfigError(
            f"--report {args.report}: beside it comes {args.report.stem}.png of {suite.name}: another name"
        )
    config = {"suite": suite.name, "experiments": names, "seed": args.seed, "files": _of_files()}
    config |= {"torch": torch.__version__}
    kept = Kept(args.report, config)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=sum(suite.seeds(name, args.seeds) for name in names))

        def done(name: str, seed: int) -> None:
            progress.update(task, advance=1, description=name)
            if not console.is_terminal:
                console.print(f"{name}, seed {seed}")

        figures = list(suite.figures(names, args.seed, args.seeds, kept, done))
    shown = [figure for figure in figures if not figure.what.startswith(CURVE)]
    print_whole(console, table(suite.name, shown))
    if args.report:
        seeds = list(range(args.seed, args.seed + max(len(figure.seeds) for figure in figures)))
        rows = [asdict(figure) for figure in figures]
        write_report(args.report, {"schema": SCHEMA, "config": config, "seeds": seeds, "rows": rows})
        console.print(f"report written to {args.report}{kept.reported()}", markup=False)
        picture = plot_figures(shown, args.report.with_suffix(".png"), f"mbrl bench {suite.name}")
        console.print(f"plot written to {picture}", markup=False)
        for name, draw in suite.pictures.items():
            picture = args.report.with_name(f"{name}.png")
            if draw({figure.what: figure for figure in figures}, picture):
                console.print(f"plot written to {picture}", markup=False)
    return 0


def _of_files() -> str:
    """Of all runs and robots that there are: what was found with others is not gone on with."""
    files = sorted((share() / "config").rglob("*.yaml"))
    return content_hash(b"".join(file.read_bytes() for file in files))


def table(suite: str, figures: list[Figure]) -> Table:
    shown = Table(title=f"mbrl bench {suite}", title_justify="left")
    for column in ("what", "mean", "95%", "lowest", "highest", "seeds", "bar", ""):
        shown.add_column(column, justify="left" if column in ("what", "bar") else "right")
    for figure in figures:
        mean, least, most = (f"{number:.3g}" for number in (figure.value, figure.lowest, figure.highest))
        sure = " .. ".join(f"{number:.3g}" for number in figure.interval or ()) or "-"
        shown.add_row(figure.what, mean, sure, least, most, str(len(figure.seeds)), figure.bar, figure.verdict)
    return shown
