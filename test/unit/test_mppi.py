"""MPPI on scores whose best plan is known."""

from dataclasses import replace

import pytest
import torch

from mbrl_ros.planners.mppi import plan
from mbrl_ros.planners.problem import NoPlan, PlanResult, Problem
from mbrl_ros.planners.sampling import correlated_noise
from mbrl_ros.planners.warm import shifted
from mbrl_ros.settings import MppiConfig

HORIZON, SIZE = 10, 2
CONFIG = MppiConfig(samples=200, horizon=HORIZON, knot_steps=3)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def problem(score, candidates=200, prior=0.0, bound=1.0):
    bounds = torch.tensor([[-bound] * SIZE, [bound] * SIZE])
    return Problem(score, bounds, torch.full((SIZE,), 0.35), torch.full((HORIZON, SIZE), prior), candidates)


def towards(goal):
    """Highest where every step of a plan is `goal`."""
    goal = torch.as_tensor(goal)
    return lambda decisions: -(decisions - goal).square().sum((1, 2))


def improved(score, **more):
    """Plans again and again from where the last plan ended up, in small moves."""
    config, warm, generator = MppiConfig(horizon=HORIZON, knot_steps=3, noise=0.3), torch.zeros(HORIZON, SIZE), seeded()
    for _ in range(60):
        warm = plan(config, problem(score, candidates=500, **more), warm, generator).actions
    return warm


def test_few_candidates_leave_room_for_the_mean_and_the_prior_beside_proposals():
    seen = []

    def score(decisions):
        seen.append(decisions.clone())
        return towards(0.0)(decisions)

    asked = replace(problem(score, candidates=3, prior=0.2), proposal=lambda: torch.full((SIZE,), 0.6))
    plan(replace(CONFIG, proposals=0.9), asked, torch.zeros(HORIZON, SIZE), seeded())
    assert seen[0][:, 0, 0].tolist() == pytest.approx([0.0, 0.2, 0.6])


def test_it_finds_the_best_plan_of_a_quadratic_score():
    goal = torch.tensor([0.5, -0.3])
    torch.testing.assert_close(improved(towards(goal)), goal.expand(HORIZON, SIZE), atol=0.06, rtol=0)


def test_it_finds_a_plan_that_changes_along_the_way():
    goal = torch.linspace(-0.5, 0.5, HORIZON)[:, None].expand(HORIZON, SIZE)
    torch.testing.assert_close(improved(towards(goal)), goal, atol=0.08, rtol=0)


def test_more_iterations_in_one_plan_come_nearer():
    goal, warm = torch.tensor([0.8, 0.8]), torch.zeros(HORIZON, SIZE)

    def away(iterations):
        config = MppiConfig(horizon=HORIZON, knot_steps=3, iterations=iterations)
        return (plan(config, problem(towards(goal)), warm, seeded()).actions - goal).norm()

    assert away(8) < 0.5 * away(1)


def test_an_optimum_out_of_bounds_is_sought_at_the_bound():
    found = improved(towards(torch.tensor([3.0, 3.0])), bound=0.4)
    assert found.max() <= 0.4
    assert found.min() > 0.3


def test_all_that_is_scored_lies_within_bounds():
    seen = []

    def score(decisions):
        seen.append(decisions.clone())
        return decisions.sum((1, 2))

    plan(MppiConfig(horizon=HORIZON, noise=10.0), problem(score, bound=0.2), torch.ones(HORIZON, SIZE), seeded())
    assert torch.cat(seen).abs().max() <= 0.2 + 1e-6


def test_the_warm_start_and_the_prior_are_themselves_candidates():
    seen = []

    def score(decisions):
        seen.append(decisions.clone())
        return torch.zeros(len(decisions))

    warm = 0.1 * torch.randn(HORIZON, SIZE, generator=seeded(3))
    plan(CONFIG, problem(score, prior=0.25), warm, seeded())
    assert any(torch.equal(c, warm) for c in seen[0])
    assert any(torch.equal(c, torch.full((HORIZON, SIZE), 0.25)) for c in seen[0])


def test_a_share_of_the_candidates_is_near_what_a_policy_proposes():
    seen = []

    def score(decisions):
        seen.append(decisions.clone())
        return towards(0.6)(decisions)

    asked = replace(problem(score, candidates=100), proposal=lambda: torch.full((SIZE,), 0.6))
    found = plan(replace(CONFIG, proposals=0.3, noise=0.1), asked, torch.zeros(HORIZON, SIZE), seeded())
    means = seen[0].mean((1, 2))
    assert (means[:70].abs() < 0.2).all() and ((means[70:] - 0.6).abs() < 0.2).all()
    torch.testing.assert_close(seen[0][-1], torch.full((HORIZON, SIZE), 0.6))
    torch.testing.assert_close(found.actions, torch.full((HORIZON, SIZE), 0.6), atol=0.1, rtol=0)


def test_a_policy_that_nobody_asks_for_proposals_changes_nothing():
    asked = replace(problem(towards(0.6)), proposal=lambda: torch.full((SIZE,), 0.6))
    one, other = (plan(CONFIG, p, torch.zeros(HORIZON, SIZE), seeded()) for p in (asked, problem(towards(0.6))))
    torch.testing.assert_close(one.actions, other.actions)


