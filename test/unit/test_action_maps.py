"""How decisions become joint targets: offsets, smooth offsets, and feet that walk."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE

from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.planners.warm import shifted
from mbrl_ros.robots.action_maps import JointMap, SplineMap, make_action_map, paced, told_size
from mbrl_ros.robots.gait import GaitMap
from mbrl_ros.robots.mjcf import addresses, load_model
from mbrl_ros.robots.spec import load_robot

GO1 = load_robot("go1_like")
LEGS = ("FR", "FL", "RR", "RL")
GAIT = GO1.legs.gait


def with_gains(kp, kv):
    return replace(GO1, joints=tuple(replace(j, kp=kp, kv=kv) for j in GO1.joints))


RIGID = with_gains(1e9, 0.0)  # servos that neither sag nor lag: their targets are where the feet really are
MIDDLE = GO1.dt / 2 / GAIT.period  # a target aims at the middle of the step that it is held for


def nominal_feet() -> np.ndarray:
    """(4, 3) m in the body frame, when it stands."""
    feet = []
    for leg in GO1.legs.each:
        lean, knee = (next(j.stance for j in GO1.joints if j.name == n) for n in leg.joints[1:])
        x = leg.hip[0] - 0.213 * np.sin(lean) - 0.213 * np.sin(lean + knee)
        feet.append([x, leg.hip[1] + leg.side * 0.08, -(0.285 - 0.02)])
    return np.array(feet)


def feet_at(targets) -> np.ndarray:
    """Joint positions (..., 12) -> feet (..., 4, 3) m in the body frame, by forward kinematics."""
    q = np.asarray(targets).reshape(*np.shape(targets)[:-1], 4, 3)  # the file's order is leg by leg
    hip, lean, knee = q[..., 0], q[..., 1], q[..., 1] + q[..., 2]
    x = -0.213 * np.sin(lean) - 0.213 * np.sin(knee)
    down = -0.213 * np.cos(lean) - 0.213 * np.cos(knee)
    out = np.array([leg.side * 0.08 for leg in GO1.legs.each])
    from_hip = np.stack([x, out * np.cos(hip) - down * np.sin(hip), out * np.sin(hip) + down * np.cos(hip)], -1)
    return from_hip + np.array([[*leg.hip, 0.0] for leg in GO1.legs.each])


def decisions(stride=(0.0, 0.0, 0.0), lift=0.0, residual=None) -> torch.Tensor:
    """(16,) in units of the gait; stride in m/s and rad/s, lift and residual (4, 3) in m."""
    residual = np.zeros((4, 3)) if residual is None else residual
    moved = (residual / np.array(GAIT.residual)).ravel()
    return torch.tensor([*(np.array(stride) / GAIT.stride), lift / GAIT.lift_range, *moved], dtype=torch.float32)


def walked(spec, one: torch.Tensor, phases) -> np.ndarray:
    """Joint targets (T, 12) of one constant decision at the given phases."""
    phases = torch.tensor(np.asarray(phases), dtype=torch.float32)
    return GaitMap(spec).decode(one.expand(1, len(phases), -1), phases)[0].numpy()


def on_the_ground(leg: int) -> np.ndarray:
    """Phases at which a leg carries, away from touch-down and lift-off."""
    phase = GO1.legs.each[leg].phase
    return (np.linspace(0.02, GAIT.duty - 0.02, 40) - phase - MIDDLE) % 1.0


def test_joint_offsets_are_counted_from_stance_in_reaches():
    found = JointMap(GO1).decode(torch.tensor([0.0, 0.5, -1.0])[None, :, None].expand(1, 3, 12), torch.zeros(3))[0]
    np.testing.assert_allclose(found[0], GO1.stance, atol=1e-6)
    np.testing.assert_allclose(found[1, :3].numpy() - GO1.stance[:3], [0.15, 0.3, 0.35], atol=1e-6)
    np.testing.assert_allclose(found[2, :3].numpy() - GO1.stance[:3], [-0.3, -0.6, -0.7], atol=1e-6)


def test_one_unit_of_decision_is_the_carts_whole_force():
    found = JointMap(CARTPOLE).decode(torch.tensor([[[1.0], [-1.0], [0.25]]]), torch.zeros(3))
    np.testing.assert_allclose(found[0, :, 0], [20.0, -20.0, 5.0])


def test_a_spline_with_equal_control_points_is_at_rest_everywhere():
    found = SplineMap(CARTPOLE).decode(torch.full((1, 20, 1), 0.5), torch.zeros(20))
    np.testing.assert_allclose(found, 10.0, rtol=1e-6)


def test_one_control_point_of_a_spline_moves_its_neighbourhood_smoothly():
    points = torch.zeros(1, 31, 1)
    points[0, 15] = 1.0
    found = SplineMap(CARTPOLE).decode(points, torch.zeros(31))[0, :, 0].numpy() / 20.0
    assert found[15] == pytest.approx(2 / 3 / 4)  # a uniform cubic B-spline, four steps a knot
    assert found[11] == found[19] == pytest.approx(1 / 6 / 4)
    assert found[7] == found[23] == 0.0
    assert found.sum() == pytest.approx(1.0)
    assert np.abs(np.diff(found, 2)).max() < 0.03


def test_a_shifted_spline_plan_is_the_shifted_motion():
    plan = torch.randn(40, 12, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    later = shifted(plan, 3, torch.zeros(40, 12), tail=1.0)
    motion, after = (SplineMap(GO1).decode(p[None], torch.zeros(40))[0] for p in (plan, later))
    # What lies two knots from the ends: there the control points beyond are missing.
    torch.testing.assert_close(after[8:28], motion[11:31])


def test_an_unknown_action_map_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no action map 'trot'. Known: joint, spline, gait"):
        make_action_map("trot", GO1)


def test_a_gait_for_a_robot_without_legs_is_refused():
    with pytest.raises(ValueError, match="needs legs and a position interface; cartpole"):
        GaitMap(CARTPOLE)


@pytest.mark.parametrize("seed", range(5))
def test_inverse_kinematics_puts_the_feet_where_the_plan_wants_them(seed):
    moved = np.random.default_rng(seed).uniform(-1, 1, (4, 3)) * GAIT.residual
    targets = walked(RIGID, decisions(residual=moved), [0.0, 0.3, 0.7])
    np.testing.assert_allclose(feet_at(targets), np.broadcast_to(nominal_feet() + moved, (3, 4, 3)), atol=1e-5)


def test_its_feet_are_where_mujoco_has_them():
    moved = np.random.default_rng(9).uniform(-1, 1, (4, 3)) * GAIT.residual
    targets = walked(RIGID, decisions(residual=moved), [0.0])[0]
    model = load_model(GO1)
    data = mujoco.MjData(model)
    data.qpos[:7] = [0, 0, 0, 1, 0, 0, 0]
    data.qpos[addresses(GO1, model).qpos] = targets
    mujoco.mj_forward(model, data)
    seen = np.array([data.geom(f"{leg}_foot").xpos for leg in LEGS])
    np.testing.assert_allclose(seen, nominal_feet() + moved, atol=1e-5)


@pytest.mark.parametrize(
    "stride", [(0.3, 0.0, 0.0), (-0.4, 0.0, 0.0), (0.0, 0.2, 0.0), (0.0, 0.0, 0.8), (0.5, -0.2, -0.6)]
)
def test_a_foot_on_the_ground_moves_back_as_fast_as_the_body_is_to_go(stride):
    vx, vy, wz = stride
    for leg in range(4):
        phases = on_the_ground(leg)
        feet = feet_at(walked(RIGID, decisions(stride, lift=0.05), phases))[:, leg]
        speed = np.diff(feet, axis=0) / (np.diff(np.linspace(0.02, GAIT.duty - 0.02, 40))[0] * GAIT.period)
        x, y, _ = nominal_feet()[leg]
        # The ground under the foot, as the body sees it pass: -(v + w x r).
        np.testing.assert_allclose(speed, np.broadcast_to([-vx + wz * y, -vy - wz * x, 0.0], speed.shape), atol=2e-3)


def test_a_swinging_foot_rises_by_the_lift_and_comes_back_by_its_stride():
    phases = np.linspace(0, 1, 401)[:-1]
    feet = feet_at(walked(RIGID, decisions((0.5, 0.0, 0.0), lift=0.06), phases)) - nominal_feet()
    assert feet[:, :, 2].max(0) == pytest.approx([0.06] * 4, abs=1e-3)
    assert feet[:, :, 2].min() > -1e-4
    stride = 0.5 * GAIT.duty * GAIT.period
    # Leaving and meeting the ground without a jump in velocity needs a little more than the stride.
    assert feet[:, :, 0].max() == pytest.approx(stride / 2, rel=0.4)
    assert feet[:, :, 0].min() == pytest.approx(-stride / 2, rel=0.4)
    raised = (feet[:, :, 2] > 1e-5).mean(0)
    np.testing.assert_allclose(raised, 1 - GAIT.duty, atol=0.02)


def test_a_foot_never_jumps():
    phases = np.linspace(0, 1, 2001) % 1.0
    feet = feet_at(walked(RIGID, decisions((0.8, 0.2, 0.5), lift=0.07), phases))
    speed = np.diff(feet, axis=0) / (GAIT.period / 2000)
    assert np.abs(np.diff(speed, axis=0)).max() < 0.1  # m/s from one two-thousandth of a stride to the next


def test_in_a_trot_diagonal_feet_rise_together():
    phases = np.linspace(0, 1, 101)[:-1]
    height = feet_at(walked(RIGID, decisions(lift=0.05), phases))[..., 2]
    np.testing.assert_allclose(height[:, 0], height[:, 3], atol=1e-6)  # FR, RL
    np.testing.assert_allclose(height[:, 1], height[:, 2], atol=1e-6)  # FL, RR
    assert np.abs(height[:, 0] - height[:, 1]).max() > 0.045


def test_the_prior_is_the_command_in_strides():
    gait = GaitMap(GO1)
    np.testing.assert_allclose(gait.prior(torch.tensor([0.6, -0.3, 0.8]))[:4], [0.5, -0.5, 0.5, 5 / 7], rtol=1e-6)
    np.testing.assert_allclose(gait.prior(torch.tensor([9.0, -9.0, 9.0]))[:3], [1.0, -1.0, 1.0])
    assert not gait.prior(torch.tensor([0.6, -0.3, 0.8]))[4:].any()


def test_a_zero_command_stands_still():
    still = GaitMap(GO1).prior(torch.zeros(3))
    targets = walked(GO1, still, np.linspace(0, 1, 50))
    np.testing.assert_allclose(targets, np.broadcast_to(targets[0], targets.shape), atol=1e-6)


def placed(spec, command) -> tuple[MujocoBackend, torch.Tensor]:
    """The robot with its feet where the gait has them at rest (friction pins feet that begin elsewhere), its prior."""
    robot, still = MujocoBackend(spec, 0, noise=False), GaitMap(spec).prior(torch.zeros(3))
    robot.data.qpos[:7] = [0, 0, GO1.base.stance_height, 1, 0, 0, 0]
    robot.data.qpos[addresses(spec, robot.model).qpos] = walked(RIGID, still, [0.0])[0]
    return robot, GaitMap(spec).prior(torch.tensor(command))


@pytest.mark.parametrize("kp", [25.0, 40.0, 80.0])
def test_a_soft_servo_carries_the_body_as_high_as_a_stiff_one(kp):
    spec = with_gains(kp, 1.5)
    robot, still = placed(spec, [0.0, 0.0, 0.0])
    target = walked(spec, still, [0.0])[0]
    for _ in range(150):
        state = robot.step(target)
    assert state.base.position[2] == pytest.approx(GO1.base.stance_height, abs=0.02)
    assert state.base.gravity_body[2] < -0.99
    assert np.linalg.norm(state.base.linear_velocity_body) < 0.01


@pytest.mark.parametrize("kp", [60.0, 80.0])
def test_an_unplanned_trot_stays_at_height_and_goes_roughly_where_it_is_told(kp):
    spec = with_gains(kp, 1.5)
    robot, trot = placed(spec, [0.3, 0.0, 0.0])
    height = []
    for k in range(200):
        target = walked(spec, trot, [k * spec.dt / GAIT.period % 1.0])[0]
        height.append(robot.step(target).base.position[2])
        assert not robot.fallen()
    assert np.mean(height[50:]) == pytest.approx(GO1.base.stance_height, abs=0.02)
    assert 0.6 < robot.truth().base.position[0] < 1.6  # 1.2 m in 4 s


# Rates


def test_paced_targets_never_change_faster_than_they_may_and_go_where_they_should():
    car = JointMap(load_robot("car"))
    wanted = torch.tensor([[[3.0, 0.42]] * 4 + [[3.0, -0.42]] * 8])
    found = paced(wanted, torch.zeros(2), car.rate)
    steps = found.diff(dim=1, prepend=torch.zeros(1, 1, 2)).abs()
    assert (steps <= car.rate + 1e-6).all()
    torch.testing.assert_close(found[0, -1], torch.tensor([3.0, -0.42]))
    torch.testing.assert_close(found[0, 3], torch.tensor([2.4, 0.42]))


def test_what_changes_slowly_stays_and_efforts_have_no_rate():
    car = JointMap(load_robot("car"))
    slow = torch.linspace(0, 0.4, 20)[None, :, None].expand(1, 20, 2)
    assert torch.equal(paced(slow, torch.zeros(2), car.rate), slow)
    assert JointMap(CARTPOLE).rate is None and told_size(JointMap(CARTPOLE)) == 0 and told_size(car) == 2


def test_the_gradient_goes_through_the_pace():
    car, wanted = JointMap(load_robot("car")), torch.full((1, 5, 2), 0.01, requires_grad=True)
    paced(wanted, torch.zeros(2), car.rate).sum().backward()
    assert (wanted.grad == 1.0).all()
