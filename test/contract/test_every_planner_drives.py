"""Every planner in an agent, with every treatment of what the members of an ensemble disagree by."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.kinds import gaussian
from mbrl_ros.known import PLANNERS, the
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import TREATMENTS, PlannerConfig
from mbrl_ros.types import Plan, RobotState

HORIZON = 6
NONE = np.zeros(0)
CARTPOLE, SMALL = load_robot("cartpole"), EnsembleConfig(members=3, width=16)


def agent(planner, **changes):
    config = PlannerConfig(robot="cartpole", task="cartpole", action_map="joint", learning=False, planner=planner)
    small = {"samples": 30, "horizon": HORIZON, "knot_steps": 2, "restarts": 2}
    read = {f.name for f in fields(config.search)}
    section = replace(config.search, **{name: value for name, value in small.items() if name in read})
    made = Agent(CARTPOLE, replace(config, **{config.searching: section}, **changes))
    made.set_model(new_ensemble(SMALL, FeatureLayout(CARTPOLE), 0), 1)
    return made


def cart(k):
    return RobotState(k * CARTPOLE.dt_ns, np.array([0.1 * np.sin(k), 0.3]), np.array([0.2, -0.1]))


@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize("name", PLANNERS)
def test_it_drives(name, treatment):
    driver = agent(name, treatment=treatment)
    driver.warm_up()
    for k in range(3):
        plan = driver.act(cart(k), NONE)
        assert isinstance(plan, Plan), plan
        assert np.isfinite(plan.targets).all()
        assert np.abs(plan.targets).max() <= 20.0  # N, as much as the robot file allows
    assert driver.trace().shape == (3, HORIZON, 5)


@pytest.mark.parametrize("name", ["mppi", "cem", "icem", "shooting", "gradient"])
def test_what_a_model_draws_is_drawn_once_a_plan(name):
    """Whatever is refined, all candidates of one plan have the same luck; those of the next have other."""
    driver = agent(name)
    model = gaussian.new(gaussian.Config(particles=2, width=8), FeatureLayout(CARTPOLE), 0)
    driver.set_model(model, 2)
    driver.configure(replace(driver.config, **{name: replace(driver.config.search, iterations=3)}))
    drawn, rollout = [], gaussian.Gaussian.rollout

    def watched(self, *given):
        drawn.append(self.generator.get_state())
        return rollout(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaussian.Gaussian, "rollout", watched)
        patch.setattr(gaussian.Gaussian, "differentiable_rollout", watched)
        plans = []
        for _ in range(2):
            drawn.clear()
            driver.search.situation.begin(torch.zeros(5), torch.zeros(0), torch.zeros(HORIZON))
            driver.search.plan(1)
            plans.append(list(drawn))
    assert all(len(plan) >= 3 and all(torch.equal(plan[0], other) for other in plan) for plan in plans)
    assert not torch.equal(plans[0][0], plans[1][0])


@pytest.mark.parametrize("name", PLANNERS)
def test_the_same_seed_drives_the_same_way(name):
    one, other = ([agent(name).act(cart(0), NONE).targets for _ in range(2)] for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", sorted(set(PLANNERS) - {"prior"}))
def test_a_plan_is_followed_for_as_many_steps_as_are_asked_for(name, monkeypatch):
    searches, plan = [], the("planner", name).plan
    driver = agent(name, replan_every=3)
    monkeypatch.setattr(the("planner", name), "plan", lambda *given: searches.append(0) or plan(*given))
    plans = [driver.act(cart(k), NONE) for k in range(7)]
    assert len(searches) == 3  # in steps 0, 3 and 6
    np.testing.assert_allclose(plans[1].targets[0], plans[0].targets[1], atol=1e-5)
    driver.forget()
    driver.act(cart(7), NONE)
    assert len(searches) == 4


def test_icem_sees_its_elites_again_moved_on_in_time(monkeypatch):
    given, icem = [], the("planner", "icem")
    plan = icem.plan
    monkeypatch.setattr(icem, "plan", lambda c, p, warm, g: given.append(warm.clone()) or plan(c, p, warm, g))
    driver = agent("icem")
    driver.act(cart(0), NONE)
    kept = driver.last_result.others.clone()
    driver.act(cart(1), NONE)
    assert given[0].shape == (HORIZON, 1) and given[1].shape == (1 + len(kept), HORIZON, 1)
    torch.testing.assert_close(given[1][1:, :-1], kept[:, 1:])
    section = replace(driver.config.icem, horizon=HORIZON + 1)
    driver.configure(replace(driver.config, icem=section))
    assert isinstance(driver.act(cart(2), NONE), Plan)
