"""States that no robot of this kind can be in: neither planned from nor held against the model."""

from dataclasses import replace

import numpy as np
import pytest
from gate_driver import GO1, LYING_ON_SIDE, standing

from mbrl_ros.control.agent import Agent
from mbrl_ros.learning.models import load_model
from mbrl_ros.nodes.belief import Belief
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.settings import PlannerConfig

LAYOUT = FeatureLayout(GO1)
CRAZY = np.array([1e25, 0.0, 0.0])


def moved(**joints):
    return replace(standing(0, GO1), **{name: np.full(len(GO1.joints), value) for name, value in joints.items()})


@pytest.mark.parametrize(
    "state, reason",
    [
        (standing(0, GO1, linear_velocity_body=CRAZY), "state_base_speed"),
        (standing(0, GO1, angular_velocity_body=CRAZY), "state_far_off"),
        (standing(0, GO1, position=CRAZY[::-1]), "state_far_off"),
        (standing(0, GO1, position=np.array([0.0, 0.0, 1e300])), "state_far_off"),
        (standing(0, GO1, orientation_wxyz=np.zeros(4)), "state_orientation"),
        (moved(joint_velocity=1e6), "state_joint_speed"),
        (moved(joint_position=40.0), "state_joint_range"),
        (moved(joint_position=np.nan), "state_not_finite"),
    ],
)
def test_what_no_robot_can_be_is_refused_by_its_reason(state, reason):
    belief = Belief(LAYOUT)
    assert not belief.accepts(state) and belief.doubts(state)
    assert belief.refused == {reason: 1}
    assert belief.report().startswith("not planned from: ") and belief.report() == ""


@pytest.mark.parametrize(
    "state",
    [
        standing(0, GO1),
        standing(0, GO1, orientation_wxyz=LYING_ON_SIDE, angular_velocity_body=np.full(3, 30.0)),
        standing(0, GO1, position=np.array([1e9, -1e9, 3.0]), linear_velocity_body=np.array([4.0, 0.0, -4.0])),
        moved(joint_velocity=90.0),
    ],
)
def test_robot_that_is_thrown_about_is_believed(state):
    belief = Belief(LAYOUT)
    assert belief.accepts(state) and not belief.doubts(state) and not belief.refused and belief.report() == ""


def planning():
    config = PlannerConfig(mode="mppi")
    agent = Agent(GO1, replace(config, mppi=replace(config.mppi, samples=20)))
    model, card = load_model("pretrained", "quadruped_mpc", LAYOUT)
    agent.set_model(model, card.version)
    return agent


def test_a_plan_to_stand_needs_a_stamp_alone_and_is_numbered_like_the_others():
    agent = planning()
    first = agent.act(standing(0, GO1), np.zeros(3))
    stood = agent.stand(20_000_000)
    assert (stood.stamp_ns, stood.sequence) == (20_000_000, first.sequence + 1)
    np.testing.assert_array_equal(stood.targets, np.tile(GO1.stance, (len(stood.targets), 1)))
    assert agent.stand(20_000_000) is stood, "a repeated stamp gets the same"
    again = agent.act(standing(40, GO1), np.zeros(3))
    assert not isinstance(again, NoPlan) and again.sequence == stood.sequence + 1
