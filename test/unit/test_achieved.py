"""What is said of the last few seconds."""

from dataclasses import replace

import numpy as np
import pytest

from mbrl_ros.control.achieved import Achieved
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.tasks import make_task
from mbrl_ros.types import Flag, Transition

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
