"""What every task must say of a state, and the shipped ones by hand."""

import numpy as np
import pytest
import torch

from mbrl_ros.config import ConfigError
from mbrl_ros.known import TASKS, the
from mbrl_ros.paths import share
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.settings import TASK_NAMES
from mbrl_ros.tasks import make_task

RUNS = sorted(path.stem for path in (share() / "config").glob("*.yaml"))
ROBOT_OF = {run.planner.task: run.planner.robot for run in map(load_run, RUNS)}
BOUNDED = [name for name in TASKS if hasattr(the("task", name).Task, "violation")]
SYMMETRIC = ("quadruped", "cartpole", "pendulum")  # what is left of a road or a map is not what is right of it


def build(task):
    layout = FeatureLayout(load_robot(ROBOT_OF[task]))
    return layout, make_task(task, layout)


def states(layout, *shape):
    return torch.randn(*shape, layout.size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("task", TASKS)
def test_a_reward_and_an_end_for_every_state_of_a_batch(task):
    layout, t = build(task)
    command = torch.zeros(t.command_size)
    reward, ended = t.reward(states(layout, 5, 3, 4), command), t.terminated(states(layout, 5, 3, 4))
    assert reward.shape == ended.shape == (5, 3, 4)
    assert torch.isfinite(reward).all()
    assert ended.dtype == torch.bool
    one = t.reward(states(layout, 5, 3, 4)[2, 1, 3], command)
    torch.testing.assert_close(one, reward[2, 1, 3])


@pytest.mark.parametrize("task", TASKS)
def test_one_state_that_is_not_finite_changes_the_reward_of_no_other(task):
    layout, t = build(task)
    batch, command = states(layout, 6), torch.zeros(t.command_size)
    before = t.reward(batch, command)
    batch[2] = torch.nan
    after = t.reward(batch, command)
    assert not torch.isfinite(after[2])
    assert torch.equal(after[[0, 1, 3, 4, 5]], before[[0, 1, 3, 4, 5]])


@pytest.mark.parametrize("task", TASKS)
def test_the_reward_can_be_climbed(task):
    layout, t = build(task)
    batch = states(layout, 4).requires_grad_(True)
    t.reward(batch, torch.zeros(t.command_size)).sum().backward()
    assert torch.isfinite(batch.grad).all()
    assert batch.grad.abs().max() > 0


@pytest.mark.parametrize("task", SYMMETRIC)
def test_the_mirrored_state_under_the_mirrored_command_is_worth_the_same(task):
    layout, t = build(task)
    batch = states(layout, 20)
    permutation, signs = layout.mirror
    mirrored = batch[:, torch.tensor(permutation)] * torch.tensor(signs)
    command = torch.tensor([0.3, 0.2, -0.5])[: t.command_size]
    flipped = command * torch.tensor([1.0, -1.0, -1.0])[: t.command_size]
    torch.testing.assert_close(t.reward(mirrored, flipped), t.reward(batch, command))


@pytest.mark.parametrize("task", TASKS)
def test_a_task_says_what_is_good_a_goal_of_its_own_or_to_follow_the_command(task):
    layout, t = build(task)
    if t.goal is None:
        assert t.command_size == 3
    else:
        there = t.at_goal(states(layout, 5, 3))
        assert there.shape == (5, 3) and there.dtype == torch.bool


@pytest.mark.parametrize("task", BOUNDED)
def test_bounds_of_the_state_are_left_by_nothing_or_by_more_than_nothing(task):
    layout, t = build(task)
    beyond = t.violation(states(layout, 5, 3))
    assert beyond.shape == (5, 3)
    assert (beyond >= 0).all() and (beyond > 0).any() and (t.violation(torch.zeros(layout.size)) == 0)


def test_an_unknown_task_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no task 'quadrupd'. Known: quadruped, .*. Add one in mbrl_ros/known"):
        make_task("quadrupd", FeatureLayout(load_robot("go1_like")))


def test_walking_needs_a_base():
    with pytest.raises(ValueError, match="needs a robot with a free base; cartpole has none"):
        make_task("quadruped", FeatureLayout(load_robot("cartpole")))


def quadruped(**features):
    layout, task = build("quadruped")
    state = torch.zeros(layout.size)
    at = {name: i for i, name in enumerate(layout.names)}
    for name, value in ({"gz": -1.0, "height": 0.285} | features).items():
        state[at[name]] = value
    return task, state


def test_a_quadruped_that_does_what_it_is_told_is_worth_most():
    task, state = quadruped(vx=0.3, vy=-0.1, wz=0.5)
    assert task.reward(state, torch.tensor([0.3, -0.1, 0.5])).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("feature", "value", "worth"),
    [("vx", 0.1, -0.4), ("vy", -0.1, -0.4), ("wz", 0.2, -0.4), ("gx", 0.1, -0.1), ("height", 0.385, -1.0),
     ("vz", 0.5, -0.25), ("wx", 1.0, -0.1)],
)  # fmt: skip
def test_what_each_error_of_a_quadruped_costs(feature, value, worth):
    task, state = quadruped(**{feature: value})
    assert task.reward(state, torch.zeros(3)).item() == pytest.approx(worth, rel=1e-4)


