"""From a state to a plan: what is promised, what is remembered, and what an agent does when it knows nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gate_driver import standing
from learning_driver import CARTPOLE, GO1, SMALL

from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.planners import mppi
from mbrl_ros.planners.problem import NoPlan, PlanResult
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.settings import ExploreConfig, MppiConfig, PlannerConfig
from mbrl_ros.types import Action, Plan, RobotState

DT = CARTPOLE.dt_ns
NONE = np.zeros(0)
WALK = np.array([0.3, 0.0, 0.0])
CARTPOLE_CONFIG = PlannerConfig(
    robot="cartpole", task="cartpole", action_map="joint", learning=False, filter=False,
    mppi=MppiConfig(samples=20, horizon=8, knot_steps=2),
)  # fmt: skip
PRIOR_GAIT = PlannerConfig(planner="prior", learning=False, acceleration_limit=100.0)  # commands at once


class Rail:
    """The push moves the cart by a hundredth: x' = x + u / 100. Remembers from where it was asked to plan."""

    members = 1

    def __init__(self, broken=False):
        self.broken, self.planned_from = broken, []

    def rollout(self, states, actions):
        if actions.shape[1] > 1:
            self.planned_from.append(states[0, 0].clone().numpy())
        path = states[:, :, None].expand(-1, -1, actions.shape[2], -1).clone()
        path[..., 0] += actions[..., 0].cumsum(2) / 100
        return path * float("nan") if self.broken else path


def cart(k: float, x=0.0) -> RobotState:
    return RobotState(round(k * DT), np.array([x, 0.3]), np.zeros(2))


def cart_agent(model=None, **changes) -> tuple[Agent, Rail]:
    agent = Agent(CARTPOLE, replace(CARTPOLE_CONFIG, **changes))
    model = model or Rail()
    agent.set_model(model, 4)
    return agent, model


def act(agent, k, x=0.0) -> Plan:
    found = agent.act(cart(k, x), NONE)
    assert isinstance(found, Plan)
    return found


# When a plan holds


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_a_plan_begins_after_the_delay_and_reaches_at_least_80_ms(delay):
    agent, _ = cart_agent(delay=delay)
    plan = act(agent, 7)
    assert plan.stamp_ns == 7 * DT
    assert plan.offsets_ns == tuple((delay + i) * DT for i in range(2))
    assert plan.targets.shape == (2, 1)
    assert Agent(GO1, PRIOR_GAIT).act(standing(0, GO1), WALK).targets.shape == (4, 12)


def test_a_plan_says_which_model_made_it_and_counts_up():
    agent, _ = cart_agent()
    assert [(p.sequence, p.model) for p in (act(agent, k) for k in range(3))] == [(0, 4), (1, 4), (2, 4)]
    agent.set_model(new_ensemble(SMALL, FeatureLayout(CARTPOLE), 0), 9)
    assert act(agent, 3).model == 9


def test_without_delay_it_plans_from_the_state_itself():
    agent, model = cart_agent(delay=0)
    for k in range(3):
        act(agent, k, x=0.1 * k)
        assert model.planned_from[-1][0] == pytest.approx(0.1 * k)


def test_it_plans_from_where_the_promised_target_will_have_brought_it():
    agent, model = cart_agent()
    first = act(agent, 0)
    assert model.planned_from[-1][0] == 0.0  # nothing was promised for step 0: zero effort
    act(agent, 1, x=0.5)
    assert model.planned_from[-1][0] == pytest.approx(0.5 + first.targets[0, 0] / 100)


def test_with_two_steps_of_delay_both_promises_count():
    agent, model = cart_agent(delay=2)
    first, second = act(agent, 0), act(agent, 1)
    act(agent, 2)
    assert model.planned_from[-1][0] == pytest.approx((first.targets[0, 0] + second.targets[0, 0]) / 100)


def test_a_guard_that_follows_no_plan_goes_on_with_its_own_target():
    agent, model = cart_agent()
    act(agent, 0)
    agent.note_applied(0, np.array([7.0]), Action.HOLD)
    act(agent, 1)
    assert model.planned_from[-1][0] == pytest.approx(0.07)


def test_a_guard_that_clips_still_follows_the_plan():
    agent, model = cart_agent()
    first = act(agent, 0)
    agent.note_applied(0, np.array([7.0]), Action.CLIP)
    act(agent, 1)
    assert model.planned_from[-1][0] == pytest.approx(first.targets[0, 0] / 100)


def test_what_is_already_applied_over_this_step_is_no_longer_a_promise():
    agent, model = cart_agent()
    act(agent, 0)
    agent.note_applied(DT, np.array([3.0]), Action.FOLLOW)  # the guard was quicker than this state
    act(agent, 1)
    assert model.planned_from[-1][0] == pytest.approx(0.03)


