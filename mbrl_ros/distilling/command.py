"""`mbrl distill`: the planner's decisions in a network that answers in microseconds, as one ONNX file."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mbrl_ros.config import ConfigError, as_mapping
from mbrl_ros.content import content_hash
from mbrl_ros.control.report import SCHEMA, write_report
from mbrl_ros.data.whole_file import write_whole
from mbrl_ros.distilling.plot import plot_rounds
from mbrl_ros.distilling.rounds import Round
from mbrl_ros.distilling.set_up import new_distiller, policy_card
from mbrl_ros.distilling.visiting import Visits
from mbrl_ros.dynamics.native import torch_threads
from mbrl_ros.learning.models import load_keepsake, load_model
from mbrl_ros.learning.policies import for_robot
from mbrl_ros.paths import POLICY, check_out, check_report, model_file
from mbrl_ros.policies.card import PolicyCard
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.runs import RunConfig, load_run, with_settings
from mbrl_ros.settings import ACTION_MAP_NAMES

CARD_NAME = "policy_card.json"  # for people; what a robot checks is inside the file
VISITS = 6  # of the robot, one after each of the first rounds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help="run file in config/, as quadruped_mpc")
    parser.add_argument("--model", default="pretrained", help="pretrained, or a folder with model.safetensors")
    parser.add_argument("--action-map", choices=ACTION_MAP_NAMES, help="in place of the run file's")
    parser.add_argument(
        "--robot-seconds", type=float, default=0.0, metavar="S",
        help="also begin where the simulated robot comes to under the policy, driven for so long in all (0)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (0)")
    parser.add_argument("--out", type=Path, default=Path("."), metavar="DIR", help=f"where {POLICY} is written (here)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a JSON report, with a plot beside")


def run(args: argparse.Namespace) -> int:
    run = with_settings(load_run(args.run_name, args.action_map), args.settings).with_setting(
        "seed", args.seed, "--seed"
    )
    if not 0 <= args.robot_seconds < math.inf:
        raise ConfigError(f"--robot-seconds {args.robot_seconds:g}: expected 0 s or more, and an end")
    check_out(args.out)
    check_report(args.report)
    torch.set_num_threads(torch_threads(run.planner.precision, run.planner.threads))
    console, began = Console(), time.monotonic()
    spec = load_robot(run.planner.robot)
    model, keepsake, card = taught(run, spec, args.model)
    distiller = new_distiller(run.planner, run.learner.distill, spec, model, torch.from_numpy(keepsake["states"]))
    visits = Visits(run, spec, model) if args.robot_seconds else None
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        while not distiller.done:
            number = len(distiller.rounds) + 1
            bar = progress.add_task(f"round {number}", total=1.0)
            for share in distiller.round():
                progress.update(bar, completed=share)
            progress.remove_task(bar)
            console.print(f"round {number}: {in_words(distiller.rounds[-1])}")
            if visits and number <= VISITS:
                policy = for_robot(distiller.artefact(card), spec, run.planner)
                distiller.begin_also_in(visits.drive(policy, args.robot_seconds / VISITS))
    if visits:
        console.print(f"the robot was driven for {visits.seconds:g} s and fell {visits.falls} times")
    config = {"run": run.name, "planner": as_mapping(run.planner), "distill": as_mapping(run.learner.distill)}
    made = {"config": config, "seeds": [args.seed], "robot_seconds": args.robot_seconds}
    rounds = [dataclasses.asdict(r) for r in distiller.rounds]
    args.out.mkdir(parents=True, exist_ok=True)
    write_whole(args.out / POLICY, distiller.artefact(card))
    about = {"version": card.version, "model_version": card.model_version, "model_hash": card.model_hash}
    best = max(rounds, key=lambda r: r["reward"])
    write_whole(args.out / CARD_NAME, (json.dumps({**about, "best_round": best, **made}, indent=2) + "\n").encode())
    console.print(f"policy written to {args.out / POLICY}, {time.monotonic() - began:.0f} s")
    if args.report:
        write_report(args.report, {"schema": SCHEMA, **made, "rounds": rounds})
        plot = plot_rounds(distiller.rounds, args.report.with_suffix(".png"), f"mbrl distill {run.name}")
        console.print(f"report written to {args.report}, curve to {plot}")
    return 0


def taught(run: RunConfig, spec: RobotSpec, name: str) -> tuple[Any, dict, PolicyCard]:
    """The model to learn in, what that has learned from, and the card of the policy that will come of it."""
    layout = FeatureLayout(spec)
    found, keepsake = load_model(name, run.name, layout), load_keepsake(name, run.name, layout)
    if found is None:
        raise ConfigError("--model scratch knows nothing that could be distilled: give pretrained or a folder")
    if keepsake is None:
        raise ConfigError(
            f"beside {model_file(name, run.name)} lies nothing of what it has learned from, so there is nowhere to "
            f"begin: train one with `mbrl train {run.name} --out DIR`"
        )
    model, card = found
    hashed = content_hash(model_file(name, run.name).read_bytes())
    return model, keepsake, policy_card(run.planner, run.learner.distill, spec, card.version, hashed, version=1)


def in_words(found: Round) -> str:
    best = ", the best so far" if found.best else ""
    return (
        f"{found.decisions} decisions of the planner; off by {found.imitation:.3f} where it came to itself, "
        f"by {found.loss:.3f} on what it learned; reward {found.reward:.3f} a step, "
        f"foreseen to {found.value_off:.2f} of its spread{best}"
    )
