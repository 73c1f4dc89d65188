"""What members that disagree make of a return, beside sums by hand."""

from itertools import product

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE
from test_agent import CARTPOLE_CONFIG, NONE, cart, cart_agent
from test_scoring import FREE, HORIZON, Forward, Pushed, constant, problem

from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.control.state_bounds import BoundWeight
from mbrl_ros.control.treatments import Treatment
from mbrl_ros.robots.action_maps import JointMap
from mbrl_ros.settings import TREATMENTS, BoundsConfig

TWO = Pushed(0.01, 0.03)  # a push of 20 N, held for three steps, is worth 1.2 to the one and 3.6 to the other
SPREAD = np.std([1.2, 3.6], ddof=1)


@pytest.mark.parametrize(
    ("name", "forwards", "backwards"),
    [
        ("expectation", 2.4, -2.4),
        ("pessimism", 2.4 - 0.5 * SPREAD, -2.4 - 0.5 * SPREAD),
        ("optimism", 2.4 + 0.5 * SPREAD, -2.4 + 0.5 * SPREAD),
        ("cvar", 1.2, -3.6),
    ],
)
def test_two_members_by_hand(name, forwards, backwards):
    situation = Situation.empty(5, 0, 1, HORIZON)
    posed = make_problem(situation, TWO, Forward(), JointMap(CARTPOLE), FREE, name, 0.5, 20, cvar=0.5)
    assert posed.score(constant(1.0, -1.0)).tolist() == pytest.approx([forwards, backwards])


@pytest.mark.parametrize(("share", "wanted"), [(0.01, 1.0), (0.2, 1.0), (0.4, 1.5), (0.6, 2.0), (1.0, 4.4)])
def test_cvar_is_the_mean_of_the_worst_share(share, wanted):
    returns = torch.tensor([10.0, 2.0, 3.0, 1.0, 6.0])
    assert float(Treatment("cvar", 1.0, share).of_members(returns)) == pytest.approx(wanted)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_member_that_says_nothing_finite_is_the_worst_in_cvar(bad):
    assert float(Treatment("cvar", 1.0, 0.1).of_members(torch.tensor([1.0, bad, 2.0]))) == -torch.inf


def test_ts1_draws_a_member_anew_at_each_step_and_tsinf_does_not():
    plans = constant(*[1.0] * 40)
    one_member, anew = (problem(TWO, name, samples=40)[1].score(plans) for name in ("tsinf", "ts1"))
    assert sorted(set(one_member.round(decimals=4).tolist())) == pytest.approx([1.2, 3.6])
    steps = [3, 2, 1]  # how often the push of each step counts on the way
    possible = [
        20 * sum(n * gain for n, gain in zip(steps, gains, strict=True)) for gains in product((0.01, 0.03), repeat=3)
    ]
    assert all(min(abs(value - p) for p in possible) < 1e-4 for value in anew.tolist())
    assert len(set(anew.round(decimals=4).tolist())) >= 6
    assert float(anew.mean()) == pytest.approx(2.4)  # at every step each member has its share of the candidates


def test_ts1_of_members_that_agree_is_what_each_of_them_says():
    _, p = problem(Pushed(0.02, 0.02, 0.02), "ts1", samples=30)
    plans = torch.linspace(-1, 1, 30)[:, None, None].expand(-1, HORIZON, 1)
    torch.testing.assert_close(p.score(plans), 2.4 * plans[:, 0, 0])


class Squared(Forward):
    """Far out is worth more than in proportion: who meets the kind member at each step gains most."""

    def reward(self, state, command):
        return state[..., 0].square()


def squared(name, samples=20):
    situation = Situation.empty(5, 0, 1, HORIZON)
    return make_problem(situation, TWO, Squared(), JointMap(CARTPOLE), FREE, name, 0.5, samples)


def test_a_mean_of_ts1_is_the_same_luck_for_all_candidates_and_wider_than_one_member_and_narrower_than_each():
    plans = constant(*[1.0] * 10)
    kept, mixed = (squared(name).score(plans) for name in ("expectation", "ts1_mean"))
    assert squared("ts1_mean").candidates == 10 and squared("ts1").candidates == 20
    assert float(mixed.std()) < 1e-5
    sequences = list(product((0.2, 0.6), repeat=3))  # what one step adds, by member
    worths = [a**2 + (a + b) ** 2 + (a + b + c) ** 2 for a, b, c in sequences]
    means = [
        (worths[i] + worths[-1 - i]) / 2 for i in range(4)
    ]  # two particles, of which each has what the other has not
    assert min(abs(float(mixed[0]) - mean) for mean in means) < 1e-5
    assert float(kept[0]) == pytest.approx(max(means))


@pytest.mark.parametrize("name", TREATMENTS)
def test_every_treatment_leaves_a_value_and_a_tree_to_step(name):
    situation, p = problem(TWO, name, samples=20, start=0.5)
    states, rewards = p.step(p.root.expand(4, 2, 5), constant(1.0, 0.5, 0.0, -1.0))
    assert states.shape == (4, HORIZON, 2, 5) and rewards.shape == (4, HORIZON, 2)
    torch.testing.assert_close(states[0, :, :, 0], torch.tensor([[0.7, 1.1], [0.9, 1.7], [1.1, 2.3]]))
    if name != "ts1_mean":  # whose value meets members drawn anew at each step
        torch.testing.assert_close(p.treated(rewards.sum(1)), p.value(constant(1.0, 0.5, 0.0, -1.0)))
    assert torch.isfinite(p.score(torch.zeros(p.candidates, HORIZON, 1))).all()


# Bounds of the state


class Fenced(Forward):
    goal = "there"

    def violation(self, state):
        return torch.relu(state[..., 0] - 1.0)


def test_leaving_the_bounds_of_the_state_costs_its_length_times_the_weight():
    situation = Situation.empty(5, 0, 1, HORIZON)
    situation.state[0] = 0.5
    posed = make_problem(situation, Pushed(0.01), Fenced(), JointMap(CARTPOLE), FREE, "expectation", 1.0, 20)
    path = 0.7 + 0.9 + 1.1
    for weight in (0.0, 2.0, 50.0):
        situation.strictness.fill_(weight)
        assert posed.score(constant(1.0)).tolist() == pytest.approx([path - weight * 0.1], rel=1e-4)
        _, rewards = posed.step(posed.root[None], constant(1.0))
        assert float(rewards.sum()) == pytest.approx(path - weight * 0.1, rel=1e-4)


def test_the_weight_grows_while_bounds_are_left_and_decays_afterwards():
    weight = BoundWeight(BoundsConfig(least=1.0, most=5.0, growth=2.0, decay=0.5))
    seen = []
    for executed, planned in [(0.1, 0.0), (0.0, 0.2), (0.3, 0.3), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)]:
        weight.note(executed, planned)
        seen.append(weight.weight)
    assert seen == [2.0, 4.0, 5.0, 2.5, 1.25, 1.0]


def test_an_agent_hardens_while_its_state_is_out_of_bounds_and_lets_go_again():
    agent, _ = cart_agent(mppi=CARTPOLE_CONFIG.mppi)
    agent.task.violation = lambda state: torch.relu(state[..., 0] - 1.0)
    agent.set_samples(20)
    for k in range(5):
        agent.act(cart(k, x=1.5), NONE)
    hard = agent.search.bounds.weight
    assert hard == pytest.approx(agent.config.bounds.growth**5)
    for k in range(5, 10):
        agent.act(cart(k, x=0.0), NONE)
    assert 1.0 <= agent.search.bounds.weight < hard
    assert float(agent.search.situation.strictness) > 1.0
