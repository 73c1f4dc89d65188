"""What every robot that can be stepped in-process must do."""

from dataclasses import replace

import numpy as np
import pytest

from mbrl_ros.known import BACKENDS, the
from mbrl_ros.paths import share
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import NS, RobotMode

ROBOTS = sorted(path.stem for path in (share() / "config" / "robots").glob("*.yaml"))
OWN = [(load_robot(robot).backend, robot) for robot in ROBOTS]
pytestmark = pytest.mark.parametrize(("backend", "robot"), [*OWN, *(("loopback", robot) for robot in ROBOTS)])


def test_every_backend_is_tested_here(backend, robot):
    assert {name for name, _ in OWN} | {"loopback"} == set(BACKENDS)


def build(backend, robot, seed=0, noise=True, spec=None, latency=0.0):
    return the("backend", backend).BACKEND(spec or load_robot(robot), seed, noise, latency)


def flat(state):
    parts = [state.joint_position, state.joint_velocity]
    if state.base is not None:
        base = state.base
        parts += [base.position, base.orientation_wxyz, base.linear_velocity_body, base.angular_velocity_body]
    return np.concatenate(parts)


def small_moves(spec, steps, seed=0):
    draws = np.random.default_rng(seed).uniform(-0.3, 0.3, (steps, len(spec.actuated)))
    return spec.stance + draws * spec.action_scale


def test_a_reset_robot_reports_a_complete_finite_state(backend, robot):
    b = build(backend, robot)
    state = b.reset()
    assert state.is_finite()
    assert state.joint_position.shape == state.joint_velocity.shape == (len(b.spec.joints),)
    assert (state.base is None) == (b.spec.base is None)
    assert not b.fallen()


def test_a_new_robot_stands_at_stamp_zero_before_any_reset(backend, robot):
    b = build(backend, robot)
    assert b.stamp_ns == b.measure().stamp_ns == 0
    assert b.measure().is_finite()


def test_a_target_is_in_force_after_the_latency_and_not_before(backend, robot):
    spec = load_robot(robot)
    prompt, late = (build(backend, robot, noise=False, latency=latency) for latency in (0.0, 2 * spec.dt))
    targets = small_moves(spec, 6)
    for target in (spec.stance, spec.stance, *targets):
        prompt.step(target)
    for target in (*targets, spec.stance, spec.stance):
        late.step(target)
    np.testing.assert_allclose(flat(late.truth()), flat(prompt.truth()), atol=1e-9)


def test_targets_on_their_way_do_not_outlive_a_reset(backend, robot):
    spec = load_robot(robot)
    one, other = (build(backend, robot, noise=False, latency=2 * spec.dt) for _ in range(2))
    one.set_target(spec.stance + 0.2 * spec.action_scale)
    for b in (one, other):
        b.reset()
        b.advance(20)
    np.testing.assert_allclose(flat(one.truth())[:2], flat(other.truth())[:2], atol=1e-9)


def test_each_step_takes_dt_of_robot_time(backend, robot):
    b = build(backend, robot)
    start = b.reset().stamp_ns
    stamps = [b.step(b.spec.stance).stamp_ns - start for _ in range(5)]
    assert stamps == [b.spec.dt_ns * k for k in range(1, 6)]


def test_physics_steps_divide_dt_and_the_sample_period(backend, robot):
    b = build(backend, robot)
    for period in (b.spec.dt, 1 / b.spec.sample_rate):
        assert period / b.physics_dt == pytest.approx(round(period / b.physics_dt))
    b.advance(1)
    assert b.stamp_ns == round(b.physics_dt * NS)


def test_robot_time_goes_on_over_a_reset_with_a_gap_that_shows(backend, robot):
    b = build(backend, robot)
    before = b.step(b.spec.stance).stamp_ns
    assert b.reset().stamp_ns - before > 1.5 * b.spec.dt_ns
    assert b.truth().stamp_ns == b.stamp_ns


