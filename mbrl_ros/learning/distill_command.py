"""`mbrl distill`: the planner's decisions in a network that answers in microseconds, as one ONNX file."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mbrl_ros.config import ConfigError, as_mapping
from mbrl_ros.control.report import SCHEMA, write_report
from mbrl_ros.dynamics.native import planning_model, torch_threads
from mbrl_ros.learning.distilling import Distiller, Round
from mbrl_ros.learning.distilling_plot import plot_rounds
from mbrl_ros.learning.imagined import Imagined
from mbrl_ros.learning.models import load_keepsake, load_model, write_whole
from mbrl_ros.learning.teacher import Teacher
from mbrl_ros.paths import check_out, check_report, model_file
from mbrl_ros.policies.artefact import to_bytes
from mbrl_ros.policies.card import NAME, PolicyCard, input_names, robot_part
from mbrl_ros.policies.network import new_policy
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import ACTION_MAP_NAMES, RunConfig, load_run, with_settings
from mbrl_ros.tasks import make_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help="run file in config/, as quadruped_mpc")
    parser.add_argument("--model", default="pretrained", help="pretrained, or a folder with model.safetensors")
    parser.add_argument("--action-map", choices=ACTION_MAP_NAMES, help="in place of the run file's")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (0)")
    parser.add_argument("--out", type=Path, default=Path("."), metavar="DIR", help=f"where {NAME} is written (here)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a JSON report, with a plot beside")


def run(args: argparse.Namespace) -> int:
    run = with_settings(load_run(args.run_name, args.action_map), args.settings).with_setting(
        "seed", args.seed, "--seed"
    )
    check_out(args.out)
    check_report(args.report)
    torch.set_num_threads(torch_threads(run.planner.precision, run.planner.threads))
    console, began = Console(), time.monotonic()
    distiller, card = prepared(run, args.model)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        while not distiller.done:
            number = len(distiller.rounds) + 1
            bar = progress.add_task(f"round {number}", total=1.0)
            for share in distiller.round():
                progress.update(bar, completed=share)
            progress.remove_task(bar)
            console.print(f"round {number}: {in_words(distiller.rounds[-1])}")
    args.out.mkdir(parents=True, exist_ok=True)
    card = dataclasses.replace(card, **distiller.range_seen())
    path = args.out / NAME
    write_whole(path, to_bytes(distiller.best, card, distiller.example()))
    console.print(f"policy written to {path}, {time.monotonic() - began:.0f} s")
    if args.report:
        config = {"run": run.name, "planner": as_mapping(run.planner), "distill": as_mapping(run.learner.distill)}
        rounds = [dataclasses.asdict(r) for r in distiller.rounds]
        write_report(args.report, {"schema": SCHEMA, "config": config, "seeds": [args.seed], "rounds": rounds})
        plot = plot_rounds(distiller.rounds, args.report.with_suffix(".png"), f"mbrl distill {run.name}")
        console.print(f"report written to {args.report}, curve to {plot}")
    return 0


def prepared(run: RunConfig, name: str) -> tuple[Distiller, PolicyCard]:
    """A distiller for the run's robot and task, and the card of what will come of it."""
    planner, config = run.planner, run.learner.distill
    spec = load_robot(planner.robot)
    layout, action_map = FeatureLayout(spec), make_action_map(planner.action_map, spec)
    task = make_task(planner.task, layout)
    found, keepsake = load_model(name, run.name, layout), load_keepsake(name, run.name, layout)
    if found is None:
        raise ConfigError("--model scratch knows nothing that could be distilled: give pretrained or a folder")
    if keepsake is None:
        raise ConfigError(
            f"beside {model_file(name, run.name)} lies nothing of what it has learned from, so there is nowhere to "
            f"begin: train one with `mbrl train {run.name} --out DIR`"
        )
    model, card = found
    if config.robots % model.members or config.judges % model.members:
        raise ConfigError(f"learner.distill.robots and .judges must be multiples of the {model.members} members")
    native = planning_model(model, planner.precision, planner.threads)
    starts = torch.from_numpy(keepsake["states"])
    world = Imagined(layout, planner, native, task, action_map, starts)
    patient = dataclasses.replace(planner, mppi=dataclasses.replace(planner.mppi, samples=config.samples))
    teacher = Teacher(patient, native, task, action_map, layout.size, world.phase_step)
    policy = new_policy(layout, starts, task.command_size, action_map.bounds, planner.seed)
    content = model_file(name, run.name).read_bytes()
    about = PolicyCard(
        robot=spec.name, layout=spec.layout_hash, task=planner.task, action_map=planner.action_map, version=1,
        model_version=card.version, model_hash=hashlib.sha256(content).hexdigest()[:16],
        seen=input_names(layout, task.command_size), lowest=(), highest=(),
        golden_seen=(), golden_prior=(), golden_decisions=(), **robot_part(spec),
    )  # fmt: skip
    return Distiller(policy, world, teacher, config, planner.seed), about


def in_words(found: Round) -> str:
    best = ", the best so far" if found.best else ""
    return (
        f"{found.decisions} decisions of the planner; off by {found.imitation:.3f} where it came to itself, "
        f"by {found.loss:.3f} on what it learned; reward {found.reward:.3f} a step{best}"
    )
