"""Our side of `mbrl bench pets`: the cartpole of mbrl-lib, learned while it is balanced, with the reward known."""

from __future__ import annotations

from mbrl_ros.backends.balanced_cartpole import SPEC, Balance
from mbrl_ros.backends.environment import Episodes
from mbrl_ros.backends.environments import make_environment
from mbrl_ros.bench.student import Student, Studies, Trial, taught
from mbrl_ros.settings import MppiConfig

STUDIES = Studies(
    explored=40,  # about two trials
    train_every=25,
    first=500,
    later=100,
    planner=MppiConfig(samples=400, horizon=25, knot_steps=3, temperature=0.1, tail=0.0),
)


def trials(seed: int, most: int) -> list[Trial]:
    """The explored ones, and `most` that are planned."""
    student = Student(SPEC, STUDIES, seed, Balance())
    return taught(student, Episodes(make_environment(SPEC.name, seed)), STUDIES, most)