def test_what_is_sent_late_in_a_step_that_is_one_sample_long_counts_for_that_step():
    agent, model = cart_agent(delay=0, filter=True)
    agent.spec = replace(CARTPOLE, sample_rate=1 / CARTPOLE.dt)
    act(agent, 0, x=0.0)
    agent.note_applied(DT * 6 // 10, np.array([10.0]), Action.FOLLOW)
    act(agent, 1, x=0.1)
    assert model.planned_from[-1][0] == pytest.approx(0.1, abs=1e-6), "as the model expects of the 10"


@pytest.mark.parametrize("latency", [1, 2, 3])
def test_it_plans_from_where_commands_on_their_way_will_have_brought_it(latency):
    agent, model = cart_agent(latency=latency * CARTPOLE.dt)
    commanded = [0.0]  # over step 0 nothing was promised
    for k in range(8):
        commanded.append(act(agent, k, x=0.5).targets[0, 0])
        on_their_way = commanded[max(0, k - latency) : k + 1]  # in force during the next steps, the promised one last
        assert model.planned_from[-1][0] == pytest.approx(0.5 + sum(on_their_way) / 100)


def test_commands_on_their_way_are_what_the_guard_sent_and_not_what_was_planned():
    agent, model = cart_agent(latency=CARTPOLE.dt)
    act(agent, 0)
    agent.note_applied(0, np.array([7.0]), Action.CLIP)
    promised = agent._promises.told(agent._step + 1)[0]
    act(agent, 1)
    assert model.planned_from[-1][0] == pytest.approx(0.07 + promised / 100)


# What is remembered


def test_a_repeated_stamp_gets_the_same_plan():
    agent, model = cart_agent()
    plan = act(agent, 5)
    assert agent.act(cart(5, x=3.0), NONE) is plan
    assert len(model.planned_from) == 1


def test_the_same_seed_gives_the_same_plans_and_another_others():
    def plans(seed):
        agent, _ = cart_agent(seed=seed)
        return np.stack([act(agent, k).targets for k in range(4)])

    np.testing.assert_array_equal(plans(1), plans(1))
    assert not np.array_equal(plans(1), plans(2))


@pytest.mark.parametrize("elapsed", [1, 2, 3])
def test_the_warm_start_is_shifted_by_the_steps_that_passed(elapsed, monkeypatch):
    given, made = [], torch.linspace(0.1, 0.8, 8)[:, None]

    def plan(config, problem, warm, generator):
        given.append(warm.clone())
        return PlanResult(made, 0.0, 0.0, 0, 1.0)

    monkeypatch.setattr(mppi, "plan", plan)
    agent, _ = cart_agent()
    act(agent, 0)
    act(agent, elapsed)
    assert not given[0].any()  # nothing before: the prior
    torch.testing.assert_close(given[1][: 8 - elapsed], made[elapsed:])


@pytest.mark.parametrize("later", [-3, 50])
def test_a_stamp_far_off_drops_the_warm_start_and_the_promises(later, monkeypatch):
    agent, model = cart_agent()
    given, plan = [], mppi.plan
    monkeypatch.setattr(mppi, "plan", lambda c, p, warm, g: given.append(warm) or plan(c, p, warm, g))
    assert act(agent, 10).targets.any()
    act(agent, 10 + later, x=0.5)
    assert model.planned_from[-1][0] == pytest.approx(0.5)  # zero effort is promised, not the old plan
    assert not given[1].any()


def test_after_forgetting_nothing_is_promised():
    agent, model = cart_agent()
    act(agent, 0)
    agent.note_applied(0, np.array([7.0]), Action.HOLD)
    agent.forget()
    act(agent, 1, x=0.5)
    assert model.planned_from[-1][0] == pytest.approx(0.5)


def test_the_estimate_lies_between_what_was_measured_and_what_was_expected():
    agent, model = cart_agent(filter=True, delay=0)
    act(agent, 0, x=0.0)
    agent.note_applied(0, np.array([10.0]), Action.FOLLOW)
    act(agent, 1, x=0.105)  # the model expects 0.1; the sensor's sigma is 0.002
    expected = 0.1 + 0.005 * (0.005**2 - 0.002**2) / 0.005**2
    assert model.planned_from[-1][0] == pytest.approx(expected, rel=1e-4)


def test_live_settings_keep_the_warm_start():
    agent, _ = cart_agent()
    act(agent, 0)
    kept = agent.search.memory.plan.clone()
    agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, samples=40, temperature=0.5)))
    assert torch.equal(agent.search.memory.plan, kept)
    agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, horizon=5)))
    torch.testing.assert_close(agent.search.memory.plan, kept[:5])
    agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, horizon=7)))
    torch.testing.assert_close(agent.search.memory.plan, torch.cat([kept[:5], kept[4:5], kept[4:5]]))
    act(agent, 1)


def test_other_rollouts_a_plan_keep_the_warm_start_until_they_are_configured_anew():
    agent, _ = cart_agent()
    act(agent, 0)
    kept = agent.search.memory.plan.clone()
    agent.set_samples(10)
    assert torch.equal(agent.search.memory.plan, kept) and agent.search._problem.candidates == 10
    agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, temperature=0.5)))
    assert agent.samples == 10
    agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, samples=30)))
    assert agent.samples == agent.search._problem.candidates == 30


