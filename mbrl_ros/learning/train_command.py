"""`mbrl train`: a robot learns from nothing, in one process and faster than real time, and is judged at the end."""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mbrl_ros.backends import new_backend
from mbrl_ros.config import ConfigError, as_mapping
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.report import write_report
from mbrl_ros.kind_settings import learned_members
from mbrl_ros.learning import judging
from mbrl_ros.learning.curriculum import TrainingCommands
from mbrl_ros.learning.learner import HELD_OUT_HORIZON, Learner
from mbrl_ros.learning.learning_curve import plot_curves
from mbrl_ros.learning.models import save_model
from mbrl_ros.learning.session import Session
from mbrl_ros.paths import check_out
from mbrl_ros.robots.fit import check_members
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig, load_run, with_settings
from mbrl_ros.settings import ACTION_MAP_NAMES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help="run file in config/, as quadruped_mpc")
    parser.add_argument("--robot-seconds", type=float, default=60.0, help="of robot time to learn from (60)")
    parser.add_argument("--seed", type=int, default=0, help="first seed (0)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, one after another (1)")
    parser.add_argument("--action-map", choices=ACTION_MAP_NAMES, help="in place of the run file's")
    parser.add_argument("--perfect-state", action="store_true", help="no sensor noise")
    parser.add_argument("--evaluate-at", default="", metavar="S,S", help="judge at these robot seconds too")
    judging.add_arguments(parser)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a JSON report, and its curve as PNG beside")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write model.safetensors and card.json here")


@dataclass
class Curve:
    """What is known along one run of learning."""

    seed: int
    seconds: list[float] = field(default_factory=list)  # at each round of training
    error: list[float] = field(default_factory=list)  # held out, over HELD_OUT_HORIZON steps
    r2: list[float] = field(default_factory=list)  # held out, of one step
    promoted: list[bool] = field(default_factory=list)
    falls: list[float] = field(default_factory=list)  # when
    no_plans: int = 0  # steps without a plan
    why_no_plan: str = ""  # in the last of them
    evaluations: list[dict] = field(default_factory=list)


def run(args: argparse.Namespace) -> int:
    run = with_settings(load_run(args.run_name, args.action_map), args.settings)
    judging.check(args, run)
    check(run)
    check_out(args.out)
    at = _evaluated_at(args, run.learner.first_seconds)
    if args.perfect_state:
        run = run.with_setting("bridge.noise", False)
    console = Console()
    commands = judging.commands(args)
    seeds = list(range(args.seed, args.seed + args.seeds))
    curves, began = [], time.monotonic()
    for seed in seeds:
        curve, learner = _learn(run.with_setting("seed", seed), args, at, commands, console)
        curves.append(curve)
        if args.out:
            folder = args.out if len(seeds) == 1 else args.out / f"seed_{seed}"
            about = {"run": run.name, "seed": seed, "action_map": run.planner.action_map, "falls": len(curve.falls)}
            path = save_model(learner, folder, **about, config=as_mapping(run.planner))
            console.print(f"model written to {path}")
    if args.report:
        config = {"run": run.name, "robot_seconds": args.robot_seconds, "planner": as_mapping(run.planner)}
        config |= {"learner": as_mapping(run.learner), "noise": run.bridge.noise}
        report = judging.merged_report(config, seeds, [c.evaluations[-1] for c in curves])
        report["curves"] = [dataclasses.asdict(c) for c in curves]
        write_report(args.report, report)
        plot_curves(curves, args.report.with_suffix(".png"), f"{run.name}, {run.planner.action_map}")
        console.print(f"report written to {args.report}, curve to {args.report.with_suffix('.png')}")
    console.print(f"{len(seeds)} seed(s) in {time.monotonic() - began:.0f} s")
    return 0


def check(run: RunConfig) -> None:
    """Whether it can learn from nothing, and plans alone."""
    check_members(run.planner, learned_members(run.learner))
    for setting in run.planner.guided:
        name = setting.split()[0]
        raise ConfigError(
            f"{name}: mbrl train plans without a policy. Leave it out, distil one from the model that comes of it "
            f"with `mbrl distill {run.name}`, and judge them together with `mbrl eval`"
        )


