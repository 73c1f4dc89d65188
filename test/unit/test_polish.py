"""Climbing the gradient of a plan's value, on values whose best plan is known."""

from dataclasses import replace

import pytest
import torch

from mbrl_ros.planners.polish import polished
from mbrl_ros.planners.problem import Problem
from mbrl_ros.settings import MppiConfig

HORIZON, SIZE = 10, 3
STEEP = torch.tensor([30.0, 3.0, 0.3])  # curvatures: a valley, in which the plain gradient goes to and fro


def config(steps):
    return MppiConfig(horizon=HORIZON, knot_steps=3, polish=steps)


def valley(goal, bound=1.0):
    """Highest where every step is `goal`, falling off steeply in one direction and hardly in another."""
    goal = torch.as_tensor(goal)

    def value(decisions):
        return -(STEEP * (decisions - goal).square()).sum((1, 2))

    def gradient(decisions):
        return value(decisions), -2 * STEEP * (decisions - goal)

    bounds = torch.tensor([[-bound] * SIZE, [bound] * SIZE])
    noise = torch.full((SIZE,), 0.35)
    return Problem(value, bounds, noise, torch.zeros(HORIZON, SIZE), 2, value, gradient)


def climbed(problem, steps, start=0.0):
    return polished(config(steps), problem, torch.full((1, HORIZON, SIZE), start))


def test_every_step_climbs_and_many_arrive():
    problem = valley([0.3, -0.4, 0.5])
    values = [float(problem.value(climbed(problem, steps)[None])) for steps in (0, 1, 2, 4, 8, 30)]
    assert values == sorted(values)
    assert values[-1] > 0.002 * values[0]


def test_conjugate_directions_arrive_sooner_than_the_steepest(monkeypatch):
    problem = valley([0.3, -0.4, 0.5])
    conjugate = problem.value(climbed(problem, 6)[None])
    monkeypatch.setattr("mbrl_ros.planners.polish.turn", lambda slope, before: 0.0)
    assert conjugate > 0.7 * problem.value(climbed(problem, 6)[None])  # values are negative: less is farther


def test_it_climbs_from_the_best_of_what_it_is_given():
    problem = valley([0.3, 0.3, 0.3])
    starts = torch.stack([torch.full((HORIZON, SIZE), x) for x in (-0.9, 0.29, 0.9)])
    best = polished(config(1), problem, starts)
    assert problem.value(best[None]) >= problem.value(starts).max()


def test_bounds_hold():
    assert climbed(valley([3.0, 3.0, 3.0], bound=0.5), 20).max() <= 0.5


def test_at_the_top_it_stays():
    top = torch.full((HORIZON, SIZE), 0.25)
    assert torch.equal(climbed(valley([0.25] * SIZE), 3, start=0.25), top)


def test_without_a_gradient_the_plan_is_left_alone():
    problem = replace(valley([0.5] * SIZE), gradient=None)
    starts = torch.rand(2, HORIZON, SIZE)
    assert torch.equal(polished(config(5), problem, starts), starts[0])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e30])
def test_a_gradient_without_bounds_leaves_a_finite_plan(bad):
    problem = replace(valley([0.5] * SIZE), gradient=lambda d: (torch.zeros(len(d)), torch.full_like(d, bad)))
    assert torch.isfinite(climbed(problem, 5)).all()
    if bad != 1e30:
        assert torch.equal(climbed(problem, 5), torch.zeros(HORIZON, SIZE))
