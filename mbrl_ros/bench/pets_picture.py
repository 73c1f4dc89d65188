"""The picture of `mbrl bench pets`: what each trial earned, over real steps and over seconds of one core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from mbrl_ros.bench.pets import GOOD  # noqa: E402
from mbrl_ros.bench.student import Trial  # noqa: E402
from mbrl_ros.control.picture import saved  # noqa: E402

SHORTEST = 0.1  # s that can be told apart here


def plot_pets(sides: Mapping[str, Sequence[Sequence[Trial]]], path: Path) -> Path:
    """`sides`: name -> the trials of each seed. Open marks: random motion."""
    figure, (by_steps, by_time) = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True)
    for colour, (side, seeds) in zip(("C0", "C1"), sides.items(), strict=False):
        for number, trials in enumerate(seeds):
            earned = [trial.earned for trial in trials]
            fill = ["white" if trial.explored else colour for trial in trials]
            for axes, at in (
                (by_steps, [trial.steps for trial in trials]),
                (by_time, [max(SHORTEST, trial.processor) for trial in trials]),
            ):
                axes.plot(
                    at, earned, color=colour, alpha=0.6, label=None if number else f"{side}, {len(seeds)} seed(s)"
                )
                axes.scatter(at, earned, c=fill, edgecolors=colour, s=18, zorder=3)
    by_steps.set_xlabel("real steps until the trial was over")
    by_time.set_xlabel("seconds of one core until then")
    by_time.set_xscale("log")
    by_steps.set_ylabel(f"earned in a trial, {GOOD:g} at most")
    for axes in (by_steps, by_time):
        axes.grid(alpha=0.3)
    by_steps.legend()
    figure.suptitle("mbrl bench pets: balanced-cartpole from nothing; open: random motion", fontsize=10)
    figure.tight_layout()
    return saved(figure, path)
