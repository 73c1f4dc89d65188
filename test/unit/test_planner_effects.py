"""What each planner is for, on problems whose dynamics are known: who beats whom, at how many rollouts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from known_problems import Carts, planned

from mbrl_ros.control.plan_memory import PlanMemory
from mbrl_ros.planners.icem import coloured
from mbrl_ros.planners.problem import NoPlan, Problem
from mbrl_ros.planners.sampling import correlated_noise
from mbrl_ros.settings import MppiConfig

SEEDS = range(12)
ROUNDS = 4  # of a quarter of the samples each, for those who refine


def worth(name, candidates, size=4, **settings):
    """(seeds,) of one plan from nothing, and how many rollouts and gradients it took."""
    found, settings = [], settings if name == "icem" else {"knot_steps": 3} | settings
    for seed in SEEDS:
        carts = Carts(size=size, candidates=candidates)
        plan = planned(name, carts.problem, seed, **settings)
        found.append(float(carts.returns(plan.actions[None])))
    return np.array(found), carts.scored, carts.climbed


@pytest.mark.parametrize("name", ["mppi", "cem", "icem"])
def test_a_planner_that_refines_beats_random_shooting_at_equal_samples(name):
    shooting, spent, _ = worth("shooting", 200)
    refined, as_much, _ = worth(name, 200 // ROUNDS, iterations=ROUNDS)
    assert spent == as_much == 200
    assert (refined > shooting).all()


def test_the_gradient_gets_further_than_cem_with_a_fifth_of_the_calls():
    cem, rollouts, _ = worth("cem", 200 // ROUNDS, iterations=ROUNDS)
    climbed, _, gradients = worth("gradient", 1, restarts=1, iterations=20)
    assert gradients <= 0.2 * rollouts
    assert (climbed > cem).all()


def test_hard_shooting_takes_the_best_and_soft_the_mean_of_all():
    """Of scores without any shape the mean is the middle; the best is somewhere else."""
    problem = Carts(size=1, candidates=400).problem
    hard, soft = (
        planned(
            "shooting", replace(problem, score=lambda d: (37 * d.sum((1, 2))).sin()), choice=choice, temperature=10.0
        )
        for choice in ("hard", "soft")
    )
    assert hard.best > 0.99 and hard.effective == 1.0
    assert soft.actions.abs().max() < 0.1 and soft.effective > 300


def test_noise_of_a_colour_has_its_power_where_it_should_and_is_as_strong_at_every_step():
    generator = torch.Generator().manual_seed(0)
    power = {}
    for colour in (0.0, 2.0):
        noise = coloured(32, colour) @ torch.randn(4000, 64, 1, generator=generator)
        torch.testing.assert_close(noise.std(0), torch.ones(32, 1), atol=0.06, rtol=0)
        power[colour] = noise.diff(dim=1).square().mean()
    assert power[0.0] > 1.5 and power[2.0] < 0.2


def test_elites_of_the_plan_before_help_icem_to_go_on():
    """A goal that only one candidate of the last plan had found is not lost."""
    carts = Carts(size=4, candidates=50)
    first = planned("icem", carts.problem, seed=0)
    assert first.others is not None and len(first.others) == 2
    alone, with_others = [], []
    for seed in SEEDS:
        warm = carts.problem.prior
        alone.append(planned("icem", carts.problem, seed, warm=warm).best)
        with_others.append(planned("icem", carts.problem, seed, warm=torch.cat([warm[None], first.others])).best)
    assert np.mean(with_others) > np.mean(alone)
    assert min(with_others) >= float(carts.returns(first.others).max()) - 1e-5


# Starts


def two_hills(decisions, near=-0.3, far=0.7, steep=(30.0, 3.0, 0.3)):
    """(N,) the hill near the prior is lower than the one far away; both are ridges, hard to settle on."""
    steep = torch.tensor(steep)
    hills = [top - (steep * (decisions - at).square()).sum((1, 2)) / 10 for at, top in ((near, 0.0), (far, 3.0))]
    return torch.logsumexp(torch.stack(hills), 0)


def hills(proposal=None):
    def gradient(decisions):
        variable = decisions.clone().requires_grad_()
        values = two_hills(variable)
        return values.detach(), torch.autograd.grad(values.sum(), variable)[0]

    bounds, prior = torch.tensor([[-1.0] * 3, [1.0] * 3]), torch.full((8, 3), -0.3)
    return Problem(two_hills, bounds, torch.full((3,), 0.3), prior, 50, two_hills, gradient, proposal)


def test_proposals_and_polish_together_beat_either_alone_and_the_policy():
    asked = hills(lambda: torch.full((3,), 0.5))  # a policy that knows which hill, and not where its top is
    settings = {"both": (asked, 0.3, 4), "proposals": (asked, 0.3, 0), "polish": (hills(), 0.0, 4)}
    found = {
        name: [
            float(two_hills(planned("mppi", p, seed, proposals=share, polish=steps).actions[None])) for seed in SEEDS
        ]
        for name, (p, share, steps) in settings.items()
    }
    assert min(found["both"]) > max(found["proposals"] + found["polish"])
    assert min(found["both"]) > float(two_hills(torch.full((1, 8, 3), 0.5)))


def test_restarts_find_the_higher_hill_that_one_start_never_sees():
    one = [planned("gradient", hills(), seed, restarts=1).best for seed in SEEDS]
    several = [planned("gradient", hills(), seed, restarts=40, noise=3.0, knot_steps=8).best for seed in SEEDS]
    assert max(one) < 0.5
    assert np.mean(np.array(several) > 2.0) >= 0.75


def test_without_a_gradient_the_gradient_planner_says_so():
    found = planned("gradient", replace(hills(), gradient=None))
    assert isinstance(found, NoPlan) and "gradient" in found.reason


# Again and again


def driven(replan_every, noise, seed, steps=24):
    """What the carts earn on their way, pushed about by chance."""
    random = torch.Generator().manual_seed(seed)
    carts, memory, earned, searches = Carts(horizon=steps, candidates=100), PlanMemory(), 0.0, 0
    for step in range(steps):
        warm = memory.warm(1 if step else 0, carts.problem.prior, tail=0.0)
        if memory.still_followed(1, replan_every):
            result = memory.followed(warm, 1)
        else:
            result, searches = planned("mppi", carts.problem, 100 * seed + step, warm=warm, iterations=3), searches + 1
        memory.keep(result)
        earned += carts.advance(result.actions[0], noise * torch.randn(2, generator=random))
    return earned, searches


def test_open_loop_is_worse_than_planning_again_where_there_is_noise():
    again, once = ([driven(every, 0.15, seed) for seed in SEEDS] for every in (1, 24))
    assert {n for _, n in again} == {24} and {n for _, n in once} == {1}
    lost = np.array([a - o for (a, _), (o, _) in zip(again, once, strict=True)])
    assert (lost > 0).mean() >= 0.9 and lost.mean() > 3.0


def test_a_plan_is_searched_for_anew_every_so_many_steps():
    assert driven(6, 0.0, seed=0)[1] == 4


def test_mppi_and_the_noise_of_others_are_as_before():
    """Its candidates are mean, prior, and the same noise for the same seed."""
    seen = []
    problem = replace(Carts(candidates=10).problem, score=lambda d: seen.append(d.clone()) or d.sum((1, 2)))
    planned("mppi", problem, seed=3)
    noise = correlated_noise(10, 20, 2, MppiConfig().knot_steps, torch.Generator().manual_seed(3)) * problem.noise
    torch.testing.assert_close(seen[0][2:], noise[2:].clamp(*problem.bounds))
