"""What every planner must do with a Problem."""

from dataclasses import fields, replace

import pytest
import torch

from mbrl_ros.known import PLANNERS, the
from mbrl_ros.planners.problem import NoPlan, PlanResult, Problem
from mbrl_ros.search_settings import MppiConfig, SearchConfig
from mbrl_ros.settings import PlannerConfig

HORIZON, SIZE = 8, 3
SEARCHING = sorted(set(PLANNERS) - {"prior"})  # `prior` plans nothing, by design
NEAR = {"shooting": 0.25, "mcts": 0.45}  # the best guess; 27 choices a step, the best 0.2 away, for 100 simulations


def config(name):
    """The section of a planner."""
    return replace(PlannerConfig(planner=name).search, horizon=HORIZON)


def problem(score, prior=0.2, bound=0.7):
    """A problem as complete as one can be. What a step is worth, is worth as much wherever it stands."""

    def value_and_slope(decisions):
        variable = decisions.clone().requires_grad_()
        with torch.enable_grad():
            values = score(variable)
            return values.detach(), torch.autograd.grad(values.sum(), variable, allow_unused=True)[0]

    def step(states, decisions):
        alone = decisions.flatten(0, 1)[:, None]
        rewards = score(alone).view(*decisions.shape[:2], 1).expand(-1, -1, states.shape[1])
        return states[:, None].expand(-1, decisions.shape[1], -1, -1), rewards

    bounds, noise = torch.tensor([[-bound] * SIZE, [bound] * SIZE]), torch.full((SIZE,), 0.3)
    return Problem(
        score, bounds, noise, torch.full((HORIZON, SIZE), prior), 100, value=score, gradient=value_and_slope,
        root=torch.zeros(2, 4), step=step,
    )  # fmt: skip


def climb(decisions):
    return -(decisions - 0.5).square().sum((1, 2))


def hopeless(decisions):
    return decisions.sum((1, 2)) * 0.0 - torch.inf


def planned(name, score=climb, seed=0, warm=None):
    warm = torch.zeros(HORIZON, SIZE) if warm is None else warm
    return the("planner", name).plan(config(name), problem(score), warm, torch.Generator().manual_seed(seed))


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
    found = the("planner", name).plan(config(name), p, warm, torch.Generator().manual_seed(0))
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
    assert (warm - 0.5).abs().mean() < NEAR.get(name, 0.12)


@pytest.mark.parametrize("name", SEARCHING)
def test_without_a_finite_score_there_is_no_plan_and_a_reason(name):
    found = planned(name, hopeless)
    assert isinstance(found, NoPlan)
    assert found.reason


@pytest.mark.parametrize("name", SEARCHING)
def test_some_scores_that_are_not_finite_are_counted_and_do_no_harm(name):
    """Whoever begins low is lost, and so is the plan before."""

    def score(decisions):
        return torch.where(decisions[:, 0, 0] < -0.05, torch.nan, climb(decisions))

    found = planned(name, score, warm=torch.full((HORIZON, SIZE), -0.3))
    assert isinstance(found, PlanResult)
    assert found.actions[0, 0] >= -0.05
    assert found.non_finite > 0


@pytest.mark.parametrize("name", PLANNERS)
def test_whatever_the_problem_is_no_decision_is_out_of_bounds_or_not_finite(name):
    """Boxes, curvatures, priors, warm starts and gaps at random; bounds hold to the last bit."""
    generator = torch.Generator().manual_seed(5)
    planner, plans = the("planner", name), 0
    for seed in range(25):
        low = -torch.rand(SIZE, generator=generator) * 10.0 ** (seed % 5 - 2)
        high = low.abs() * torch.rand(SIZE, generator=generator)
        goal = 30 * torch.randn(SIZE, generator=generator) * high
        steep, gap = 10.0 ** torch.randint(-4, 9, (1,), generator=generator), seed % 3 == 0

        def score(d, goal=goal, steep=steep, gap=gap):
            returns = -steep * (d - goal).square().sum((1, 2))
            return torch.where(d[:, 0, 1] > 0.3 * goal[1].abs(), torch.nan, returns) if gap else returns

        posed = replace(
            problem(score),
            bounds=torch.stack([low, high]),
            noise=3 * high,
            prior=5 * torch.randn(HORIZON, SIZE, generator=generator) * high,
            proposal=lambda high=high: 9 * high,
        )
        warm = 5 * torch.randn(HORIZON, SIZE, generator=generator) * high
        section = config(name)
        asked = replace(section, proposals=True if isinstance(section.proposals, bool) else 0.2)
        found = planner.plan(asked, posed, warm, generator)
        if isinstance(found, PlanResult):
            plans += 1
            assert torch.isfinite(found.actions).all()
            assert (found.actions >= low).all() and (found.actions <= high).all()
    assert plans > 12


@pytest.mark.parametrize("name", SEARCHING)
def test_what_is_asked_for_is_within_bounds_before_it_is_clamped_to_them(name):
    """But for rounding: candidates are kept in the box before they are scored, not the plan after."""
    found = planned(name, lambda d: 100 * d.sum((1, 2)), warm=torch.full((HORIZON, SIZE), 0.7))
    assert found.beyond < 1e-6


def test_what_was_out_of_bounds_is_said():
    """A prior is nobody's search, and this one lies beyond them."""
    posed = replace(problem(climb), prior=torch.full((HORIZON, SIZE), 0.9))
    found = the("planner", "prior").plan(config("prior"), posed, posed.prior, torch.Generator())
    assert found.beyond == pytest.approx(0.2)


@pytest.mark.parametrize("name", PLANNERS)
def test_a_warm_start_with_other_plans_behind_it_is_as_good_as_one_without(name):
    """They come from another planner, before a switch in mid run."""
    found = planned(name, warm=torch.zeros(4, HORIZON, SIZE))
    assert found.actions.shape == (HORIZON, SIZE)


def test_every_section_of_a_search_is_that_of_a_planner():
    sections = {f.name for f in fields(PlannerConfig) if isinstance(getattr(PlannerConfig(), f.name), SearchConfig)}
    assert sections <= set(SEARCHING)


class Read:
    """A section that notes what is read of it."""

    def __init__(self, section):
        self.section, self.names = section, set()

    def __getattr__(self, name):
        self.names.add(name)
        return getattr(self.section, name)


@pytest.mark.parametrize("name", [name for name in SEARCHING if hasattr(PlannerConfig(), name)])
def test_a_section_has_no_setting_that_its_planner_does_not_read(name):
    """Nor one that does nothing: what is not read in a plan, is read by who asks for it (search, agent, node)."""
    usual, asked_for = config(name), {"samples", "anytime", "budget", "horizon", "terminal_value", "tail"}
    shares = {"proposals": True if isinstance(usual.proposals, bool) else 0.2}
    choices = [{f.name: c} for f in fields(usual) for c in f.metadata["choices"] or ()]
    posed, read = replace(problem(climb), proposal=lambda: torch.zeros(SIZE)), set()
    for changes in (*choices, shares, {}):
        section = Read(replace(usual, **(shares | changes)))
        the("planner", name).plan(section, posed, torch.zeros(HORIZON, SIZE), torch.Generator().manual_seed(0))
        read |= section.names
    assert {f.name for f in fields(usual)} - asked_for <= read


def test_a_planner_without_a_section_reads_that_of_mppi():
    chosen = PlannerConfig(planner="prior", mppi=MppiConfig(horizon=7))
    assert chosen.search.horizon == 7
