"""The gains of the car's PID, by trying a grid: `python -m mbrl_ros.bench.planners_gains [SPEED ...]`.

Judged on 15 s of robot time, one lap and more, with sensor noise, on seeds that no figure is made of.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
import torch

from mbrl_ros.bench.planners_car import at_most, steered
from mbrl_ros.policies.steering import GAINS
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.tasks.car import HALF_WIDTH, Task

P = 0.5, 1.0, 1.5, 2.0, 3.0, 5.0  # rad/m
I = 0.0, 0.2, 1.0  # noqa: E741
D = 0.25, 0.5, 1.0, 1.5
SEEDS, SECONDS = range(100, 103), 15.0
SHOWN = 3


def judged(speed: float, gains: tuple[float, float, float]) -> tuple[float, float, float]:
    """Mean and greatest m beside the middle, and steps off the road a drive."""
    spec = at_most(speed)
    task = Task(FeatureLayout(spec))
    drives = [task.beside(steered(spec, speed, seed, gains, SECONDS))[0].abs().numpy() for seed in SEEDS]
    beside = np.array(drives)
    return float(beside.mean()), float(beside.max()), float((beside > HALF_WIDTH).sum(1).mean())


def main() -> None:
    torch.set_num_threads(1)
    for speed in [float(word) for word in sys.argv[1:]] or GAINS:
        found = sorted((judged(speed, gains), gains) for gains in itertools.product(P, I, D))
        for (mean, most, off), (p, i, d) in found[:SHOWN]:
            print(
                f"{speed:g} m/s: p {p:g} i {i:g} d {d:g}: mean {mean:.3f} m, at most {most:.2f} m, {off:.1f} steps off"
            )


if __name__ == "__main__":
    main()
