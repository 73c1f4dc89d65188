"""V is what it is worth to be somewhere: TD(lambda) on rollouts, as the formula in its module says."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from distilling_driver import FREE, LAYOUT, LITTLE, PLANNER, STILL, TASK, finished, policy, staying

from mbrl_ros.distilling.imagined import Imagined
from mbrl_ros.distilling.valuing import Valuer
from mbrl_ros.learner_settings import ValueConfig
from mbrl_ros.policies.network import seen_from
from mbrl_ros.settings import CostConfig

# Of two robots, three steps each; the second one is lost in the second step. V is what stands first in what is seen.
SEEN = [[-99.0, -99.0], [10.0, 1.0], [20.0, 2.0], [30.0, 3.0]]  # the first was on the way to where plans end
LAST = [40.0, 4.0]
COUNTED = [[-99.0, -99.0], [1.0, 1.0], [2.0, -8.0], [4.0, 3.0]]
LOST = [[False, False], [False, False], [False, True], [False, False]]


@pytest.mark.parametrize(
    ("trace", "first", "second", "third"),
    (
        (0.0, [1 + 0.5 * 20, 1 + 0.5 * 2], [2 + 0.5 * 30, -16.0], [4 + 0.5 * 40, 3 + 0.5 * 4]),
        (1.0, [8.0, -7.0], [14.0, -16.0], [24.0, 5.0]),
        (0.5, [9.875, -2.5], [15.5, -16.0], [24.0, 5.0]),
    ),
)
def test_returns_are_those_of_the_formula(trace, first, second, third):
    config, mppi = ValueConfig(discount=0.5, trace=trace), replace(PLANNER.mppi, horizon=1)
    ours = Valuer(policy(), staying(STILL), config, mppi, FREE, seed=0)
    ours.value = SimpleNamespace(worth=lambda seen: seen[:, 0])
    seen = [torch.tensor(values)[:, None] for values in SEEN]
    last = SimpleNamespace(states=torch.tensor(LAST)[:, None], commands=torch.zeros(2, 0), phases=torch.zeros(2))
    found = ours._returns(seen, list(torch.tensor(COUNTED)), list(torch.tensor(LOST)), last)
    assert found.seen[:, 0].tolist() == [*SEEN[3], *SEEN[2], *SEEN[1]]
    assert found.earned.tolist() == pytest.approx([*third, *second, *first])


def test_returns_are_taken_from_where_the_noise_of_plans_has_led():
    class Watched(Imagined):
        """Knows how far from the prior it was told to go, when nobody disturbed it."""

        off = ()

        def step(self, robots, decisions, disturbed=True):
            if not disturbed:
                self.off += ((decisions - robots.priors).abs().mean().item(),)
            return super().step(robots, decisions, disturbed)

    imagined = staying(STILL)
    imagined.__class__ = Watched
    ours = Valuer(policy(), imagined, replace(LITTLE, robots=50), PLANNER.mppi, FREE, seed=0)
    rollouts = ours._rollouts(policy(), 0.0)
    assert next(rollouts) == 0.0 and not imagined.off, "a step at a time, from the first one on"
    found = finished(rollouts)
    horizon = PLANNER.mppi.horizon
    assert len(imagined.off) == horizon + LITTLE.steps and len(found.earned) == 50 * LITTLE.steps
    assert min(imagined.off[:horizon]) > 3 * max(imagined.off[horizon:])


def test_a_state_in_which_one_stays_is_worth_its_reward_for_ever():
    starts = STILL.repeat(20, 1)
    starts[:, LAYOUT.linear_velocity.start] = torch.linspace(-0.3, 0.8, len(starts))
    imagined = staying(starts)
    config = ValueConfig(discount=0.8, robots=50, steps=10, batches=60, updates=60)
    ours = Valuer(policy(), imagined, config, PLANNER.mppi, FREE, seed=0)
    list(ours.learn(policy()))
    assert ours.off < 0.3
    robots = imagined.robots(50)
    commands = torch.zeros(50, 3)
    with torch.no_grad():
        found = ours.value.worth(seen_from(robots.states, commands, robots.phases))
    wanted = TASK.reward(robots.states, commands.T) / (1 - 0.8)
    assert (found - wanted).abs().median() < 0.4 * (wanted - wanted.median()).abs().median()


def test_who_is_lost_stays_lost_and_earns_for_ever_what_he_earned_by_it():
    lost = STILL.clone()
    lost[:, LAYOUT.height.start] = 0.05
    ours = Valuer(policy(), staying(lost), ValueConfig(robots=5, steps=3, discount=0.9), PLANNER.mppi, FREE, seed=0)
    found = finished(ours._rollouts(policy(), 0.0))
    assert found.seen.shape == (15, LAYOUT.size + 5)
    reward = TASK.reward(lost[:1], torch.zeros(3, 1))
    assert found.earned.max() <= 10 * float(reward) + 1.0  # and what the command is missed by


def test_what_decisions_cost_is_taken_off():
    wild = policy()
    wild.weights[-1].mul_(100.0)

    def costing(cost):
        return Valuer(wild, staying(STILL), replace(LITTLE, robots=50), PLANNER.mppi, cost, seed=0)

    dear, free = CostConfig(smoothness=5.0, prior=5.0), FREE
    earned = [finished(costing(cost)._rollouts(wild, 0.0)).earned for cost in (dear, free)]
    assert earned[0].mean() < earned[1].mean() - 1.0
