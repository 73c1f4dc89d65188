"""`mbrl eval`: how well a fixed model follows commands, without ROS; the oracle and the unplanned gait, too."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from mbrl_ros.config import as_mapping
from mbrl_ros.control.report import write_report
from mbrl_ros.dynamics.analytic import true_model
from mbrl_ros.dynamics.native import torch_threads
from mbrl_ros.learning import judging
from mbrl_ros.learning.models import load_model
from mbrl_ros.learning.policies import in_report, load_policy, of_another_model, with_policy
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.fit import wants_policy
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.runs import RunConfig, load_run, with_settings
from mbrl_ros.search_settings import Counted
from mbrl_ros.settings import ACTION_MAP_NAMES, DRIVING_MODES

ORACLE, ORACLE_SAMPLES = "oracle", 64  # true physics is slow, and needs fewer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help="run file in config/, as quadruped_mpc")
    parser.add_argument(
        "--model",
        help="pretrained, a folder with model.safetensors, oracle (the simulation as its own model), or openloop (no "
        "planning); else the run's own",
    )
    parser.add_argument("--policy", type=Path, metavar="FILE", help="an .onnx of mbrl distill; else the run's own")
    parser.add_argument(
        "--mode", choices=DRIVING_MODES, help="who decides: policy where one is given, else as in the run"
    )
    parser.add_argument("--seed", type=int, default=0, help="first seed (0)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (1)")
    parser.add_argument("--action-map", choices=ACTION_MAP_NAMES, help="in place of the run file's")
    parser.add_argument("--perfect-state", action="store_true", help="no sensor noise")
    judging.add_arguments(parser)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a JSON report")


def run(args: argparse.Namespace) -> int:
    run = with_settings(load_run(args.run_name, args.action_map), args.settings)
    judging.check(args, run)
    if args.perfect_state:
        run = run.with_setting("bridge.noise", False)
    torch.set_num_threads(torch_threads(run.planner.precision, run.planner.threads))
    spec = load_robot(run.planner.robot)
    name = args.model or run.planner.model
    run, model = _model(run, name, spec, args.settings)
    run = with_policy(run, args.policy)
    run = run.with_setting("planner.mode", args.mode or ("policy" if args.policy else run.planner.mode), "--mode")
    policy = load_policy(run, spec) if args.policy or wants_policy(run.planner) else None
    commands = judging.commands(args)
    seeds = list(range(args.seed, args.seed + args.seeds))
    console, results, began = Console(), [], time.monotonic()
    if policy and name != ORACLE and (odd := of_another_model(policy.card, run.planner, run.name)):
        console.print(odd, style="yellow", markup=False, highlight=False)
    with Progress(console=console) as progress:
        for seed in seeds:
            bar = progress.add_task(f"seed {seed}", total=1.0)
            result = judging.judged(
                run.with_setting("seed", seed), spec, model, commands, args.hold, seed,
                lambda share, bar=bar: progress.update(bar, completed=share), policy,
            )  # fmt: skip
            progress.update(bar, completed=1.0)
            console.print(f"seed {seed}: {judging.in_words(result)}")
            results.append(result)
    for entry in results[0]["commands"] if len(results) == 1 else []:
        reached = ", ".join(f"{v:+.2f}" for v in entry["reached"])
        console.print(f"  command {entry['command']} reached {reached}, error {entry['velocity_error']:.3f} m/s")
    if args.report:
        config = {"run": run.name, "model": name, "planner": as_mapping(run.planner), "noise": run.bridge.noise}
        config |= {"policy": in_report(policy), "commands": commands, "hold": args.hold}
        write_report(args.report, judging.merged_report(config, seeds, results))
        console.print(f"report written to {args.report}")
    console.print(f"{len(seeds)} seed(s) in {time.monotonic() - began:.0f} s")
    return 0


def _model(run: RunConfig, name: str, spec: RobotSpec, settings: Sequence[str]):
    """The run with the model that is judged, by which its policy is found; and that model."""
    if name == "openloop":
        return run.with_setting("planner.planner", "prior"), None
    if name == ORACLE:
        return run if spec.law else _with_few_samples(run, settings), true_model(spec)
    found = load_model(name, run.name, FeatureLayout(spec))
    if found is None:
        raise FileNotFoundError("nothing to judge: --model scratch has no model. Give pretrained or a folder.")
    return run.with_setting("planner.model", name, "--model"), found[0]


def _with_few_samples(run: RunConfig, settings: Sequence[str]) -> RunConfig:
    """Fewer rollouts, unless somebody asks for as many as `settings` say."""
    name = f"planner.{run.planner.searching}.samples"
    asked = any(text.partition("=")[0].strip() == name for text in settings)
    return run if asked or not isinstance(run.planner.search, Counted) else run.with_setting(name, ORACLE_SAMPLES)
