"""How a rung of the ladder learns: fits at the same times for every kind, and a planner from outside on our model."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, linear_run, quick_config, transition

from mbrl_ros.bench.ladder_budgets import Budget
from mbrl_ros.bench.ladder_models import HEADINGS, Refits
from mbrl_ros.planners.problem import NoPlan, PlanResult, Problem
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run

BUDGET = Budget("cartpole_mpc", seconds=8.0, judged=1.0, fits=4, steps=150, batch=32)


def refits(name="l2", **changes):
    return Refits(CARTPOLE, name, quick_config(), replace(BUDGET, **changes), seed=0)


def fitted(learner):
    losses = list(learner.train())
    return losses, learner.judge(float(np.mean(losses)))


@pytest.mark.parametrize("name", ["l2", "diffusion"])
def test_fits_come_with_even_shares_of_the_data_and_the_last_one_when_it_is_all_there(name):
    learner, when = refits(name, steps=2), []
    for k, step in enumerate(linear_run(200)):
        learner.add(step)
        if learner.due():
            fitted(learner)
            when.append(k + 1)
    assert when == [50, 100, 150]
    assert fitted(learner)[1].promoted and learner.version == 4


def test_each_fit_is_of_a_new_model_in_the_units_of_all_that_was_seen():
    learner = refits()
    for step in linear_run(100):
        learner.add(step)
    first, _ = fitted(learner)
    before = learner.incumbent
    assert np.mean(first[-10:]) < 0.5 * np.mean(first[:10]) and learner.fit_seconds > 0
    for step in linear_run(200)[100:]:
        learner.add(step)
    fitted(learner)
    states = learner.buffer.everything()[0]
    units = learner.incumbent.normaliser.state_mean
    assert not torch.equal(units, before.normaliser.state_mean)
    np.testing.assert_allclose(units, states.mean(0), atol=0.2 * states.std(0).max())
    assert not torch.equal(before.parameters[0], learner.incumbent.parameters[0])


def test_windows_of_a_planar_base_are_turned_where_the_run_says_so():
    run = load_run("rover_mpc")
    spec = load_robot(run.planner.robot)
    learner = Refits(spec, "l2", run.learner, replace(BUDGET, steps=2), seed=0)
    for k in range(30):
        state = np.zeros(learner.layout.size, np.float32)
        state[learner.layout.heading] = (1.0, 0.0)
        learner.add(transition(k, state, [k % 6], state, spec))
    states, actions = learner._windows()
    headings = states[:, 0, learner.layout.heading]
    assert len(states) == len(actions) and len(np.unique(headings.round(3), axis=0)) > HEADINGS
    np.testing.assert_allclose(np.linalg.norm(headings, axis=1), 1.0, atol=1e-5)


def test_a_model_that_is_not_finite_is_not_flown_and_not_learned_on_from():
    learner = refits(steps=2)
    for step in linear_run(100):
        learner.add(step)
    list(learner.train())
    with torch.no_grad():
        learner._newest.parameters[0].fill_(float("nan"))
    assert not learner.judge(0.0).promoted and learner.incumbent is None
    assert fitted(learner)[1].promoted and learner.incumbent is not None


def test_without_any_data_nothing_is_fitted():
    learner = refits()
    assert list(learner.train()) == [] and learner.incumbent is None


def test_pytorch_mppi_plans_on_our_problem_within_its_bounds():
    pytest.importorskip("pytorch_mppi")
    from mbrl_ros.bench.ladder_peer import Peer

    goal, horizon = 0.6, 12

    def step(states, decisions):
        """Two particles of a point that goes where it is told."""
        after = states[:, None] + 0.3 * decisions[:, :, None]
        return after, -(after[..., 0] - goal).square()

    def returns(decisions):
        return -((0.3 * decisions.cumsum(1) - goal).square()).sum((1, 2))

    bounds, start = torch.tensor([[-0.5], [0.5]]), torch.zeros(horizon, 1)
    problem = Problem(returns, bounds, torch.full((1,), 0.5), start, 200, root=torch.zeros(2, 1), step=step)

    class Found:
        pass

    search = Found()
    search.problem = problem
    torch.manual_seed(0)
    plan, peer = start, Peer(search)
    for _ in range(5):
        found = peer.find(plan, torch.Generator())
        assert isinstance(found, PlanResult) and found.non_finite == 0
        plan = found.actions
    assert (plan >= bounds[0]).all() and (plan <= bounds[1]).all()
    assert returns(plan[None]) > 0.5 * returns(start[None])
    assert found.best == pytest.approx(float(returns(plan[None])), abs=1.0)
    search.problem = replace(problem, step=lambda s, d: (s[:, None], torch.full((len(d), 1, 2), torch.nan)))
    assert isinstance(peer.find(plan, torch.Generator()), NoPlan)


def test_torchrl_plans_on_our_problem_within_its_bounds():
    pytest.importorskip("torchrl")
    from mbrl_ros.bench.ladder_torchrl import Peer

    def step(states, decisions):
        """Two particles of a point that goes where it is told, and should go to 0.6."""
        after = states[:, None] + 0.3 * decisions[:, :, None]
        return after, -(after[..., 0] - 0.6).square()

    bounds, search = torch.tensor([[-0.5], [0.5]]), SimpleNamespace()
    search.problem = Problem(
        len, bounds, torch.full((1,), 0.5), torch.zeros(5, 1), 200, root=torch.zeros(2, 1), step=step
    )
    peer, generator = Peer(search), torch.Generator()
    torch.manual_seed(0)
    with torch.inference_mode():
        found = peer.find(torch.zeros(5, 1), generator)
        assert found.actions.shape == (5, 1) and 0.35 < float(found.actions[0, 0]) <= 0.5
        search.problem = replace(search.problem, step=lambda s, d: (s[:, None], torch.full((len(d), 1, 2), torch.nan)))
        assert isinstance(peer.find(torch.zeros(5, 1), generator), NoPlan)
