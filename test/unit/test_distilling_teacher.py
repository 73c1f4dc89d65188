"""Robots in the model begin where the real one was; the planner is their teacher, who may listen to the policy."""

from dataclasses import replace

import pytest
import torch
from distilling_driver import LAYOUT, MAP, PLANNER, STILL, TASK, finished, model_of, staying, world
from learning_driver import GO1

from mbrl_ros.distilling.imagined import Imagined
from mbrl_ros.distilling.set_up import patient
from mbrl_ros.distilling.teacher import Teacher
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.learner_settings import DistillConfig
from mbrl_ros.policies.network import Value, new_policy
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.settings import MppiConfig

# Robots in the model


def test_robots_begin_where_the_real_one_was_and_are_told_at_first_to_go_on_as_they_do():
    starts = STILL.clone()
    starts[:, LAYOUT.linear_velocity.start] = 0.5
    robots = world(starts=starts).robots(10)
    assert robots.states[:, LAYOUT.linear_velocity.start].tolist() == [0.5] * 10
    torch.testing.assert_close(robots.commands, torch.tensor([0.5, 0.0, 0.0]).expand(10, 3))
    assert (robots.wanted != robots.commands).any()


def test_commands_are_approached_as_the_planner_approaches_them():
    imagined = world()
    robots = imagined.robots(10)
    for _ in range(5):
        before, robots = robots, imagined.step(robots, robots.priors)
        change = robots.commands - before.commands
        assert (change[:, :2].norm(dim=1) <= PLANNER.acceleration_limit * GO1.dt + 1e-6).all()
        assert (change[:, 2].abs() <= PLANNER.yaw_acceleration_limit * GO1.dt + 1e-6).all()
    assert (robots.commands.abs().sum(1) > 0).any()
    torch.testing.assert_close(robots.priors[4], MAP.prior(robots.commands[4]))


def test_a_robot_that_fell_is_somewhere_else_and_the_others_go_on():
    imagined = world()
    robots = imagined.robots(10)
    robots.states[3, LAYOUT.height.start] = 0.0
    robots.states[4] = torch.nan
    after = imagined.step(robots, robots.priors)
    assert torch.isfinite(after.states).all() and not TASK.terminated(after.states).any()
    torch.testing.assert_close(after.phases, (robots.phases + GO1.dt / GO1.legs.gait.period) % 1.0)


def turned_to(height):
    """Everybody at 0.3 m/s, and this high."""
    states = STILL.clone()
    states[:, LAYOUT.linear_velocity.start] = 0.3
    states[:, LAYOUT.height.start] = height
    return states


@pytest.mark.parametrize("disturbed", (True, False))
def test_a_robot_that_was_lost_brings_nothing_along_from_its_former_life(disturbed):
    imagined = staying(turned_to(0.285))
    robots = imagined.robots(10)
    robots.states[3, LAYOUT.height.start] = 0.0
    robots = replace(robots, commands=robots.commands - 1.0, wanted=robots.wanted - 1.0)
    after = imagined.step(robots, robots.priors + 0.2, disturbed)
    assert after.lost.tolist() == [b == 3 for b in range(10)]
    assert after.commands[3].tolist() == pytest.approx([0.3, 0.0, 0.0])
    torch.testing.assert_close(after.priors[3], MAP.prior(after.commands[3]))
    torch.testing.assert_close(after.before[3], after.priors[3])
    torch.testing.assert_close(after.before[4], robots.priors[4] + 0.2)
    held = torch.equal(after.wanted[3], after.commands[3])
    assert held is not disturbed, "where commands do not change, they do not even after a loss"


def test_a_robot_is_judged_by_the_commands_under_which_it_was_lost():
    imagined = staying(turned_to(0.285))
    robots = imagined.robots(10)
    robots.states[3, LAYOUT.height.start] = 0.0
    robots = replace(robots, commands=robots.commands - 1.0, wanted=robots.commands - 1.0)
    after = imagined.step(robots, robots.priors, disturbed=False)
    torch.testing.assert_close(imagined.reward(after)[3], TASK.reward(robots.states[3], robots.commands[3]))


def test_robots_are_pushed_as_hard_as_is_set_and_only_where_they_are_disturbed():
    def fastest(push, disturbed):
        imagined = staying(STILL, push)
        robots, found = imagined.robots(50), 0.0
        for _ in range(10):
            before, robots = robots, imagined.step(robots, robots.priors, disturbed)
            v = LAYOUT.linear_velocity.start
            found = max(found, float((robots.states - before.states)[:, v : v + 2].norm(dim=1).max()))
        return found

    assert 1.0 < fastest(2.0, disturbed=True) <= 2.0
    assert fastest(0.0, disturbed=True) == fastest(2.0, disturbed=False) == 0.0


