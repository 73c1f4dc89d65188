"""Which shapes of a plan are measured: a default grid, or what the command line chooses."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mbrl_ros.runs import RunConfig

# On the command line: the setting of the run file that it stands for.
AXES = {
    "samples": "planner.mppi.samples",
    "horizon": "planner.mppi.horizon",
    "members": "learner.ensemble.members",
    "width": "learner.ensemble.width",
}
THREADS = "planner.threads"


@dataclass(frozen=True)
class Shape:
    """`samples` rollouts in all, over `horizon` steps, through `members` networks of `width` units a layer."""

    samples: int
    horizon: int
    members: int
    width: int

    def __str__(self) -> str:
        return f"{self.samples}/{self.horizon}/{self.members}/{self.width}"


CENTRE = Shape(400, 20, 5, 128)
# Each axis on its own, and one large shape: a full product would take an hour and say little more.
GRID = (
    CENTRE,
    Shape(100, 20, 5, 128),
    Shape(200, 20, 5, 128),
    Shape(1600, 20, 5, 128),
    Shape(400, 10, 5, 128),
    Shape(400, 40, 5, 128),
    Shape(400, 20, 1, 128),
    Shape(400, 20, 5, 64),
    Shape(400, 20, 5, 256),
    Shape(2048, 20, 5, 256),
)


def chosen_shapes(run: RunConfig, given: Mapping[str, Sequence[int] | None], settings: Sequence[str]) -> list[Shape]:
    """The default grid; or, where any axis is given, the product of what is given with the run's own values."""
    own = Shape(
        run.planner.mppi.samples, run.planner.mppi.horizon, run.learner.ensemble.members, run.learner.ensemble.width
    )
    if not any(given.values()) and not any(_is_set(setting, settings) for setting in AXES.values()):
        return list(GRID)
    values = [given[axis] or [getattr(own, axis)] for axis in AXES]
    return [Shape(*each) for each in itertools.product(*values)]


def chosen_threads(run: RunConfig, given: Sequence[int] | None, settings: Sequence[str]) -> list[int]:
    """One and, where there are two cores, two; or what is given."""
    if given:
        return list(given)
    if _is_set(THREADS, settings):
        return [run.planner.threads]
    return [count for count in (1, 2) if count <= len(os.sched_getaffinity(0))]


def of_shape(run: RunConfig, shape: Shape, threads: int) -> RunConfig:
    """The run with another shape, checked as a run file is."""
    for axis, setting in AXES.items():
        run = run.with_setting(setting, getattr(shape, axis), f"--{axis}")
    return run.with_setting(THREADS, threads, "--threads")


def _is_set(setting: str, settings: Sequence[str]) -> bool:
    return any(text.partition("=")[0].strip() == setting for text in settings)
