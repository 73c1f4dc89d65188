"""The picture of a rover's ways on one map, `python -m mbrl_ros.bench.planners_rover_picture FILE.png`."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from mbrl_ros.bench.planners_rover import TREE, arrived, one  # noqa: E402
from mbrl_ros.control.picture import saved  # noqa: E402
from mbrl_ros.robots.obstacles import GOAL, HIGH, LOW, random_map  # noqa: E402

MAP = 12  # on which the goal cannot be approached from where it is nearest
PLANNERS = {"mcts": TREE, "mppi": {}}


def draw(path: Path, number: int = MAP) -> Path:
    figure, axes = plt.subplots(figsize=(5, 5))
    for centre, radius in zip(random_map(number).centres, random_map(number).radii, strict=True):
        axes.add_patch(plt.Circle(centre, radius, color="0.7"))
    for planner, settings in PLANNERS.items():
        driven = one(planner, settings, number)
        end = "arrives" if arrived(driven) else "does not arrive"
        axes.plot(*driven.reached[:, :2].T, ".-", label=f"{planner}: {end}")
    axes.plot(*GOAL, "*", markersize=14, color="C2")
    axes.set(xlim=(LOW, HIGH), ylim=(LOW, HIGH), aspect="equal", xlabel="x, m", ylabel="y, m", title=f"map {number}")
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    return saved(figure, path, dpi=100)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
