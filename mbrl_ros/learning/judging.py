"""One way to judge a model for `mbrl train` and `mbrl eval`, and one report for several seeds."""

from __future__ import annotations

import argparse
import math

import numpy as np

from mbrl_ros.config import ConfigError
from mbrl_ros.control.report import SCHEMA, SETTLE, STRIDE, parse_commands
from mbrl_ros.learning.evaluating import (
    COMMANDS,
    FOR_GOOD,
    KEPT_SHARE,
    NO_PLANS,
    OUTSIDE,
    WHY_NO_PLAN,
    evaluate_goal,
    evaluate_tracking,
)
from mbrl_ros.paths import check_report
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.fit import check_driven
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.runs import RunConfig
from mbrl_ros.tasks import make_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--commands", metavar='"VX,VY,WZ;..."', help="commands to judge on (m/s, m/s, rad/s)")
    parser.add_argument("--hold", type=float, default=4.0, help="seconds a command is held (4)")


def commands(args: argparse.Namespace):
    """Those asked for, else the ones that no training favours."""
    return parse_commands(args.commands) if args.commands else COMMANDS


def check(args: argparse.Namespace, run: RunConfig) -> None:
    """What can be wrong is said before hours are spent."""
    if args.seeds < 1:
        raise ConfigError("--seeds must be at least 1")
    if not SETTLE + STRIDE + 0.1 <= args.hold < math.inf:
        least = f"{SETTLE + STRIDE + 0.1:.1f} s"
        raise ConfigError(f"--hold {args.hold:g}: must be at least {least}, shorter ones cannot be judged; and finite")
    if args.commands:
        check_driven(load_robot(run.planner.robot))
    check_report(args.report)


def judged(
    run: RunConfig, spec: RobotSpec, model, commands, hold: float, seed: int, progress=lambda share: None, policy=None
):
    """{"summary", "commands", why a step had no plan} of one model and one seed, by what its task calls good."""
    if make_task(run.planner.task, FeatureLayout(spec)).goal is not None:
        summary = evaluate_goal(run, spec, model, seed=seed, perfect_state=not run.bridge.noise, policy=policy)
        return {WHY_NO_PLAN: summary.pop(WHY_NO_PLAN), "summary": summary, "commands": []}
    result = evaluate_tracking(run, spec, model, commands, hold, seed, not run.bridge.noise, progress, policy)
    more = {"falls": result.falls, "clipped_share": result.clipped_share, "cost": result.cost}
    summary = result.score.summary() | more | {NO_PLANS: result.no_plans}
    return {WHY_NO_PLAN: result.why_no_plan, "summary": summary, "commands": result.score.commands()}


def in_words(result: dict) -> str:
    missed = result["summary"].get(NO_PLANS)
    return _judgement(result["summary"]) + (f", no plan in {missed} steps: {result[WHY_NO_PLAN]}" if missed else "")


def _judgement(s: dict) -> str:
    goal = next((key.removesuffix(KEPT_SHARE) for key in s if key.endswith(KEPT_SHARE)), None)
    if goal is not None:
        share, after = 100 * s[goal + KEPT_SHARE], s[goal + FOR_GOOD]
        when = "never for good" if after is None else f"for good after {after:.1f} s"
        bounded = f", out of bounds in {100 * s[OUTSIDE]:.1f}% of the steps" if s.get(OUTSIDE) is not None else ""
        return f"{goal} {share:.0f}% of the last 5 s, {when}, {s['falls']} falls{bounded}"
    if s["velocity_error"] is None:
        return f"not judged: no command was held for long enough, {s['falls']} falls"
    return (
        f"velocity error {s['velocity_error']:.3f} m/s (worst {s['worst_velocity_error']:.3f}), "
        f"yaw rate {s['yaw_rate_error']:.3f} rad/s (worst {s['worst_yaw_rate_error']:.3f}), {s['falls']} falls"
    )


def merged_report(config: dict, seeds: list[int], results: list[dict]) -> dict:
    """Means over seeds of every number, their spread (lowest and highest seed), and each seed's own summary."""
    summaries = [r["summary"] for r in results]
    mean, spread = {}, {}
    for key in summaries[0]:
        values = [s[key] for s in summaries if s[key] is not None]
        total = key in ("falls", "samples", "non_finite", NO_PLANS)
        mean[key] = None if not values else int(sum(values)) if total else float(np.mean(values))
        spread[key] = [min(values), max(values)] if values else None
    commands = []
    for entries in zip(*(r["commands"] for r in results), strict=True):
        errors = {key: _mean([e[key] for e in entries]) for key in ("velocity_error", "yaw_rate_error")}
        reached = [_mean(axis) for axis in zip(*(e["reached"] for e in entries), strict=True)]
        commands.append({"command": entries[0]["command"], **errors, "reached": reached})
    for key in ("worst_velocity_error", "worst_yaw_rate_error"):
        if key in spread and spread[key]:
            mean[key] = spread[key][1]  # of all commands and all seeds
    return {
        "schema": SCHEMA,
        "config": config,
        "seeds": seeds,
        "summary": mean,
        "spread": spread,
        "per_seed": summaries,
        "why_no_plans": sorted({why for r in results if (why := r.get(WHY_NO_PLAN))}),
        "commands": commands,
    }


def _mean(values) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None
