"""An agent in mode policy: one decision a tick, and the action map goes on from it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gate_driver import GO1, standing
from test_policy_file import content, loaded, network

from mbrl_ros.control.agent import CALM, Agent
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.settings import MppiConfig, PlannerConfig

WALK = np.array([0.3, 0.0, 0.1])
CONFIG = PlannerConfig(mode="policy", learning=False, acceleration_limit=100.0, yaw_acceleration_limit=100.0)


def flying(policy=None, **changes) -> Agent:
    agent = Agent(GO1, replace(CONFIG, **changes))
    agent.set_policy(loaded(content(policy)))
    return agent


@pytest.mark.parametrize("delay", [0, 1])
def test_a_plan_is_the_policys_decision_with_the_gait_going_on(delay):
    policy = network()
    agent = flying(policy, delay=delay)
    plan = agent.act(standing(0), WALK)
    phase = (GO1.dt / GO1.legs.gait.period * (delay + torch.arange(4))) % 1.0
    state = torch.from_numpy(agent.layout.encode(standing(0)))
    turn = 2 * torch.pi * phase[:1]
    seen = torch.cat([state, torch.tensor(WALK).float(), turn.sin(), turn.cos()])
    decision = policy.decide(seen[None], agent.map.prior(torch.tensor(WALK).float())[None])
    wanted = agent.map.decode(decision[None].expand(1, 4, -1), phase)[0]
    np.testing.assert_allclose(plan.targets, wanted.numpy(), atol=1e-4)
    assert plan.offsets_ns[0] == delay * GO1.dt_ns


def test_without_a_policy_it_does_what_it_would_without_one():
    agent = Agent(GO1, CONFIG)
    assert agent.mode == "stand"
    np.testing.assert_allclose(agent.act(standing(0), WALK).targets, np.tile(GO1.stance, (4, 1)))


def test_the_mode_can_be_changed_in_mid_run():
    agent = flying(planner="prior")
    one = agent.act(standing(0), WALK).targets
    agent.configure(replace(agent.config, mode="mppi"))
    other = agent.act(standing(20), WALK).targets
    agent.configure(replace(agent.config, mode="policy"))
    again = agent.act(standing(40), WALK).targets
    assert not np.allclose(one, other) and not np.allclose(other, again)


def test_decisions_that_are_not_finite_are_no_plan(monkeypatch):
    agent = flying()
    monkeypatch.setattr(agent._policy, "decide", lambda seen, prior: np.full(len(prior), np.nan, np.float32))
    assert isinstance(agent.act(standing(0), WALK), NoPlan)


def test_a_policy_follows_a_command_as_it_is_approached():
    agent = flying(acceleration_limit=2.0)
    agent.act(standing(0), WALK)
    assert agent.command[0] == pytest.approx(2.0 * GO1.dt)


# Hybrid


def hybrid(**changes) -> Agent:
    small = MppiConfig(samples=20, horizon=4)
    agent = flying(mode="hybrid", mppi=small, **changes)
    agent.set_model(new_ensemble(EnsembleConfig(members=2, width=8), agent.layout, 0), 1)
    return agent


def decided_by_plan(agent, ms: int) -> bool:
    assert not isinstance(agent.act(standing(ms), WALK), NoPlan)
    return agent.last_result is not None


def test_in_hybrid_the_policy_decides_what_it_knows():
    one, other = hybrid(), hybrid()
    other.configure(replace(other.config, mode="policy"))
    for ms in (0, 20, 40):
        assert not decided_by_plan(one, ms)
        np.testing.assert_allclose(one.act(standing(ms), WALK).targets, other.act(standing(ms), WALK).targets)


def test_in_hybrid_plans_decide_what_the_policy_does_not_know_and_for_a_while_after(monkeypatch):
    agent, strange = hybrid(), np.array([], int)
    monkeypatch.setattr(agent._policy, "strange", lambda seen: strange)
    assert not decided_by_plan(agent, 0)
    strange = np.array([3])
    assert decided_by_plan(agent, 20)
    strange = np.array([], int)
    steps = round(CALM / GO1.dt)
    assert [decided_by_plan(agent, 20 * (2 + k)) for k in range(steps + 2)] == [True] * steps + [False] * 2


def test_in_hybrid_a_decision_that_is_not_finite_is_planned_in_the_same_tick(monkeypatch):
    agent = hybrid()
    monkeypatch.setattr(agent._policy, "decide", lambda seen, prior: np.full(len(prior), np.nan, np.float32))
    assert decided_by_plan(agent, 0)


def test_without_a_model_hybrid_is_the_policy_whatever_comes(monkeypatch):
    agent = flying(mode="hybrid")
    monkeypatch.setattr(agent._policy, "strange", lambda seen: np.array([0]))
    assert not decided_by_plan(agent, 0)


class Broken:
    members = 2

    def rollout(self, states, actions):
        return torch.full((*actions.shape[:3], states.shape[-1]), torch.nan)


def test_what_the_model_foresees_is_blamed_on_the_model():
    agent = hybrid()
    agent.set_model(Broken(), 2)
    agent.act(standing(0), WALK)
    assert isinstance(agent.last_result, NoPlan)


def test_states_that_the_policy_does_not_know_are_counted_and_named(monkeypatch):
    agent, strange = flying(), np.array([1, 3])
    monkeypatch.setattr(agent._policy, "strange", lambda seen: strange)
    agent.act(standing(0), WALK)
    strange = np.array([], int)
    agent.act(standing(20), WALK)
    assert agent.strange_steps == 1 and agent.strange_inputs == ("gy", "vx")
    assert agent.last_result is None  # in mode policy nothing but the policy decides


def test_a_proposal_that_is_not_finite_spoils_no_plan(monkeypatch):
    agent = hybrid()
    agent.configure(replace(agent.config, mode="mppi", mppi=replace(agent.config.mppi, proposals=0.4)))
    monkeypatch.setattr(agent._policy, "policy", replace(agent._policy.policy, mean=torch.full((39,), torch.nan)))
    agent.set_policy(agent._policy)
    assert decided_by_plan(agent, 0)


def test_plans_that_want_a_value_are_none_without_a_policy_and_that_is_not_the_models_fault():
    agent = hybrid()
    agent.configure(replace(agent.config, mode="mppi", mppi=replace(agent.config.mppi, terminal_value=True)))
    assert decided_by_plan(agent, 0)
    agent.set_policy(None)
    assert isinstance(agent.act(standing(20), WALK), NoPlan)
    assert agent.last_result is None