def _evaluated_at(args: argparse.Namespace, first: float) -> list[float]:
    """Robot seconds at which there is a model to judge; the last is the end."""
    if not first < args.robot_seconds < math.inf:
        raise ConfigError(
            f"--robot-seconds {args.robot_seconds:g}: expected more than {first:g}, for training begins after "
            f"{first:g} s of data (learner.first_seconds)"
        )
    asked = _seconds(args.evaluate_at)
    if not all(first < seconds <= args.robot_seconds for seconds in asked):
        raise ConfigError(
            f"--evaluate-at {args.evaluate_at}: each must be above {first:g} s, before which nothing is learned "
            f"(learner.first_seconds), and at most --robot-seconds {args.robot_seconds:g}"
        )
    return sorted({*asked, args.robot_seconds})


def _seconds(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part]
    except ValueError:
        raise ConfigError(f"--evaluate-at {text!r}: expected seconds, as in 30,60") from None


def _learn(run: RunConfig, args, at: list[float], commands, console: Console) -> tuple[Curve, Learner]:
    torch.set_num_threads(run.learner.threads)
    spec = load_robot(run.planner.robot)
    seed = run.planner.seed
    agent, learner = Agent(spec, run.planner), Learner(spec, run.learner)
    session = Session(run, new_backend(spec, seed, run.bridge.noise, run.bridge.latency), agent, learner)
    teacher = TrainingCommands(agent.task.command_size, seed, run.learner.first_seconds, run.learner.practice)
    curve = Curve(seed)
    steps, due = round(args.robot_seconds / spec.dt), list(at)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"seed {seed}", total=steps, state="")
        again = round(run.learner.practice.restart / spec.dt)
        for k in range(steps):
            seconds = (k + 1) * spec.dt
            if again and k and k % again == 0:
                session.restart()
            outcome = session.step(teacher.at(k * spec.dt))
            if outcome.fell:
                curve.falls.append(seconds)
                teacher.fell(seconds)
            if outcome.verdict:
                _note(curve, seconds, outcome.verdict)
            if k % 10 == 9:
                state = f"{seconds:5.1f} s  {agent.mode}  model {agent.model_version}  falls {len(curve.falls)}"
                progress.update(bar, completed=k + 1, state=state)
            if due and seconds >= due[0] - spec.dt / 2:
                at_seconds = due.pop(0)
                if learner.incumbent is None:
                    continue
                progress.update(bar, state=f"{seconds:5.1f} s  judging on the truth")
                result = judging.judged(run, spec, learner.incumbent, commands, args.hold, seed)
                curve.evaluations.append({"robot_seconds": at_seconds, **result})
                console.print(f"seed {seed}, {at_seconds:g} s of data: {judging.in_words(result)}")
    if not curve.evaluations:
        raise ConfigError(
            f"nothing was learned in {args.robot_seconds:g} s: training begins after "
            f"{run.learner.first_seconds:g} s of data (learner.first_seconds)"
        )
    curve.evaluations[-1]["falls_learning"] = len(curve.falls)
    curve.no_plans, curve.why_no_plan = session.no_plans, session.why_no_plan
    if curve.no_plans:
        console.print(
            f"seed {seed}: no plan in {curve.no_plans} of {session.steps} steps while learning: {curve.why_no_plan}",
            style="yellow", markup=False, highlight=False,
        )  # fmt: skip
    falls = ", ".join(f"{t:.1f} s" for t in curve.falls) or "none"
    console.print(f"seed {seed}: falls while learning: {falls}; {learner.promoted} of {learner.proposed} promoted")
    known = learner.card
    console.print(
        f"seed {seed}: held out, the model's error over {HELD_OUT_HORIZON} steps is {known.held_out_error:.3f}, "
        f"its R2 over one step {known.one_step_r2:.3f}"
    )
    return curve, learner


def _note(curve: Curve, seconds: float, verdict) -> None:
    curve.seconds.append(seconds)
    curve.error.append(verdict.candidate.error)
    curve.r2.append(verdict.candidate.one_step_r2)
    curve.promoted.append(verdict.promoted)