def test_the_same_world_with_the_same_luck_is_the_same_again():
    first = world()
    one, other = (w.robots(5) for w in (first.again(7), first.again(7)))
    for name in ("states", "wanted", "phases"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))
    assert (first.again(8).robots(5).phases != one.phases).all()


# The teacher


def test_a_teacher_decides_within_bounds_for_every_robot_and_remembers_their_plans():
    imagined = world()
    teacher = Teacher(PLANNER, imagined.model, TASK, MAP, LAYOUT.size, imagined.phase_step)
    robots = imagined.robots(5)
    teacher.begin(robots.priors)
    first = torch.stack(list(teacher.decisions(robots)))
    assert first.shape == (5, MAP.size)
    assert (first >= MAP.bounds[0]).all() and (first <= MAP.bounds[1]).all()
    again = torch.stack(list(teacher.decisions(robots)))
    assert not torch.equal(first, again)  # from a warm start, and with other random numbers


class Stiff(FoldedEnsemble):
    """Only the first joint's target moves the robot, and far. It knows what it was asked."""

    def rollout(self, states, actions):
        self.asked = actions
        out = states[:, :, None].expand(*actions.shape[:3], -1).clone()
        out[..., LAYOUT.linear_velocity.start] = 5.0 * (actions[..., 0] - GO1.stance[0])
        return out


JOINTS = make_action_map("joint", GO1)


def stiff():
    """Five robots of that kind, and their teacher."""
    model, config = model_of(Stiff), replace(PLANNER, action_map="joint", mppi=MppiConfig(samples=200, horizon=4))
    imagined = Imagined(LAYOUT, config, model, TASK, JOINTS, STILL)
    robots = imagined.robots(5)
    return robots, Teacher(config, model, TASK, JOINTS, LAYOUT.size, imagined.phase_step), model


def test_a_plan_for_who_was_lost_begins_at_the_prior():
    def decided(warm, lost):
        robots, teacher, _ = stiff()
        teacher.begin(robots.priors + warm)
        return torch.stack(list(teacher.decisions(replace(robots, lost=torch.full((5,), lost)))))

    torch.testing.assert_close(decided(0.5, lost=True), decided(0.0, lost=False))
    assert (decided(0.5, lost=False) - decided(0.0, lost=False)).abs().max() > 0.05


def worth_by_speed(scale):
    size = LAYOUT.size + 5
    first = torch.zeros(size, 1)
    first[LAYOUT.linear_velocity.start] = 1.0
    weights, biases = (first, torch.ones(1, 1)), (torch.zeros(1), torch.zeros(1))
    return Value(weights, biases, torch.zeros(size), torch.ones(size), torch.zeros(()), torch.tensor(scale))


def test_a_guided_teacher_plans_the_guided_horizon_from_what_the_policy_proposes():
    robots, teacher, model = stiff()
    told = new_policy(LAYOUT, STILL, 3, JOINTS.bounds, 0)
    told.biases[-1].fill_(0.7)
    teacher.listen_to(told, worth_by_speed(0.0), 0.95, horizon=2)
    teacher.begin(robots.priors)
    list(teacher.decisions(robots))
    assert model.asked.shape[2] == 2
    wanted = JOINTS.decode(told.decide(torch.zeros(1, LAYOUT.size + 5), robots.priors[:1])[:, None], None)[0, 0]
    nearest = (model.asked.flatten(0, 1)[:, 0] - wanted).abs().amax(1).min()
    assert nearest < 0.05, "among the candidates is what the policy would do"


def test_a_guided_teacher_believes_the_value_of_where_its_plans_end():
    def first_decisions(scale):
        robots, teacher, _ = stiff()
        teacher.listen_to(new_policy(LAYOUT, STILL, 3, JOINTS.bounds, 0), worth_by_speed(scale), 0.95, horizon=2)
        teacher.begin(robots.priors)
        return torch.stack(list(teacher.decisions(robots)))[:, 0]

    assert (first_decisions(1000.0) > first_decisions(-1000.0) + 0.2).all()


def test_what_matters_more_to_the_return_weighs_more():
    robots, teacher, _ = stiff()
    teacher.begin(robots.priors)
    slices = teacher.sensitivity(robots)
    assert next(slices) == 0.2, "a robot at a time"
    weights = finished(slices)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[0] > 3 * weights[1:].max() and (weights > 0).all()


def test_a_teacher_plans_for_every_state_however_long_the_robot_follows_a_plan():
    """Its horizon becomes shorter than that once it listens to the policy."""
    slow = replace(PLANNER, replan_every=PLANNER.mppi.horizon)
    assert patient(slow, DistillConfig()).replan_every == 1
