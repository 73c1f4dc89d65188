"""`mbrl bench pushes` and `mbrl bench policy`: comparisons for which a robot is driven."""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mbrl_ros.bench import deployment, pushes
from mbrl_ros.bench.deployment import CONTENDERS, DeploymentRow
from mbrl_ros.bench.deployment_picture import deployment_table, plot_deployment
from mbrl_ros.bench.pushes import MODES, PushRow
from mbrl_ros.bench.pushes_picture import plot_pushes, pushes_table
from mbrl_ros.bench.wide_table import print_whole
from mbrl_ros.config import ConfigError, as_mapping
from mbrl_ros.control.report import SCHEMA, parse_commands, write_report
from mbrl_ros.dynamics.native import torch_threads
from mbrl_ros.learning import judging
from mbrl_ros.learning.models import load_model
from mbrl_ros.learning.policies import in_report, load_policy, of_another_model, with_policy
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.fit import wants_policy
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.runs import RunConfig

PUSHES, POLICY = "pushes", "policy"
PUSHED_COMMANDS = ((0.4, 0.0, 0.0),)
USUAL_SEEDS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    driven = parser.add_argument_group("of pushes and policy")
    driven.add_argument("--policy", type=Path, metavar="FILE", help="the run's own, or the one beside its model")
    driven.add_argument("--seeds", type=int, help="of noise, pushes and planner, from --seed on (3)")
    driven.add_argument("--commands", metavar='"VX,VY,WZ;..."', help="0.4 m/s for pushes; the eight of mbrl eval")
    driven.add_argument("--hold", type=float, default=4.0, help="policy: seconds a command is held (4)")
    driven.add_argument("--speeds", type=float, nargs="+", default=[1.0, 1.5], metavar="V", help="m/s (1 1.5)")
    driven.add_argument("--directions", type=int, default=20, help="random ones a seed (20)")
    driven.add_argument("--modes", nargs="+", choices=tuple(MODES), default=list(MODES), help="(all of them)")


def run(run: RunConfig, args: argparse.Namespace, console: Console) -> int:
    args.seeds = USUAL_SEEDS if args.seeds is None else args.seeds
    judging.check(args, run)
    run = with_policy(run, args.policy)
    spec = load_robot(run.planner.robot)
    if spec.legs is None:
        raise ConfigError(f"mbrl bench {args.what}: {spec.name} does not walk")
    found = load_model(run.planner.model, run.name, FeatureLayout(spec))
    if found is None:
        raise ConfigError("planner.model scratch knows nothing to plan with: give pretrained or a folder")
    torch.set_num_threads(torch_threads(run.planner.precision, run.planner.threads))
    compare = _pushes if args.what == PUSHES else _deployment
    rows, plot, about = compare(run, spec, found[0], args, console)
    if args.report:
        seeds = _seeds(args)
        mappings = [dataclasses.asdict(row) for row in rows]
        write_report(args.report, {"schema": SCHEMA, "config": _config(run) | about, "seeds": seeds, "rows": mappings})
        console.print(f"report written to {args.report}", markup=False)
        drawn = plot(rows, args.report.with_suffix(".png"), f"mbrl bench {args.what}, {run.name}")
        console.print(f"plot written to {drawn}", markup=False)
    return 0


# Rows, their plot, and what the report's config says of this comparison alone.
Compared = tuple[Sequence[PushRow] | Sequence[DeploymentRow], Callable, dict]


def _pushes(run: RunConfig, spec, model, args: argparse.Namespace, console: Console) -> Compared:
    if args.directions < 1 or not all(0 < speed < math.inf for speed in args.speeds):
        raise ConfigError("--directions must be at least 1, and --speeds above 0 and finite")
    commands = parse_commands(args.commands) if args.commands else PUSHED_COMMANDS
    ways = [pushes.with_mode(run, mode) for mode in args.modes]
    policy = _policy(run, ways, spec, console)
    modes, seeds, rows = list(dict.fromkeys(args.modes)), _seeds(args), []
    each = pushes.blows(spec, sorted(set(args.speeds)), args.directions, commands, seeds)
    with _progress(console) as progress:
        bar = progress.add_task("pushes", total=len(each) * len(modes))
        for row in pushes.bench_pushes(run, spec, model, policy, modes, each, seeds):
            if row is None:
                progress.advance(bar)
                continue
            rows.append(row)
            progress.update(bar, description=f"{row.mode} at {row.speed:g} m/s: {row.falls} of {row.pushes} fell")
    said = "; ".join(",".join(f"{number:g}" for number in command) for command in commands)
    print_whole(console, pushes_table(f"mbrl bench pushes, {run.name}; pushed while it walks at {said}", rows))
    about = {"commands": commands, "speeds": args.speeds, "directions": args.directions, "policy": in_report(policy)}
    return rows, plot_pushes, about


def _deployment(run: RunConfig, spec, model, args: argparse.Namespace, console: Console) -> Compared:
    commands = judging.commands(args)
    seeds, names = _seeds(args), list(CONTENDERS)
    policy = _policy(run, [deployment.with_contender(run, name) for name in names], spec, console)
    found = {name: [] for name in names}
    with _progress(console) as progress:
        bar = progress.add_task("driven", total=len(names) * len(seeds))
        for name, one in deployment.driven(run, spec, model, policy, names, seeds, commands, args.hold):
            found[name].append(one)
            progress.update(bar, advance=1, description=f"{name}: cost {one.cost:.3f}")
        progress.update(bar, description="timed")
        took, plans = deployment.timed(run, spec, model, policy, names, args.rounds, args.calls)
    first = names[0]
    rows = [
        deployment.row(
            run, name, found[name], found[first], took[name], took[first],
            (plans[name], plans[first]) if name in plans else None,
        )
        for name in names
    ]  # fmt: skip
    said = f"{len(commands)} commands, {len(seeds)} seeds; cost, m/s, ms"
    print_whole(console, deployment_table(f"mbrl bench policy, {run.name}; {said}", rows))
    return rows, plot_deployment, {"commands": commands, "hold": args.hold, "policy": in_report(policy)}


def _policy(run: RunConfig, ways: Sequence[RunConfig], spec: RobotSpec, console: Console) -> OnnxPolicy | None:
    """What drives or guides in any of these ways; said where it is another model's than the one that plans."""
    wanting = [way for way in ways if wants_policy(way.planner)]
    if not wanting:
        return None
    policy = load_policy(run, spec)
    said = {of_another_model(policy.card, way.planner, run.name) for way in wanting} - {""}
    for odd in said:
        console.print(odd, style="yellow", markup=False)
    return policy


def _seeds(args: argparse.Namespace) -> list[int]:
    return list(range(args.seed, args.seed + args.seeds))


def _config(run: RunConfig) -> dict:
    return {
        "run": run.name,
        "planner": as_mapping(run.planner),
        "noise": run.bridge.noise,
        "busy_cores": os.getloadavg()[0],  # over the last minute: what else ran beside
    }


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=console, transient=True)
