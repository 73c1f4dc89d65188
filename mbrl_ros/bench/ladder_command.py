"""`mbrl bench ladder`: every planner, model and treatment on the tasks where it applies, with the same budgets."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace

import torch
from rich.console import Console

from mbrl_ros.bench.kept import Kept
from mbrl_ros.bench.ladder import RUNGS, TASKS, Rung, excuse
from mbrl_ros.bench.ladder_budgets import BUDGETS, QUICK, Budget, quick
from mbrl_ros.bench.ladder_climb import Cell, climb
from mbrl_ros.bench.ladder_picture import plot_ladder
from mbrl_ros.bench.ladder_rows import Row, row
from mbrl_ros.bench.ladder_table import excuses, markdown, table
from mbrl_ros.bench.wide_table import print_whole
from mbrl_ros.config import ConfigError
from mbrl_ros.content import content_hash
from mbrl_ros.control.report import SCHEMA, write_report
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run

LADDER, USUAL_SEEDS = "ladder", 5
MEANS_NOTHING = (
    "--quick: hardly any data, training or search. These figures mean nothing; they show that every rung runs."
)
Chosen = list[tuple[str, tuple[Rung, ...]]]  # a task, and its rungs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(f"of the ladder; --seeds is {USUAL_SEEDS}")
    group.add_argument("--tasks", nargs="+", choices=TASKS, metavar="TASK", help=f"({' '.join(TASKS)})")
    group.add_argument("--rungs", nargs="+", metavar="NAME", help="planners, models, treatments, versions (all)")
    group.add_argument("--seconds", type=float, default=1.0, metavar="X", help="times the robot time to learn from (1)")
    group.add_argument("--jobs", type=int, default=1, metavar="N", help="cells that are found at once (1)")
    group.add_argument("--quick", action="store_true", help="every name once, in a minute; the figures mean nothing")


def run(args: argparse.Namespace, console: Console) -> int:
    seeds = _seeds(args)
    if args.jobs < 1:
        raise ConfigError("--jobs is at least 1")
    chosen, budgets, left_out = _chosen(args), _budgets(args), _left_out(args)
    if not any(rungs for _, rungs in chosen):
        raise ConfigError(f"nothing to climb: {'; '.join(left_out)}. Without --quick every rung is climbed")
    torch.set_num_threads(1)
    config = {
        "budgets": {task: asdict(budget) for task, budget in budgets.items()},
        "settings": {task: _settings(budget) for task, budget in budgets.items()},
        "quick": args.quick,
        "torch": torch.__version__,
    }
    kept = Kept(args.report, config)
    rows = _rows(chosen, budgets, seeds, args.jobs, kept, console)
    title = f"mbrl bench ladder, {len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    print_whole(console, table(rows, title))
    for line in excuses(rows):
        console.print(f"not here: {line}", markup=False)
    for line in left_out:
        console.print(line, markup=False)
    if args.quick:
        console.print(MEANS_NOTHING, markup=False)
    if args.report:
        mappings = [asdict(each) for each in rows]
        write_report(args.report, {"schema": SCHEMA, "config": config, "seeds": list(seeds), "rows": mappings})
        text = args.report.with_suffix(".md")
        text.write_text(f"{title}\n\n{markdown(rows)}")
        console.print(f"report written to {args.report}, as Markdown to {text}{kept.reported()}", markup=False)
        if any(each.seeds for each in rows):
            picture = plot_ladder(rows, args.report.with_suffix(".png"), title)
            console.print(f"plot written to {picture}", markup=False)
    return 0


def _seeds(args: argparse.Namespace) -> range:
    count = args.seeds if args.seeds is not None else 1 if args.quick else USUAL_SEEDS
    if count < 1:
        raise ConfigError("--seeds is at least 1")
    return range(args.seed, args.seed + count)


def _tasks(args: argparse.Namespace) -> list[str]:
    return list(dict.fromkeys(args.tasks or TASKS))


def _chosen(args: argparse.Namespace) -> Chosen:
    known = {rung.name for rung in RUNGS}
    for name in args.rungs or ():
        if name not in known:
            raise ConfigError(f"--rungs: no rung {name!r}. Known: {', '.join(dict.fromkeys(r.name for r in RUNGS))}")
    return [
        (
            task,
            tuple(
                rung
                for rung in RUNGS
                if (not args.rungs or rung.name in args.rungs) and (not args.quick or str(rung) in QUICK[task])
            ),
        )
        for task in _tasks(args)
    ]


def _left_out(args: argparse.Namespace) -> list[str]:
    """Of the rungs that were asked for, those that --quick has elsewhere: a line a task."""
    lines = []
    for task in _tasks(args) if args.quick else ():
        climbed = {rung.name for rung in RUNGS if str(rung) in QUICK[task]}
        if names := [name for name in args.rungs or () if name not in climbed]:
            lines.append(f"--quick leaves out {', '.join(names)} on {task}, and has there {', '.join(QUICK[task])}")
    return lines


def _budgets(args: argparse.Namespace) -> dict[str, Budget]:
    if not 0.0 < args.seconds < float("inf"):
        raise ConfigError(f"--seconds {args.seconds:g}: expected a factor above 0")
    found = {task: replace(budget, seconds=budget.seconds * args.seconds) for task, budget in BUDGETS.items()}
    if not args.quick:
        return found
    return {task: quick(budget, _dt(budget)) for task, budget in found.items()}


def _settings(budget: Budget) -> str:
    """Of the run and its robot, all that their files say: what was found with others is not gone on with."""
    run = load_run(budget.run)
    return content_hash(repr((run, load_robot(run.planner.robot))).encode())


def _dt(budget: Budget) -> float:
    return load_robot(load_run(budget.run).planner.robot).dt


def _rows(
    chosen: Chosen, budgets: dict[str, Budget], seeds: Sequence[int], jobs: int, kept: Kept, console
) -> list[Row]:
    climbable = [(task, [rung for rung in rungs if not excuse(task, rung)]) for task, rungs in chosen]
    cells = [Cell(task, rung, seed) for task, rungs in climbable for seed in seeds for rung in rungs]
    found = climb(cells, budgets, jobs, kept, console)

    def of(task: str, rung: Rung) -> list:
        parts = [str(Cell(task, rung, seed)) for seed in seeds]
        return [found[part] for part in parts if part in found]

    base, dt = next(rung for rung in RUNGS if rung.is_base), {task: _dt(budgets[task]) for task, _ in chosen}
    return [
        row(task, rung, why := excuse(task, rung), [] if why else of(task, rung), of(task, base), dt[task])
        for task, rungs in chosen
        for rung in rungs
    ]
