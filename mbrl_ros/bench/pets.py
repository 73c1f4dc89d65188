"""`mbrl bench pets`: what two learners earn, trial by trial, by real steps and by seconds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mbrl_ros.bench.student import Trial
from mbrl_ros.config import ConfigError

GOOD = 200.0  # the most that a trial can earn
FEWER_STEPS, LESS_TIME = 0.5, 0.2  # ours over theirs, at most
MEASURED = ("steps", "before", "processor")
SCRIPT = Path(__file__).with_name("pets_peer.py")
HOW = (
    "--peer-python PATH: a Python that has mbrl-lib, as of python -m venv DIR; DIR/bin/pip install mbrl. On a CPU its "
    "settings take seconds a decision: DIR/bin/python mbrl_ros/bench/pets_peer.py > FILE for hours, then --peer-lines "
    "FILE"
)


@dataclass(frozen=True)
class Reached:
    """When a learner first earned as much as was asked for in a planned trial; where it never did, its end."""

    steps: int  # real ones, until that trial was over
    before: int  # until it began
    processor: float  # s, until it was over
    yes: bool


def reached(trials: Sequence[Trial], good: float) -> Reached:
    before = 0
    for trial in trials:
        if not trial.explored and trial.earned >= good:
            return Reached(trial.steps, before, trial.processor, True)
        before = trial.steps
    return Reached(trials[-1].steps, trials[-1].steps, trials[-1].processor, False)


def check_peer(python: Path) -> None:
    """ConfigError where that is no Python with mbrl-lib: to be said before the work, not after it."""
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('mbrl') is None)"
    try:
        lacking = subprocess.run([str(python), "-c", look], capture_output=True).returncode
    except OSError as error:
        raise ConfigError(f"--peer-python {python}: {error.strerror}. {HOW}") from error
    if lacking:
        raise ConfigError(f"--peer-python {python}: it has no mbrl-lib. {HOW}")


def theirs(python: Path, seed: int, trials: int) -> list[Trial]:
    """mbrl-lib, in the Python that has it; until a trial earns all there is, or so many were planned."""
    command = [str(python), str(SCRIPT), "--seed", str(seed), "--trials", str(trials), "--good", str(GOOD)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it failed"]
        raise ConfigError(f"--peer-python {python}: {said[-1]}")
    return read(done.stdout.splitlines(), str(python))


def read(lines: Iterable[str], where: str) -> list[Trial]:
    """As pets_peer.py prints them, among whatever mbrl-lib says."""
    try:
        trials = [Trial(**json.loads(line)) for line in lines if line.startswith("{")]
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: not what pets_peer.py prints: {error}") from error
    if not trials:
        raise ConfigError(f"{where}: no trial was told. {HOW}")
    return trials


def comparison(ours: Sequence[Sequence[Trial]], peers: Sequence[Sequence[Trial]]) -> list[dict]:
    """Rows of means over the seeds of each side, and ratios. Who never earned as much counts until its end, so that
    theirs is too small then and the ratio too large."""
    good = GOOD
    sides = {"ours": [reached(t, good) for t in ours], "mbrl-lib": [reached(t, good) for t in peers]}
    rows = []
    for side, found in sides.items():
        if found:
            numbers = {name: float(np.mean([getattr(one, name) for one in found])) for name in MEASURED}
            rows.append({"side": side, "seeds": len(found), "reached": sum(one.yes for one in found), **numbers})
    if len(rows) == 2:
        mine, other = rows
        ratios = {name: mine[name] / other[name] for name in MEASURED}
        at_most, all_there = other["reached"] < other["seeds"], mine["reached"] == mine["seeds"]

        def within(ratio: float, bar: float) -> bool | None:
            """None: not to be said before they are there, too."""
            holds = all_there and ratio <= bar
            return None if all_there and at_most and not holds else holds

        held = {
            "fewer_steps": within(ratios["steps"], FEWER_STEPS),
            "less_time": within(ratios["processor"], LESS_TIME),
        }
        rows.append({"side": "ours / mbrl-lib", "seeds": None, "reached": None, **ratios, "at_most": at_most, **held})
    return rows


def as_rows(trials: Sequence[Trial]) -> list[dict]:
    return [asdict(trial) for trial in trials]
