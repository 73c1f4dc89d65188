"""Robots whose base moves in the plane: what is said, seen and heard of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mbrl_ros.backends.sensors import noisy, turned_to
from mbrl_ros.dynamics.ensemble import Normaliser, feature_units, new_ensemble, renormalise
from mbrl_ros.dynamics.training import Trainer
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.nodes.assembler import StateAssembler
from mbrl_ros.nodes.messages.state import joint_state_message, odometry_message
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.parts import BaseSpec
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.safety import gate
from mbrl_ros.settings import GuardConfig
from mbrl_ros.types import BaseState, RobotMode, RobotState

CAR = load_robot("car")


def car_at(x, y, heading, speed=0.0, yaw_rate=0.0, steer=0.0, stamp_ns=0):
    velocity, turn = np.array([speed, 0.0, 0.0]), np.array([0.0, 0.0, yaw_rate])
    base = BaseState(np.array([x, y, 0.0]), turned_to(heading), velocity, turn)
    return RobotState(stamp_ns, np.array([speed, steer]), np.zeros(2), base)


def test_place_and_heading_are_features_of_a_planar_base():
    layout = FeatureLayout(CAR)
    assert layout.names[:7] == ("x", "y", "cos heading", "sin heading", "vx", "vy", "wz")
    found = layout.encode(car_at(1.0, -2.0, 2.5, speed=0.7, yaw_rate=0.3, steer=0.1))
    np.testing.assert_allclose(found, [1, -2, np.cos(2.5), np.sin(2.5), 0.7, 0, 0.3, 0.7, 0.1, 0, 0], atol=1e-6)


def test_the_dynamics_are_said_not_to_depend_on_the_place():
    layout = FeatureLayout(CAR)
    assert [name for name, so in zip(layout.names, layout.indifferent, strict=True) if so] == ["x", "y"]
    assert not FeatureLayout(load_robot("go1_like")).indifferent.any()


def test_what_networks_learn_of_one_place_they_know_of_every_other():
    layout, generator = FeatureLayout(CAR), torch.Generator().manual_seed(0)
    states = torch.randn(3, 40, layout.size, generator=generator) * torch.tensor(layout.scales)
    targets = torch.randn(3, 40, 2, generator=generator)
    model = new_ensemble(EnsembleConfig(members=3, width=16), layout, seed=0)
    seen = states[0].numpy()
    model = renormalise(model, Normaliser.of_data(seen, seen + 0.1, feature_units(layout)))
    trainer = Trainer(model, rate=0.01, weight_decay=0.0)
    for _ in range(30):
        trainer.step(torch.stack([states, states.roll(1, 2)], 2), targets[:, :, None])
    elsewhere = states.clone()
    elsewhere[..., layout.position] += 20.0
    with torch.no_grad():
        here, there = (trainer.model.rollout(s, targets[:, :, None])[:, :, 0] - s for s in (states, elsewhere))
    assert here.abs().mean() > 0.05
    np.testing.assert_allclose(there.numpy(), here.numpy(), atol=0.02)


def test_in_the_mirror_a_car_is_on_the_other_side_of_the_x_axis_and_steers_the_other_way():
    layout = FeatureLayout(CAR)
    permutation, signs = layout.mirror
    seen = layout.encode(car_at(1.0, -2.0, 0.6, 0.7, 0.3, 0.1))[permutation] * signs
    np.testing.assert_allclose(seen, layout.encode(car_at(1.0, 2.0, -0.6, 0.7, -0.3, -0.1)), atol=1e-6)


def test_noise_is_on_place_heading_and_velocities_and_leaves_the_plane_alone():
    state = car_at(1.0, 2.0, 0.5, speed=1.0, stamp_ns=7)
    base = noisy(state, CAR, seed=3).base
    assert base.position[2] == 0.0 and base.gravity_body == pytest.approx([0, 0, -1])
    assert base.linear_velocity_body[2] == 0.0 and not base.angular_velocity_body[:2].any()
    off = [*(base.position[:2] - [1, 2]), base.heading - 0.5, *(base.linear_velocity_body[:2] - [1, 0])]
    assert all(0 < abs(part) < 0.1 for part in off)


def test_odometry_alone_says_all_of_a_planar_base():
    assembler, state = StateAssembler(CAR), car_at(1.0, 2.0, 0.5, 0.7, 0.3, 0.1, stamp_ns=20_000_000)
    assert assembler.joint_states(joint_state_message(state, CAR)) is None
    found = assembler.odom(odometry_message(state))
    np.testing.assert_allclose(FeatureLayout(CAR).encode(found), FeatureLayout(CAR).encode(state), atol=1e-6)
    assert found.stamp_ns == state.stamp_ns


def test_the_guard_holds_a_car_and_asks_nothing_of_its_height_or_tilt():
    memory = gate.initial(CAR, GuardConfig(), simulation=True)
    for k in range(5):
        memory = gate.receive_state(memory, car_at(0.0, 0.0, 3.0, stamp_ns=k * CAR.dt_ns), k * CAR.dt_ns)
        memory, decision = gate.decide(memory, k * CAR.dt_ns, k * CAR.dt_ns)
    assert decision.command.mode == RobotMode.POSITION
    np.testing.assert_allclose(decision.command.target, CAR.stance)
    assert not memory.counts


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state_topics": ("joint_states",)}, "planar base needs joint_states and odom"),
        ({"gate": replace(CAR.gate, min_height=0.1)}, "gate.min_height does not go with a planar base"),
        ({"gate": replace(CAR.gate, frozen_after=0.1)}, "gate.frozen_after does not go with a planar base"),
        ({"backend": "nosuch"}, "no backend 'nosuch'. Known: mujoco, "),
        ({"law": "nosuch"}, "needs a law of motion, one of bicycle, "),
        ({"backend": "mujoco"}, "needs a scene"),
    ],
)
def test_a_robot_file_that_cannot_be_is_refused_with_the_mend(changes, said):
    with pytest.raises(ValueError, match=said):
        replace(CAR, **changes)


def test_a_base_is_planar_or_has_a_height_and_not_half_of_each():
    with pytest.raises(ValueError, match="neither mass nor height"):
        BaseSpec(planar=True, mass=3.0)
    with pytest.raises(ValueError, match="fall_gravity_z"):
        BaseSpec(mass=3.0, stance_height=0.3, fall_height=0.1)
