"""What is said of the last few seconds."""

from dataclasses import replace

import numpy as np
import pytest

from mbrl_ros.control.achieved import Achieved
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.tasks import make_task
from mbrl_ros.types import Flag, Transition
from mbrl_ros.up.status import rows

LAYOUT = FeatureLayout(load_robot("pendulum"))
UP, DOWN = (np.array([cos, 0.0, 0.0], np.float32) for cos in (1.0, -1.0))
STEP = Transition(DOWN, np.zeros(1), DOWN, np.zeros(0), 0.0, -1.0, False, Flag(0), 0, 0, 1, 0)


def test_the_share_at_the_goal_and_the_reward_are_of_the_last_seconds():
    achieved = Achieved(make_task("pendulum", LAYOUT), dt=0.5)
    assert (achieved.goal, achieved.reward, achieved.share) == ("upright", None, None)
    for _ in range(30):
        achieved.note(STEP)
    assert (achieved.reward, achieved.share) == (-1.0, 0.0)
    for _ in range(4):
        achieved.note(replace(STEP, next_state=UP, reward=1.0))
    assert (achieved.reward, achieved.share) == (pytest.approx(-0.2), pytest.approx(0.4))


def test_where_no_place_is_the_goal_only_the_reward_is_said():
    layout = FeatureLayout(load_robot("go1_like"))
    achieved = Achieved(make_task("quadruped", layout), dt=0.02)
    achieved.note(replace(STEP, next_state=np.zeros(layout.size, np.float32), reward=0.5))
    assert (achieved.goal, achieved.reward, achieved.share) == (None, 0.5, None)


def test_where_the_task_bounds_the_state_steps_outside_are_counted():
    layout = FeatureLayout(load_robot("car"))
    on, off = np.zeros(layout.size, np.float32), np.zeros(layout.size, np.float32)
    off[layout.position] = 0.0, -3.0
    achieved = Achieved(make_task("car", layout), dt=0.5)
    for reached in [off] * 6 + [on] * 9:
        achieved.note(replace(STEP, next_state=reached))
    assert (achieved.violations, achieved.outside) == (6, pytest.approx(0.1))
    assert Achieved(make_task("pendulum", LAYOUT), dt=0.5).violations is None


def test_whoever_watches_a_run_is_told_of_steps_out_of_bounds():
    assert ("reward", "+0.50, 3 steps out of bounds") in rows({"reward": 0.5, "goal": "on road", "violations": 3.0}, {})
    assert ("reward", "+0.50") in rows({"reward": 0.5, "goal": "upright"}, {})
