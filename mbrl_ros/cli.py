"""`mbrl`: one word for everything a person starts. The module of a subcommand is imported only when asked for."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from mbrl_ros.config import ConfigError

# name: (module with add_arguments(parser) and run(args) -> exit status, what it does, does it take --set)
COMMANDS = {
    "up": ("mbrl_ros.up.command", "run a robot: all processes of the stack, with live status", True),
    "train": ("mbrl_ros.learning.train_command", "learn in one process, without ROS and faster than real time", True),
    "eval": ("mbrl_ros.learning.eval_command", "measure how well a model follows commands, without ROS", True),
    "distill": ("mbrl_ros.distilling.command", "put the planner's decisions into a small network, as ONNX", True),
    "policy": ("mbrl_ros.learning.policy_command", "what is inside a policy's file", False),
    "bag": ("mbrl_ros.learning.bag_command", "how much is in the journal of a run", False),
    "bench": ("mbrl_ros.bench.command", "measured comparisons: what a plan costs here, what a policy is worth", True),
    "chaos": ("mbrl_ros.chaos.command", "inject every fault into the running stack; were all promises kept?", True),
    "doctor": ("mbrl_ros.up.doctor", "is everything there that is needed, and what to do where not", False),
}
MAY_BEGIN_WITH_A_MINUS = ("--commands",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status; 2 where what was asked for is wrong."""
    arguments = _joined(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(next((word for word in arguments if not word.startswith("-")), None))
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.print_help()
        return 2
    try:
        return parsed.run(parsed)
    except (ConfigError, FileNotFoundError) as error:
        print(f"mbrl {parsed.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser(asked: str | None) -> argparse.ArgumentParser:
    """The whole parser, with the arguments of the one subcommand that is asked for."""
    parser = argparse.ArgumentParser(
        prog="mbrl",
        description="Learns a robot's dynamics while it runs, plans through them at control rate, and keeps it safe.",
        epilog="Begin with `mbrl up quadruped_mpc --demo`. `mbrl COMMAND --help` says more of each.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (module_name, what, takes_settings) in COMMANDS.items():
        sub = subparsers.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        if name == asked:
            module = importlib.import_module(module_name)
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
            if takes_settings:
                add_settings_argument(sub)
    return parser


def add_settings_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="settings",
        nargs="+",
        action="extend",
        default=[],
        metavar="NODE.KEY=VALUE",
        help="change settings of the run file: --set planner.mppi.samples=200 planner.delay=0; may be repeated",
    )


def _joined(arguments: Sequence[str]) -> list[str]:
    """Words that argparse would misread, as one with their option.

    `--commands -0.2,0,0` as `--commands=-0.2,0,0`: it would take the value for an option. `--set A=1 B=2 RUN` as
    `--set=A=1 --set=B=2 RUN`: it would take the run for a third setting.
    """
    joined: list[str] = []
    setting = False
    for word in arguments:
        if joined and joined[-1] in MAY_BEGIN_WITH_A_MINUS:
            joined[-1] += f"={word}"
            continue
        if setting and "=" in word and not word.startswith("-"):
            if joined[-1] == "--set":
                joined.pop()
            joined.append(f"--set={word}")
            continue
        setting = word == "--set"
        joined.append(word)
    return joined


if __name__ == "__main__":
    raise SystemExit(main())