def test_joints_are_matched_by_name_whatever_the_order_in_the_robot_file(backend, robot):
    if backend == "analytic":
        pytest.skip("a law of motion knows joints by their places")
    spec = load_robot(robot)
    turned = replace(spec, joints=spec.joints[::-1])
    a, b = build(backend, robot, noise=False), build(backend, robot, noise=False, spec=turned)
    if spec.base is None:  # the random start follows the order of the joints
        name, only_it = spec.actuated_names[0], spec.stance.copy()
        only_it[0] += 0.5 * (spec.target_limits[1] - spec.stance)[0]
        for x, target in ((a, only_it), (b, only_it[::-1])):
            before, after = x.truth(), x.step(target)
            change = "joint_position" if spec.interface == "position" else "joint_velocity"
            changes = np.abs(getattr(after, change) - getattr(before, change))[x.spec.actuated_indices]
            assert x.spec.actuated_names[np.argmax(changes)] == name and changes.max() > 0.04
        return
    for target in small_moves(spec, 5):
        first, second = a.step(target), b.step(target[::-1])
    np.testing.assert_allclose(first.joint_position, second.joint_position[::-1], atol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_target_that_is_not_finite_is_refused_by_the_joint_name(backend, robot, bad):
    b = build(backend, robot)
    target = b.spec.stance.copy()
    target[-1] = bad
    before = flat(b.truth())
    with pytest.raises(ValueError, match=b.spec.actuated_names[-1]):
        b.step(target)
    np.testing.assert_array_equal(flat(b.truth()), before)


def test_a_target_of_another_length_is_refused(backend, robot):
    b = build(backend, robot)
    with pytest.raises(ValueError, match="shape"):
        b.set_target(np.zeros(len(b.spec.actuated) + 1))


def motion(b):
    """Of the driven joints; of a planar base too, as its joints may be no more than numbers."""
    truth = b.truth()
    fastest = np.abs(truth.joint_velocity[b.spec.actuated_indices]).max()
    if b.spec.planar:
        fastest += np.abs(truth.base.linear_velocity_body).max() + np.abs(truth.base.angular_velocity_body).max()
    return fastest


def test_damp_takes_the_motion_out_of_the_driven_joints(backend, robot):
    b = build(backend, robot, noise=False)
    b.set_target(b.spec.stance + b.spec.action_scale)
    peak = 0.0
    for _ in range(30):
        b.advance(1)
        peak = max(peak, motion(b))
    b.set_mode(RobotMode.DAMP)
    b.advance(round(2.0 / b.physics_dt))
    assert motion(b) < 0.1 * peak or peak == motion(b) == 0.0 and backend == "loopback"


def test_targets_are_followed_again_after_damping(backend, robot):
    b = build(backend, robot, noise=False)
    b.set_mode(RobotMode.DAMP)
    b.step(b.spec.stance)
    b.set_mode(RobotMode.POSITION)
    b.reset()
    moved = b.step(b.spec.stance + 0.5 * b.spec.action_scale)
    assert (
        np.abs(moved.joint_velocity[b.spec.actuated_indices]).max()
        + np.abs(moved.joint_position[b.spec.actuated_indices] - [j.stance for j in b.spec.actuated]).max()
        > 0.02
    )


def test_measuring_twice_at_one_stamp_gives_the_same_answer(backend, robot):
    b = build(backend, robot)
    b.step(b.spec.stance)
    np.testing.assert_array_equal(flat(b.measure()), flat(b.measure()))


def test_noise_is_fresh_at_every_stamp_and_absent_when_switched_off(backend, robot):
    b = build(backend, robot)
    errors = []
    for _ in range(2):
        b.step(b.spec.stance)
        errors.append(flat(b.measure()) - flat(b.truth()))
    assert np.abs(errors[0]).max() > 0
    assert np.abs(errors[0] - errors[1]).max() > 1e-6
    quiet = build(backend, robot, noise=False)
    np.testing.assert_array_equal(flat(quiet.measure()), flat(quiet.truth()))


def test_the_same_seed_gives_the_same_run_and_another_seed_another(backend, robot):
    def run(seed):
        b = build(backend, robot, seed=seed)
        states = [b.reset()] + [b.step(t) for t in small_moves(b.spec, 10)]
        return np.stack([flat(s) for s in states])

    np.testing.assert_array_equal(run(3), run(3))
    assert np.abs(run(3) - run(4)).max() > 1e-6


def test_a_held_robot_keeps_its_base_where_it_is(backend, robot):
    b = build(backend, robot, noise=False)
    b.hold(True)
    states = [b.step(t) for t in small_moves(b.spec, 10)]
    if b.spec.base is None:
        return
    for state in states:
        np.testing.assert_allclose(state.base.position, states[0].base.position, atol=1e-9)
        assert state.base.gravity_body[2] == pytest.approx(-1)
        assert not state.base.linear_velocity_body.any()
    b.hold(False)
    assert not b.fallen()


def test_a_push_changes_the_velocity_of_a_base_and_is_refused_without_one(backend, robot):
    b = build(backend, robot, noise=False)
    if b.spec.base is None:
        with pytest.raises(ValueError, match="no base"):
            b.push(np.array([0.3, 0.0, 0.0]))
        return
    before = b.truth().base.linear_velocity_body
    b.push(np.array([0.3, 0.1, 0.0]))
    np.testing.assert_allclose(b.truth().base.linear_velocity_body - before, [0.3, 0.1, 0.0], atol=1e-6)