@pytest.mark.parametrize(
    ("features", "fallen"),
    [({}, False), ({"height": 0.15}, True), ({"gz": -0.5}, True), ({"gz": -0.7}, False)],
)
def test_a_quadruped_that_lies_or_leans_far_has_fallen(features, fallen):
    task, state = quadruped(**features)
    assert bool(task.terminated(state)) == fallen
    assert (task.reward(state, torch.zeros(3)).item() <= -50) == fallen


def test_a_standing_pole_in_the_middle_is_worth_more_than_anything_else():
    layout, task = build("cartpole")
    best = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0])
    hanging = torch.tensor([0.0, -1.0, 0.0, 0.0, 0.0])
    rng = np.random.default_rng(0)
    angle = torch.tensor(rng.uniform(-np.pi, np.pi, 500), dtype=torch.float32)
    rest = torch.tensor(rng.normal(size=(500, 3)), dtype=torch.float32)
    others = torch.stack([rest[:, 0], angle.cos(), angle.sin(), rest[:, 1], rest[:, 2]], 1)
    command = torch.zeros(0)
    assert task.reward(best, command) > task.reward(others, command).max()
    assert task.reward(best, command) > task.reward(hanging, command) + 0.5
    assert not task.terminated(others).any()


def test_a_cart_near_the_end_of_its_rail_is_worth_less():
    _, task = build("cartpole")
    worth = [
        task.reward(torch.tensor([x, 1.0, 0.0, 0.0, 0.0]), torch.zeros(0)).item() for x in (0.0, 0.5, 1.0, 1.6, 1.8)
    ]
    assert worth == sorted(worth, reverse=True)
    assert worth[3] - worth[4] > 0.3


@pytest.mark.parametrize(("degrees", "upright"), [(0, True), (14, True), (-14, True), (16, False), (180, False)])
def test_a_pole_is_upright_within_15_degrees_however_often_it_turned(degrees, upright):
    _, task = build("cartpole")
    for turns in (0, 2 * np.pi):
        angle = torch.tensor(np.radians(degrees) + turns)
        state = torch.stack([torch.zeros_like(angle), angle.cos(), angle.sin(), *torch.zeros(2)]).float()
        assert bool(task.at_goal(state)) == upright


def test_every_task_can_be_named_in_a_run():
    assert set(TASK_NAMES) == set(TASKS) == set(ROBOT_OF)


@pytest.mark.parametrize("robot", sorted(path.stem for path in (share() / "config" / "robots").glob("*.yaml")))
@pytest.mark.parametrize("task", TASKS)
def test_a_robot_that_a_task_does_not_fit_is_refused_by_name(task, robot):
    layout = FeatureLayout(load_robot(robot))
    try:
        t = make_task(task, layout)
    except ConfigError as refused:
        assert robot != ROBOT_OF[task] and robot in str(refused)
    else:
        assert torch.isfinite(t.reward(states(layout, 4), torch.zeros(t.command_size))).all()


def test_the_pendulum_of_a_cartpole_is_its_pole():
    """What is fast near the top costs, of the joint that turns, not of the one that comes first."""
    layout = FeatureLayout(load_robot("cartpole"))
    state = torch.zeros(3, layout.size)
    state[:, layout.names.index("cos pole_joint")] = 1.0
    state[1, layout.names.index("d pole_joint")] = state[2, layout.names.index("d cart_joint")] = 2.0
    still, turning, driving = make_task("pendulum", layout).reward(state, torch.zeros(0))
    assert turning < still == driving
