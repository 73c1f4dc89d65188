"""`mbrl bench`: measured comparisons on this machine, each of its parts taken in turns within one run."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from mbrl_ros.bench import (
    doubt_command,
    driven_command,
    environment_command,
    experiments_command,
    ladder_command,
    pets_command,
    plan_command,
    soak_command,
)
from mbrl_ros.bench.experiments import SUITES
from mbrl_ros.bench.options import check_read
from mbrl_ros.config import ConfigError
from mbrl_ros.paths import check_report
from mbrl_ros.runs import load_run, with_settings

OF_A_RUN = {  # name: who compares, and what
    plan_command.PLAN: (plan_command, "plans of many shapes, beside pytorch_mppi"),
    plan_command.LEARN: (plan_command, "training"),
    plan_command.ALL: (plan_command, "both (default)"),
    driven_command.PUSHES: (driven_command, "who stays up, policy or planner"),
    driven_command.POLICY: (driven_command, "what they cost, and in how much time"),
    doubt_command.DOUBT: (doubt_command, "what the ensemble doubts"),
    soak_command.SOAK: (soak_command, "hours of robot time, and what they do to memory"),
}
OF_METHODS = {
    ladder_command.LADDER: (ladder_command, "every planner, model and treatment of doubt, on every task"),
    **{name: (experiments_command, what) for name, (_, what) in SUITES.items()},
    pets_command.PETS: (pets_command, "a cartpole learned beside mbrl-lib's PETS"),
    environment_command.ENVIRONMENT: (
        environment_command,
        "that or another (RUN: gymnasium/NAME, dm_control/NAME) learned from nothing, its reward, too",
    ),
}
KNOWN = OF_A_RUN | OF_METHODS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    said = "; ".join(f"{name}: {what}" for name, (_, what) in KNOWN.items())
    parser.add_argument("what", nargs="?", choices=tuple(KNOWN), metavar="WHAT", default=plan_command.ALL, help=said)
    parser.add_argument("given", nargs="?", metavar="RUN", help="as --run")
    parser.add_argument(
        "--run", dest="run_name", default="quadruped_mpc", metavar="RUN", help="run file in config/ (quadruped_mpc)"
    )
    parser.add_argument("--rounds", type=int, default=10, help="over which a ratio's spread is given (10)")
    parser.add_argument("--calls", type=int, default=10, help="of each part in a round, fewer where they are long (10)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (0)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the rows as JSON, with a plot beside")
    for who in dict.fromkeys(who for who, _ in KNOWN.values()):
        if hasattr(who, "add_arguments"):
            who.add_arguments(parser)
    parser.set_defaults(usual=vars(parser.parse_args([])) | {"settings": []})


def run(args: argparse.Namespace) -> int:
    if args.rounds < 1 or args.calls < 1:
        raise ConfigError("--rounds and --calls are at least 1")
    check_report(args.report)
    check_read(args, args.usual)
    console = Console(highlight=False, soft_wrap=True)
    who, _ = KNOWN[args.what]
    if args.what in OF_METHODS:
        return who.run(args, console)
    run = with_settings(load_run(args.given or args.run_name), args.settings).with_setting("seed", args.seed, "--seed")
    return who.run(run, args, console)