def test_rehearsing_changes_no_later_plan():
    agents = [cart_agent()[0] for _ in range(2)]
    for agent in agents:
        act(agent, 0)
    times = agents[0].rehearse(agents[0].samples, times=3)
    assert len(times) == 3 and min(times) > 0
    plans = [act(agent, 1).targets for agent in agents]
    np.testing.assert_array_equal(*plans)


def test_a_model_swap_keeps_the_warm_start():
    agent, _ = cart_agent()
    act(agent, 0)
    kept = agent.search.memory.plan.clone()
    agent.set_model(new_ensemble(SMALL, FeatureLayout(CARTPOLE), 0), 5)
    torch.testing.assert_close(agent.search.memory.plan, kept)
    act(agent, 1)


# Without a plan


def test_a_model_that_says_nothing_finite_gives_no_plan():
    agent, _ = cart_agent(Rail(broken=True))
    refused = agent.act(cart(0), NONE)
    assert refused == agent.last_result == NoPlan("what the model foresees is not finite")


def test_a_state_that_is_not_finite_gives_no_plan():
    agent, _ = cart_agent()
    assert isinstance(agent.act(cart(0, x=np.nan), NONE), NoPlan)
    act(agent, 1)


def test_after_a_tick_without_a_plan_it_goes_on_from_the_plan_before():
    agent, model = cart_agent()
    before = act(agent, 0)  # holds from step 1 to step 2
    model.broken = True
    assert isinstance(agent.act(cart(1), NONE), NoPlan)
    agent.note_applied(DT, before.targets[0], Action.FOLLOW)
    model.broken = False
    plan = act(agent, 2)
    assert model.planned_from[-1][0] == pytest.approx(before.targets[1, 0] / 100)
    assert plan.sequence == before.sequence + 1


# Without a model


def test_without_a_model_it_explores_where_a_learner_runs():
    agent = Agent(CARTPOLE, replace(CARTPOLE_CONFIG, learning=True))
    assert agent.mode == "explore"
    plans = [act(agent, k) for k in range(60)]
    assert all(p.exploring and p.model == 0 for p in plans)
    pushes = np.array([p.targets[0, 0] for p in plans])
    assert pushes.std() > 1.0
    assert np.abs(pushes).max() <= 20.0
    assert np.abs(np.diff(pushes)).max() < 5.0  # correlated: no jumps


def test_what_a_plan_says_of_a_step_while_exploring_the_next_plan_says_too():
    agent = Agent(CARTPOLE, replace(CARTPOLE_CONFIG, learning=True))
    plans = [act(agent, k) for k in range(20)]
    for earlier, later in zip(plans, plans[1:], strict=False):
        np.testing.assert_allclose(later.targets[0], earlier.targets[1], atol=1e-5)


def test_without_a_model_and_without_a_learner_it_stands():
    agent = Agent(GO1, PlannerConfig(learning=False))
    plan = agent.act(standing(0, GO1), WALK)
    assert agent.mode == "stand"
    assert not plan.exploring
    np.testing.assert_array_equal(plan.targets, np.tile(GO1.stance, (4, 1)))


def test_told_to_stand_it_stands_even_with_a_model():
    agent, _ = cart_agent(mode="stand")
    assert not act(agent, 0).targets.any()


def test_with_a_model_a_learner_makes_it_explore_a_little():
    quiet, _ = cart_agent()
    curious, _ = cart_agent(learning=True, explore=ExploreConfig(while_learning=0.5, knot_steps=2))
    assert not act(quiet, 0).exploring
    plans = [(act(quiet, k), act(curious, k)) for k in range(1, 10)]
    assert all(c.exploring for _, c in plans)
    assert max(np.abs(q.targets - c.targets).max() for q, c in plans) > 0.5
    exact, _ = cart_agent(learning=True, explore=ExploreConfig(while_learning=0.0))
    assert not act(exact, 0).exploring


# What else it can do


def test_its_first_plan_can_be_prepared_for():
    agent, _ = cart_agent()
    agent.warm_up()
    fresh, _ = cart_agent()
    np.testing.assert_array_equal(act(agent, 0).targets, act(fresh, 0).targets)


def test_a_trace_is_what_each_member_expects_of_the_last_plan():
    agent = Agent(CARTPOLE, CARTPOLE_CONFIG)
    assert agent.trace() is None
    agent.set_model(new_ensemble(SMALL, FeatureLayout(CARTPOLE), 0), 1)
    act(agent, 0)
    trace = agent.trace()
    assert trace.shape == (3, 8, 5)
    assert torch.isfinite(trace).all()


def test_plans_are_polished_from_the_tick_on_that_asks_for_it_whatever_was_planned_before():
    agent = Agent(CARTPOLE, CARTPOLE_CONFIG)
    agent.set_model(new_ensemble(SMALL, FeatureLayout(CARTPOLE), 0), 1)
    act(agent, 0)
    for k, changes in enumerate([{"polish": 2}, {"horizon": 7}, {"polish": 0}], 1):
        agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, **changes)))
        agent.rehearse(20, times=1)
        assert np.isfinite(act(agent, k).targets).all()