def test_a_prior_far_better_than_every_guess_is_followed():
    found = plan(
        CONFIG, problem(towards(torch.tensor([0.9, 0.9])), prior=0.9), torch.full((HORIZON, SIZE), -0.9), seeded()
    )
    torch.testing.assert_close(found.actions, torch.full((HORIZON, SIZE), 0.9), atol=0.01, rtol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("-inf"), float("inf")])
def test_a_score_that_is_not_finite_never_wins_and_is_counted(bad):
    good = towards(torch.tensor([0.5, 0.5]))

    def score(decisions):
        returns = good(decisions)
        returns[2:52] = bad
        return returns

    found = plan(CONFIG, problem(score), torch.zeros(HORIZON, SIZE), seeded())
    assert found.non_finite == 50
    assert torch.isfinite(found.actions).all()
    assert torch.isfinite(torch.tensor([found.best, found.mean, found.effective])).all()

    def score_of_the_rest(decisions):
        returns = good(decisions)
        returns[2:52] = -1e9
        return returns

    assert found.best == plan(CONFIG, problem(score_of_the_rest), torch.zeros(HORIZON, SIZE), seeded()).best


def test_one_finite_score_among_all_is_the_plan():
    def score(decisions):
        returns = torch.full((len(decisions),), -torch.inf)
        returns[0] = -5.0
        return returns

    warm = torch.full((HORIZON, SIZE), 0.3)
    found = plan(CONFIG, problem(score), warm, seeded())
    torch.testing.assert_close(found.actions, warm)
    assert (found.best, found.mean, found.non_finite) == (-5.0, -5.0, 199)
    assert found.effective == pytest.approx(1.0)


def test_without_any_finite_score_there_is_no_plan():
    found = plan(CONFIG, problem(lambda d: torch.full((len(d),), torch.nan)), torch.zeros(HORIZON, SIZE), seeded())
    assert found == NoPlan("no candidate has a finite score")


def test_scores_that_are_all_the_same_weigh_all_alike():
    found = plan(CONFIG, problem(lambda d: torch.zeros(len(d))), torch.zeros(HORIZON, SIZE), seeded())
    assert isinstance(found, PlanResult)
    assert found.effective == pytest.approx(200, rel=1e-4)
    assert found.actions.abs().max() < 0.2


def test_a_constant_added_to_every_score_and_a_scale_change_nothing():
    good, warm = towards(torch.tensor([0.5, 0.5])), torch.zeros(HORIZON, SIZE)
    plain = plan(CONFIG, problem(good), warm, seeded()).actions
    moved = plan(CONFIG, problem(lambda d: 50 * good(d) + 300), warm, seeded()).actions
    torch.testing.assert_close(moved, plain, atol=1e-3, rtol=0)


def test_the_same_generator_gives_the_same_plan_and_another_another():
    score, warm = towards(torch.tensor([0.5, 0.5])), torch.zeros(HORIZON, SIZE)
    one, again, other = (plan(CONFIG, problem(score), warm, seeded(s)).actions for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_planning_leaves_the_warm_start_and_the_global_randomness_alone():
    warm, state = torch.zeros(HORIZON, SIZE), torch.get_rng_state()
    plan(CONFIG, problem(towards(torch.tensor([0.5, 0.5]))), warm, seeded())
    assert not warm.any()
    assert torch.equal(torch.get_rng_state(), state)


def test_noise_is_linear_between_its_knots():
    noise = correlated_noise(500, 10, 1, 3, seeded())[..., 0]
    torch.testing.assert_close(noise[:, 1], (2 * noise[:, 0] + noise[:, 3]) / 3)
    torch.testing.assert_close(noise[:, 7], (2 * noise[:, 6] + noise[:, 9]) / 3)
    torch.testing.assert_close(noise[:, [0, 3, 6, 9]].std(0), torch.ones(4), atol=0.1, rtol=0)


def test_a_knot_every_step_is_white_noise_and_one_knot_interval_may_exceed_the_horizon():
    assert correlated_noise(2, 10, 3, 1, seeded()).shape == (2, 10, 3)
    ramp = correlated_noise(2, 4, 3, 100, seeded())
    torch.testing.assert_close(ramp[:, 2] - ramp[:, 1], ramp[:, 1] - ramp[:, 0])


def test_a_plan_shifted_by_two_steps_begins_with_its_third():
    actions = torch.arange(5.0)[:, None]
    later = shifted(actions, 2, torch.full((5, 1), 10.0), tail=1.0)
    assert later[:, 0].tolist() == [2.0, 3.0, 4.0, 4.0, 4.0]


def test_the_new_end_of_a_shifted_plan_is_between_its_last_step_and_the_prior():
    actions, prior = torch.arange(5.0)[:, None], torch.full((5, 1), 10.0)
    assert shifted(actions, 1, prior, tail=0.0)[-1].item() == 10.0
    assert shifted(actions, 1, prior, tail=0.25)[-1].item() == pytest.approx(0.25 * 4 + 0.75 * 10)


def test_a_plan_shifted_past_its_end_is_its_end():
    later = shifted(torch.arange(5.0)[:, None], 9, torch.zeros(5, 1), tail=1.0)
    assert later[:, 0].tolist() == [4.0] * 5
