"""Its command line: both sides in one run where a Python with mbrl-lib is named, as a table, a report and a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mbrl_ros.bench import pets_ours
from mbrl_ros.bench.kept import Kept
from mbrl_ros.bench.pets import FEWER_STEPS, HOW, LESS_TIME, as_rows, check_peer, comparison, read, theirs
from mbrl_ros.bench.pets_picture import plot_pets
from mbrl_ros.bench.student import Trial
from mbrl_ros.bench.wide_table import print_whole
from mbrl_ros.config import ConfigError
from mbrl_ros.control.report import SCHEMA, write_report

PETS = "pets"
SEEDS, PEER_SEEDS = 5, 1
TRIALS, PEER_TRIALS = 4, 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(f"of pets and environment; --seeds are ours ({SEEDS} and 3), from --seed on")
    group.add_argument("--trials", type=int, default=TRIALS, help=f"that we plan, for each seed ({TRIALS})")
    group.add_argument("--peer-python", type=Path, metavar="PATH", help="a Python that has mbrl-lib, to be run beside")
    group.add_argument("--peer-seeds", type=int, default=PEER_SEEDS, help=f"of it, from --seed on ({PEER_SEEDS})")
    group.add_argument("--peer-trials", type=int, default=PEER_TRIALS, help=f"that it plans at most ({PEER_TRIALS})")
    group.add_argument(
        "--peer-lines", type=Path, nargs="+", default=[], metavar="FILE",
        help="what bench/pets_peer.py printed before, a file a seed, in place of running it",
    )  # fmt: skip


def run(args: argparse.Namespace, console: Console) -> int:
    seeds, peer_seeds = _seeds(args)
    if args.peer_python:
        check_peer(args.peer_python)
    said = [read(_lines(path), str(path)) for path in args.peer_lines]
    config = {"seed": args.seed, "seeds": len(seeds), "trials": args.trials, "torch": torch.__version__}
    config |= {"peer_seeds": len(peer_seeds), "peer_trials": args.peer_trials, "peer_lines": len(said)}
    kept = Kept(args.report, config)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=len(seeds) + len(peer_seeds))

        def found(side: str, seed: int, find) -> list[Trial]:
            progress.update(bar, description=f"{side}, seed {seed}")
            if not console.is_terminal:
                console.print(f"{side}, seed {seed}")
            rows = kept.get(f"{side} {seed}", lambda: as_rows(find(seed)))
            progress.advance(bar)
            return [Trial(**row) for row in rows]

        ours = [found("ours", seed, lambda seed: pets_ours.trials(seed, args.trials)) for seed in seeds]
        run_now = [found("mbrl-lib", s, lambda s: theirs(args.peer_python, s, args.peer_trials)) for s in peer_seeds]
    sides = {"ours": ours} | ({"mbrl-lib": said + run_now} if said or run_now else {})
    rows = comparison(ours, said + run_now)
    print_whole(console, table(rows))
    if len(sides) == 1:
        console.print(f"without mbrl-lib beside it. {HOW}", markup=False)
    if args.report:
        all_trials = {side: [as_rows(trials) for trials in each] for side, each in sides.items()}
        write_report(
            args.report, {"schema": SCHEMA, "config": config, "seeds": seeds, "rows": rows, "trials": all_trials}
        )
        console.print(f"report written to {args.report}{kept.reported()}", markup=False)
        console.print(f"plot written to {plot_pets(sides, args.report.with_suffix('.png'))}", markup=False)
    return 0


def table(rows: list[dict]) -> Table:
    shown = Table(title="mbrl bench pets: until a trial earned 200, means over seeds", title_justify="left")
    for column in ("", "seeds", "reached by", "real steps", "before that trial", "s of one core"):
        shown.add_column(column, justify="right" if column else "left")
    for row in rows:
        if "at_most" not in row:
            end = "" if row["reached"] == row["seeds"] else ">= "  # who has not reached it is counted until its end
            numbers = f"{end}{row['steps']:.0f}", f"{end}{row['before']:.0f}", f"{end}{row['processor']:.1f}"
            shown.add_row(row["side"], str(row["seeds"]), str(row["reached"]), *numbers)
            continue
        end = "<= " if row["at_most"] else ""
        verdict = {True: "holds", False: "missed", None: "open"}
        numbers = [f"{end}{row[name]:.2g}" for name in ("steps", "before", "processor")]
        numbers[0] += f" (<= {FEWER_STEPS:g}: {verdict[row['fewer_steps']]})"
        numbers[2] += f" (<= {LESS_TIME:g}: {verdict[row['less_time']]})"
        shown.add_row(row["side"], "", "", *numbers)
    return shown


def _seeds(args: argparse.Namespace) -> tuple[list[int], list[int]]:
    count = SEEDS if args.seeds is None else args.seeds
    for name, value in (("seeds", count), ("trials", args.trials), ("peer-seeds", args.peer_seeds),
                        ("peer-trials", args.peer_trials)):  # fmt: skip
        if value < 1:
            raise ConfigError(f"--{name} is at least 1")
    peers = args.peer_seeds if args.peer_python else 0
    return list(range(args.seed, args.seed + count)), list(range(args.seed, args.seed + peers))


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise ConfigError(f"--peer-lines {path}: no such file")
    return path.read_text().splitlines()
