"""Which options of `mbrl bench` each comparison reads: any other that is given is refused, as it would do nothing."""

from __future__ import annotations

import argparse

from mbrl_ros.bench.experiments import SUITES
from mbrl_ros.config import ConfigError

RUN = "RUN --run --set"
READ = {  # beside --seed and --report
    "plan": f"{RUN} --rounds --calls --samples --horizon --members --width --threads --compile",
    "learn": f"{RUN} --rounds --calls --batch --rollout",
    "pushes": f"{RUN} --seeds --policy --commands --speeds --directions --modes",
    "policy": f"{RUN} --seeds --policy --commands --hold --rounds --calls",
    "doubt": RUN,
    "soak": f"{RUN} --hours --mode --plot --commands --hold",
    "ladder": "--seeds --tasks --rungs --seconds --jobs --quick",
    **dict.fromkeys(SUITES, "--seeds --only"),
    "pets": "--seeds --trials --peer-python --peer-seeds --peer-trials --peer-lines",
    "environment": "RUN --seeds --trials --planner",
}
READ["all"] = f"{READ['plan']} {READ['learn']}"
NAMES = {"given": "RUN", "run_name": "--run", "settings": "--set"}  # of those that are called otherwise
OF_ALL = ("what", "seed", "report")


def option(name: str) -> str:
    """As it is written, of what it is in the parsed arguments."""
    return NAMES.get(name, f"--{name.replace('_', '-')}")


def check_read(args: argparse.Namespace, usual: dict) -> None:
    """`usual`: what the parsed arguments are where none is given."""
    for name, value in usual.items():
        if name in OF_ALL or getattr(args, name) == value or option(name) in READ[args.what].split():
            continue
        raise ConfigError(f"bench {args.what} does not read {option(name)}. Beside --seed and --report it reads: "
                          f"{READ[args.what].replace(' ', ', ')}")  # fmt: skip
