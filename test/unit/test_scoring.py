"""How much a plan is worth, with models whose members disagree in a known way."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from known_problems import planned
from learning_driver import CARTPOLE, GO1

from mbrl_ros.control.beyond import Beyond
from mbrl_ros.control.exploring import RandomMotion
from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.policies.network import Value, new_policy, new_value, seen_from
from mbrl_ros.robots.action_maps import JointMap, make_action_map, paced, told_size
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import CostConfig
from mbrl_ros.tasks import make_task

HORIZON = 3
FREE = CostConfig(smoothness=0.0, prior=0.0)


class Forward:
    """Worth is the position of the cart."""

    command_size = 0

    def reward(self, state, command):
        return state[..., 0]


class Pushed:
    """Member e thinks that a newton moves the cart by `gains[e]` metres in a step."""

    def __init__(self, *gains):
        self.members, self._gains = len(gains), torch.tensor(gains)[:, None, None]

    def rollout(self, states, actions):
        path = states[:, :, None].expand(-1, -1, actions.shape[2], -1).clone()
        path[..., 0] += self._gains * actions[..., 0].cumsum(2)
        return path


def problem(model, treatment="expectation", cost=FREE, samples=20, pessimism=1.0, start=0.0):
    situation = Situation.empty(5, 0, 1, HORIZON)
    situation.state[0] = start
    return situation, make_problem(situation, model, Forward(), JointMap(CARTPOLE), cost, treatment, pessimism, samples)


def constant(*values):
    """(N, H, 1) plans that decide the same at every step; one is 20 N."""
    return torch.tensor(values)[:, None, None].expand(-1, HORIZON, 1).clone()


def test_a_plan_is_worth_the_rewards_on_its_way():
    _, p = problem(Pushed(0.01), start=0.5)
    # 0.5 + 0.2 k at step k = 1, 2, 3
    assert p.score(constant(1.0, 0.0)).tolist() == pytest.approx([0.7 + 0.9 + 1.1, 1.5])


class Edge(Forward):
    def terminated(self, state):
        return state[..., 0] > 1.0


def ten_times_the_position():
    """As a value whose network is one straight line."""
    line = torch.zeros(7, 1)
    line[0] = 10.0
    return Value((line, torch.eye(1)), (torch.full((1,), 100.0), torch.full((1,), -100.0)),
                 torch.zeros(7), torch.ones(7), torch.zeros(()), torch.ones(()))  # fmt: skip


def beyond(start=0.5):
    situation = Situation.empty(5, 0, 1, HORIZON)
    situation.state[0] = start
    further = Beyond(ten_times_the_position(), 0.75, 5, HORIZON, phase_step=0.1)
    model, edge = Pushed(0.01, 0.03), Edge()
    return make_problem(situation, model, edge, JointMap(CARTPOLE), FREE, "expectation", 1.0, 20, further)


def test_the_value_of_a_plans_end_is_that_of_the_state_the_command_and_the_phase_then():
    layout, steps = FeatureLayout(GO1), 7
    policy = new_policy(layout, torch.randn(50, layout.size), 3, make_action_map("gait", GO1).bounds, 0)
    value = new_value(policy, 1)
    value = replace(value, offset=torch.tensor(-20.0), scale=torch.tensor(4.0), std=0.5 + torch.rand(len(policy.mean)))
    value.weights[-1].mul_(100.0)
    ends, command, phase = torch.randn(5, 3, layout.size), torch.tensor([0.4, 0.1, -0.2]), torch.tensor([0.83])
    wanted = value.worth(
        seen_from(ends.reshape(15, -1), command.expand(15, -1), ((phase + steps * 0.05) % 1.0).expand(15))
    )
    rest = seen_from(torch.zeros(1, 0), command[None], phase)[0]
    nobody = torch.zeros(5, 3, dtype=torch.bool)
    found = Beyond(value, 0.9, layout.size, steps, 0.05).worth(ends, rest, torch.zeros(5, 3), nobody)
    torch.testing.assert_close(found.flatten(), wanted, rtol=1e-3, atol=1e-3)
    assert wanted.std() > 1.0


def test_what_comes_after_the_horizon_is_worth_what_the_policy_makes_of_it():
    # Held where it is, then worth ten times 0.5; a member each, of which the mean counts.
    assert beyond().score(constant(0.0)).tolist() == pytest.approx([3 * 0.5 + 5.0])
    # 0.5 + 0.1 k and 0.5 - 0.1 k: at the end 0.8 and 0.2 for the first member, 1.4 and -0.4 for the second.
    assert beyond().score(constant(-0.5)).tolist() == pytest.approx([(0.9 - 0.3) / 2 + (2.0 - 4.0) / 2])


def test_who_is_lost_at_the_end_stays_so():
    # One member ends at 0.8, the other over the edge at 1.4: 0.75 / (1 - 0.75) times that.
    assert beyond().score(constant(0.5)).tolist() == pytest.approx([(2.1 + 8.0 + 3.3 + 3 * 1.4) / 2])


def test_in_expectation_the_members_are_averaged():
    _, p = problem(Pushed(0.01, 0.03))
    assert p.score(constant(1.0)).tolist() == pytest.approx([0.02 * 20 * 6])


def test_pessimism_takes_off_their_disagreement():
    _, p = problem(Pushed(0.01, 0.03), "pessimism", pessimism=0.5)
    spread = np.std([1.2, 3.6], ddof=1)
    assert p.score(constant(1.0)).tolist() == pytest.approx([2.4 - 0.5 * spread])


def test_pessimism_of_one_member_is_expectation():
    _, p = problem(Pushed(0.01), "pessimism")
    assert p.score(constant(1.0)).tolist() == pytest.approx([1.2])


def test_trajectory_sampling_gives_each_member_its_share_of_the_candidates():
    _, p = problem(Pushed(0.01, 0.03), "tsinf")
    assert p.score(constant(1.0, 1.0, 1.0, 0.0)).tolist() == pytest.approx([1.2, 1.2, 3.6, 0.0])


@pytest.mark.parametrize(("treatment", "candidates"), [("tsinf", 20), ("expectation", 4), ("pessimism", 4)])
def test_samples_count_all_rollouts(treatment, candidates):
    _, p = problem(Pushed(*[0.01] * 5), treatment, samples=23)
    assert p.candidates == candidates
    assert p.score(torch.zeros(candidates, HORIZON, 1)).shape == (candidates,)


def test_few_samples_leave_room_for_the_warm_start_and_the_prior():
    for treatment in ("tsinf", "expectation"):
        assert problem(Pushed(*[0.01] * 5), treatment, samples=1)[1].candidates >= 2


def test_change_costs_also_from_the_step_before():
    situation, p = problem(Pushed(0.0), cost=CostConfig(smoothness=2.0, prior=0.0))
    situation.before[0] = 0.5
    jump = torch.tensor([0.5, 0.5, 1.0])[None, :, None]
    assert p.score(constant(0.5)).tolist() == pytest.approx([0.0])
    assert p.score(jump).tolist() == pytest.approx([-2.0 * 0.25])
    assert p.score(constant(1.0)).tolist() == pytest.approx([-2.0 * 0.25])


def test_distance_to_the_prior_costs():
    situation, p = problem(Pushed(0.0), cost=CostConfig(smoothness=0.0, prior=2.0))
    situation.prior.fill_(0.5)
    assert p.score(constant(0.5, 1.0)).tolist() == pytest.approx([0.0, -2.0 * 3 * 0.25])


@pytest.mark.parametrize("treatment", ["tsinf", "expectation", "pessimism"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_worth_least(treatment, bad):
    _, p = problem(Pushed(0.01, 0.01), treatment)
    plans = constant(1.0, 0.5, 0.2, 0.1)
    clean = p.score(plans)

    class Sick(Pushed):
        def rollout(self, states, actions):
            path = super().rollout(states, actions)
            path[:, 1, 1, 0] = bad
            return path

    _, p = problem(Sick(0.01, 0.01), treatment)
    found = p.score(plans)
    sick = [1, 3] if treatment == "tsinf" else [1]
    well = [i for i in range(4) if i not in sick]
    assert torch.equal(found[well], clean[well])
    assert (found[sick] == -torch.inf).all()


def test_what_the_agent_writes_into_the_situation_counts_at_once():
    situation, p = problem(Pushed(0.0))
    situation.state[0] = 2.0
    assert p.score(constant(0.0)).tolist() == pytest.approx([6.0])


def test_the_score_can_be_climbed():
    _, p = problem(Pushed(0.01), cost=replace(FREE, smoothness=0.1))
    plans = constant(0.1, 0.2).requires_grad_(True)
    p.score(plans).sum().backward()
    assert (plans.grad > 0).all()


# The motion of a robot that knows nothing


def test_random_motion_begins_at_rest_is_linear_between_knots_and_unit_at_them():
    motion = RandomMotion(2, 4, seed=0)
    path = motion.between(0, 4001)
    assert not path[0].any()
    torch.testing.assert_close(path[5], 0.75 * path[4] + 0.25 * path[8])
    knots = path[4::4]
    assert knots.mean().abs() < 0.06
    assert knots.std().item() == pytest.approx(1.0, abs=0.05)


def test_random_motion_is_the_same_from_wherever_it_is_asked():
    whole = RandomMotion(3, 7, seed=1).between(0, 50)
    for first in (0, 6, 7, 31):
        torch.testing.assert_close(RandomMotion(3, 7, seed=1).between(first, 10), whole[first : first + 10])
    assert not torch.equal(RandomMotion(3, 7, seed=2).between(0, 50), whole)


def test_random_motion_of_one_step_and_before_the_beginning_is_defined():
    assert RandomMotion(2, 1, seed=0).between(3, 1).shape == (1, 2)
    assert torch.isfinite(RandomMotion(2, 5, seed=0).between(-7, 5)).all()


class FarAhead:
    """What comes after the horizon is worth how far the car has come; less, where that is to the side."""

    def worth(self, ends, rest, rewards, lost):
        return ends[..., 0] - ends[..., 1].abs()


CAR = load_robot("car")


@pytest.mark.parametrize("beyond", [None, FarAhead()], ids=["without a value", "with a value"])
@pytest.mark.parametrize("simulation", ["greedy", "random"])
@pytest.mark.parametrize("treatment", ["expectation", "pessimism", "cvar"])
def test_a_tree_foresees_what_the_same_plan_is_scored_as(treatment, simulation, beyond):
    """Though the car's targets may change by so much a step only, and its members disagree about what comes of it."""
    layout, action_map = FeatureLayout(CAR), JointMap(CAR)
    situation = Situation.empty(layout.size, 0, action_map.size, 6, told_size(action_map))
    situation.told.copy_(torch.tensor([0.5, -0.2]))
    situation.state[2] = 1.0
    model = new_ensemble(EnsembleConfig(members=3, width=16), layout, 0)
    p = make_problem(
        situation, model, make_task("car", layout), action_map, FREE, treatment, 2.0, 300, beyond, cvar=0.4
    )
    found = planned("mcts", p, simulation=simulation)
    freely = action_map.decode(found.actions[None], situation.phase)
    assert not torch.allclose(freely, paced(freely, situation.told, action_map.rate), atol=0.1)
    assert found.best == pytest.approx(float(p.value(found.actions[None])), abs=1e-4)


@pytest.mark.parametrize("name, steps", [("joint", True), ("spline", False)])
def test_only_targets_that_each_come_from_one_decision_can_be_told_step_by_step(name, steps):
    situation, action_map = Situation.empty(5, 0, 1, HORIZON), make_action_map(name, CARTPOLE)
    found = make_problem(situation, Pushed(0.01), Forward(), action_map, FREE, "expectation", 1.0, 20)
    assert (found.step is not None) == steps
