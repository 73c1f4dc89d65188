"""What every planner must do with a Problem."""

import pytest
import torch

from mbrl_ros.planners.problem import NoPlan, PlanResult, Problem
from mbrl_ros.planners.registry import PLANNERS
from mbrl_ros.settings import MppiConfig, PlannerConfig

HORIZON, SIZE = 8, 3
SEARCHING = sorted(set(PLANNERS) - {"prior"})  # `prior` plans nothing, by design


def config(name):
    """The settings that belong to a planner: its own section where it has one."""
    settings = PlannerConfig(mppi=MppiConfig(horizon=HORIZON))
    return getattr(settings, name, settings.mppi)


def problem(score, prior=0.2, bound=0.7):
    bounds = torch.tensor([[-bound] * SIZE, [bound] * SIZE])
    return Problem(score, bounds, torch.full((SIZE,), 0.3), torch.full((HORIZON, SIZE), prior), 100)


def climb(decisions):
    return -(decisions - 0.5).square().sum((1, 2))


def planned(name, score=climb, seed=0, warm=None):
    warm = torch.zeros(HORIZON, SIZE) if warm is None else warm
    return PLANNERS[name](config(name), problem(score), warm, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", PLANNERS)
def test_a_plan_is_finite_within_bounds_and_of_the_horizon(name):
    found = planned(name, lambda d: d.sum((1, 2)))
    assert isinstance(found, PlanResult)
    assert found.actions.shape == (HORIZON, SIZE)
    assert found.actions.abs().max() <= 0.7 + 1e-6
    assert torch.isfinite(torch.tensor([found.best, found.mean, found.effective])).all()


@pytest.mark.parametrize("name", PLANNERS)
def test_the_same_generator_gives_the_same_plan(name):
    assert torch.equal(planned(name).actions, planned(name).actions)


@pytest.mark.parametrize("name", PLANNERS)
def test_the_plan_is_a_tensor_of_its_own(name):
    """The prior is a buffer that the next tick overwrites, and the warm start belongs to the agent."""
    warm, p = torch.zeros(HORIZON, SIZE), problem(climb)
    found = PLANNERS[name](config(name), p, warm, torch.Generator().manual_seed(0))
    kept = found.actions.clone()
    p.prior.fill_(9.0)
    warm.fill_(9.0)
    assert torch.equal(found.actions, kept)


@pytest.mark.parametrize("name", PLANNERS)
def test_arguments_and_global_randomness_stay_as_they_are(name):
    warm, state = torch.full((HORIZON, SIZE), 0.1), torch.get_rng_state()
    planned(name, warm=warm)
    assert torch.equal(warm, torch.full((HORIZON, SIZE), 0.1))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", SEARCHING)
def test_it_finds_something_better_than_it_was_given(name):
    start = torch.zeros(HORIZON, SIZE)
    assert climb(planned(name).actions[None]) > climb(start[None])


@pytest.mark.parametrize("name", SEARCHING)
def test_planning_again_from_the_plan_converges(name):
    warm = torch.zeros(HORIZON, SIZE)
    for seed in range(30):
        warm = planned(name, seed=seed, warm=warm).actions
    assert (warm - 0.5).abs().mean() < 0.12


@pytest.mark.parametrize("name", SEARCHING)
def test_without_a_finite_score_there_is_no_plan_and_a_reason(name):
    found = planned(name, lambda d: torch.full((len(d),), -torch.inf))
    assert isinstance(found, NoPlan)
    assert found.reason


@pytest.mark.parametrize("name", SEARCHING)
def test_some_scores_that_are_not_finite_are_counted_and_do_no_harm(name):
    def score(decisions):
        returns = climb(decisions)
        returns[len(returns) // 2 :] = -torch.inf
        return returns

    found = planned(name, score)
    assert isinstance(found, PlanResult)
    assert torch.isfinite(found.actions).all()
    assert found.non_finite > 0
