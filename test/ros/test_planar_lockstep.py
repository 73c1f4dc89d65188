"""A robot with a planar base through the whole graph: its place goes out on odom and comes back as features."""

import numpy as np
import pytest
from graph import Graph

from mbrl_ros.nodes import topics
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.types import Flag

STEPS = 30


@pytest.fixture(scope="module")
def car(tmp_path_factory, domain):
    """A car that has moved at random for so many steps, in lockstep, with nobody learning."""
    graph = Graph(
        "car_mpc", tmp_path_factory.mktemp("car"), settings=("planner.mode=explore",),
        model="scratch", seed=3, lockstep=True, learner=False,
    )  # fmt: skip
    try:
        graph.imu = graph.probe.collect(topics.IMU)
        graph.descriptions = graph.probe.collect(topics.ROBOT_DESCRIPTION, lambda message: message.data)
        graph.start()
        graph.until_steps(STEPS)
        yield graph
    finally:
        graph.close()


def test_a_car_drives_and_each_step_is_learned_from(car):
    layout, found = FeatureLayout(car.spec), car.transitions[:STEPS]
    assert [t.sequence for t in found] == list(range(STEPS))
    states = np.array([t.state for t in found])
    assert states.shape == (STEPS, layout.size)
    assert np.ptp(states[:, layout.position], 0).max() > 0.02, "it moved"
    np.testing.assert_allclose(np.linalg.norm(states[:, layout.heading], axis=1), 1.0, atol=1e-5)
    assert sum(Flag.HELD in t.flags for t in found) < 5, "the guard follows its plans"
    for before, after in zip(found[:-1], found[1:], strict=True):
        np.testing.assert_array_equal(before.next_state, after.state)


def test_what_is_planned_from_is_what_odom_said(car):
    layout = FeatureLayout(car.spec)

    def heard():  # sensor data may be lost on its way here, and is not repeated for who listens late
        return [(t.state, car.states[t.stamp_ns]) for t in car.transitions if t.stamp_ns in car.states]

    car.until(lambda: len(heard()) > STEPS // 3, "states beside transitions")
    for told, state in heard():
        np.testing.assert_allclose(told, layout.encode(state), atol=1e-6)


def test_a_planar_robot_has_no_imu_and_is_described_by_its_base(car):
    assert car.imu == []
    car.until(lambda: car.descriptions, "the description")
    assert 'link name="base_link"' in car.descriptions[0]
