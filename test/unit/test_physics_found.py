"""Constants of known structure, found in motion that they brought about."""

import dataclasses

import numpy as np
import pytest
import torch

from mbrl_ros.bench.models_physics import FIT, explored
from mbrl_ros.bench.models_toys import CAR, driven
from mbrl_ros.config import ConfigError
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.identification import SearchConfig, changed, identified, narrowed, smoothed
from mbrl_ros.dynamics.kinds import physics, residual
from mbrl_ros.dynamics.physics import PhysicsModel
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.laws import bicycle
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run

SPEC = load_robot("car")


def test_a_car_by_its_law_moves_as_fine_steps_say():
    data = driven(5.0, 0, noise=0.0)
    constants = {name: torch.tensor(value) for name, value in CAR.items()}
    following = AnalyticModel(SPEC).rollout(data.states[:, :-1], data.actions[:, :, None], constants)[0, :, 0]
    # of the rates of the joints, which jump with what is told, the recording has those of the step before
    assert (following - data.states[0, 1:])[:, :9].abs().max() < 0.05


def test_the_constants_of_the_car_are_found_in_ten_seconds_of_random_motion():
    """As the run begins, with its sensors; and none of it is read from the robot file."""
    recorded, config = explored(load_run("car_mpc"), seed=0), dataclasses.replace(FIT, steps=60, rate=0.3)
    model = fit(physics, physics.new(physics.Config(), FeatureLayout(SPEC), 0), *recorded, config).model
    found = {name: float(value) for name, value in model.constants.items()}
    assert found == pytest.approx(bicycle.constants(SPEC), rel=0.05)


def test_a_residual_learns_what_the_law_lacks():
    data, errors, layout = driven(20.0, 0, noise=0.0, understeer=0.3), [], FeatureLayout(SPEC)
    config = FitConfig(steps=80, batch=64, rate=0.3, weight_decay=0.0, rollout=1)
    model = fit(physics, physics.new(physics.Config(), layout, 0), data.states, data.actions, config).model
    both = residual.on_top(residual.Config(members=2, width=32), model, 0)
    for kind, made in ((physics, model), (residual, both)):
        known = fit(kind, made, data.states, data.actions, FitConfig(steps=100, batch=64)).model
        wide = (t[0].expand(known.members, *t[0].shape) for t in (data.states[:, :-1], data.actions[:, :, None]))
        path = known.rollout(*wide)[:, :, 0].mean(0)
        errors.append((path - data.states[0, 1:])[:, 2:4].norm(dim=-1).mean())  # of the heading
    assert errors[1] < 0.7 * errors[0]


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ((6, 2), "needs the layout of a robot, which names a law of motion"),
        (FeatureLayout(load_robot("cliff_cart")), "law of motion with unknown constants: car; cliff_cart has none"),
    ],
    ids=["sizes alone", "a law with nothing unknown"],
)
def test_physics_wants_a_robot_whose_law_has_unknown_constants(known, why):
    with pytest.raises(ConfigError, match=why):
        physics.new(physics.Config(), known, 0)


def test_a_search_narrows_down_to_the_least_error():
    best = np.array([0.3, -1.2])
    mean, spread, error = narrowed(
        lambda rows: ((rows - best) ** 2).sum(1),
        np.array([-2.0, -2.0]),
        np.array([2.0, 2.0]),
        SearchConfig(candidates=40, elites=8, rounds=12),
        np.random.default_rng(0),
    )
    np.testing.assert_allclose(mean, best, atol=0.02)
    assert error < 1e-3 and (spread < 0.05).all()


def test_candidates_without_a_finite_error_are_no_elite():
    mean, _, error = narrowed(
        lambda rows: np.where(rows[:, 0] < 0.5, np.nan, rows[:, 0]),
        np.zeros(1),
        np.ones(1),
        SearchConfig(),
        np.random.default_rng(0),
    )
    assert mean[0] >= 0.5 and np.isfinite(error)


@pytest.fixture(scope="module")
def stirred():
    """A quadruped with 3 kg on its back and weaker motors, told something new around its stance every few steps."""
    spec, rng = load_robot("go1_like"), np.random.default_rng(0)
    robot = PhysicsModel(spec, threads=1)
    robot.mujoco = changed(robot.mujoco, {"payload": 3.0, "motor_gain": 0.8})
    stance = torch.zeros(1, 1, robot.layout.size)
    stance[..., robot.layout.gravity] = torch.tensor([0.0, 0.0, -1.0])
    stance[..., robot.layout.height] = spec.base.stance_height
    wander = np.repeat(rng.uniform(-0.12, 0.12, (15, 12)), 4, 0)
    told = torch.tensor(spec.stance + wander, dtype=torch.float32)
    path = robot.rollout(stance, told[None, None])[0, 0]
    return spec, torch.cat([stance[0], path]).numpy()[None], told.numpy()[None]


def test_a_load_and_weak_motors_are_found_together(stirred):
    search = SearchConfig(candidates=14, elites=4, rounds=5, windows=15, steps=4, smooth=0)
    found = identified(*stirred, ["payload", "motor_gain"], search)
    assert found.values["payload"] == pytest.approx(3.0, abs=0.6)
    assert found.values["motor_gain"] == pytest.approx(0.8, abs=0.08)
    assert found.error < 0.5 * found.error_nominal


def test_smoothing_takes_noise_and_leaves_a_parabola():
    t, rng = np.arange(60.0), np.random.default_rng(0)
    truth = (0.01 * (t - 30) ** 2)[None, :, None]
    np.testing.assert_allclose(smoothed(truth, 3), truth, atol=1e-9)
    noisy = truth + rng.standard_normal(truth.shape)
    assert (smoothed(noisy, 3) - truth).std() < 0.75 * (noisy - truth).std()
    np.testing.assert_array_equal(smoothed(noisy, 0), noisy)


def test_an_unknown_that_nobody_knows_is_answered_with_the_known_ones(stirred):
    with pytest.raises(ConfigError, match=r"no unknown 'colour'\. Known: payload, friction, motor_gain, delay"):
        identified(*stirred, ["colour"], SearchConfig())


def test_a_robot_is_changed_in_a_copy():
    plain = PhysicsModel(load_robot("go1_like"), threads=1).mujoco
    before = plain.body_mass.copy()
    heavier = changed(plain, {"payload": 2.0})
    np.testing.assert_array_equal(plain.body_mass, before)
    assert heavier.body_mass.sum() == pytest.approx(before.sum() + 2.0)
