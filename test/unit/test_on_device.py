"""A search on another device finds what one here finds; the CPU stands in for the device, and records nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gate_driver import standing

from mbrl_ros.config import ConfigError
from mbrl_ros.control import agent as agent_module
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.on_device import OnDevice
from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.planners import mppi
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import EnsembleConfig, MppiConfig, PlannerConfig
from mbrl_ros.tasks import make_task

SPEC = load_robot("go1_like")
LAYOUT = FeatureLayout(SPEC)
HORIZON, SAMPLES = 8, 60
SMALL = EnsembleConfig(members=3, width=16)


def config(**more):
    return PlannerConfig(mppi=MppiConfig(horizon=HORIZON, iterations=2), seed=4, **more)


def model(seed=0, shape=SMALL):
    return FoldedEnsemble(new_ensemble(shape, LAYOUT, seed))


def situation(seed=1):
    found = Situation.empty(LAYOUT.size, 3, make_action_map("gait", SPEC).size, HORIZON)
    torch.manual_seed(seed)
    found.state.copy_(torch.tensor(LAYOUT.scales) * torch.randn(LAYOUT.size) * 0.1)
    found.command.copy_(torch.tensor([0.4, 0.1, -0.2]))
    found.phase.copy_(torch.rand(HORIZON))
    found.prior.copy_(0.1 * torch.randn_like(found.prior))
    found.before.copy_(0.1 * torch.randn_like(found.before))
    return found


def here(c, at, network, warm):
    actions, task = make_action_map(c.action_map, SPEC), make_task(c.task, LAYOUT)
    problem = make_problem(at, network, task, actions, c.cost, c.treatment, c.pessimism, SAMPLES)
    with torch.inference_mode():
        return mppi.plan(c.mppi, problem, warm, torch.Generator().manual_seed(c.seed))


def there(device, c, at, warm):
    search = device.search_from(at, SAMPLES)
    return mppi.plan(c.mppi, None, warm, None, search=search)


def same(one, other):
    torch.testing.assert_close(one.actions, other.actions)
    np.testing.assert_allclose(
        [one.best, one.mean, one.effective], [other.best, other.mean, other.effective], rtol=1e-4
    )


@pytest.mark.parametrize("treatment", ["expectation", "tsinf", "pessimism"])
@pytest.mark.parametrize("action_map", ["gait", "joint", "spline"])
def test_the_same_plan_comes_of_the_same_seed(action_map, treatment):
    c = config(action_map=action_map, treatment=treatment)
    at = Situation.empty(LAYOUT.size, 3, make_action_map(action_map, SPEC).size, HORIZON)
    at.state.copy_(0.1 * torch.tensor(LAYOUT.scales))
    warm = torch.full_like(at.prior, 0.1)
    same(here(c, at, model(), warm), there(OnDevice(c, SPEC, model(), "cpu"), c, at, warm))


def test_what_the_situation_holds_at_the_call_counts():
    c, at = config(), situation()
    device = OnDevice(c, SPEC, model(), "cpu")
    search = device.search_from(at, SAMPLES)
    at.all.copy_(situation(seed=2).all)
    warm = torch.zeros_like(at.prior)
    same(here(c, situation(seed=2), model(), warm), mppi.plan(c.mppi, None, warm, None, search=search))


def test_another_model_of_the_same_shape_is_taken_over_in_place():
    c, at = config(), situation()
    device, warm = OnDevice(c, SPEC, model(), "cpu"), torch.zeros_like(at.prior)
    search = device.search_from(at, SAMPLES)
    assert device.load(model(seed=7))
    same(here(c, at, model(seed=7), warm), mppi.plan(c.mppi, None, warm, None, search=search))


@pytest.mark.parametrize("other", [model(shape=replace(SMALL, width=20)), model(shape=replace(SMALL, members=2)), None])
def test_a_model_of_another_shape_is_not_taken_over(other):
    assert not OnDevice(config(), SPEC, model(), "cpu").load(other)


def test_the_device_has_weights_of_its_own():
    mine = model()
    device = OnDevice(config(), SPEC, mine, "cpu")
    assert device.load(model(seed=7))
    for weight, untouched in zip(mine.weights, model().weights, strict=True):
        torch.testing.assert_close(weight, untouched)


def test_a_model_that_explodes_gives_no_plan():
    c, at, broken = config(), situation(), model()
    broken.weights[-1].fill_(torch.nan)
    found = there(OnDevice(c, SPEC, broken, "cpu"), c, at, torch.zeros_like(at.prior))
    assert found == NoPlan("no candidate has a finite score")


def test_plans_do_not_share_memory():
    c, at = config(), situation()
    device, warm = OnDevice(c, SPEC, model(), "cpu"), torch.zeros_like(at.prior)
    first = there(device, c, at, warm).actions
    kept = first.clone()
    there(device, c, at, warm + 0.3)
    torch.testing.assert_close(first, kept)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="no GPU"):
        OnDevice(config(), SPEC, model(), "cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_recorded_search_plans_as_well_as_one_here():
    """Random numbers differ between devices: of many plans, the expected returns agree."""
    c, at = config(precision="float32"), situation()
    warm, device = torch.zeros_like(at.prior), OnDevice(c, SPEC, model(), "cuda")
    recorded = [there(device, c, at, warm).best for _ in range(200)]
    plain = [here(replace(c, seed=seed), at, model(), warm).best for seed in range(200)]
    spread = np.std(plain) / np.sqrt(200)
    assert abs(np.mean(recorded) - np.mean(plain)) < 6 * spread
    assert np.std(recorded) > 0.3 * np.std(plain), "the random numbers of a replay are new ones"


@pytest.fixture
def agents(monkeypatch):
    """Two that should do the same: one searches here, the other on what stands in for its GPU."""
    monkeypatch.setattr(agent_module, "OnDevice", lambda c, spec, model, device: OnDevice(c, spec, model, "cpu"))
    pair = [Agent(SPEC, config(precision="float32", learning=False, device=device)) for device in ("cpu", "cuda")]
    for agent in pair:
        agent.set_model(new_ensemble(SMALL, LAYOUT, 0), 1)
    return pair


def both_do_the_same(agents, steps):
    for step in steps:
        plans = [agent.act(standing(20 * step, SPEC), np.array([0.3, 0.0, 0.1])) for agent in agents]
        np.testing.assert_allclose(plans[0].targets, plans[1].targets, atol=2e-4)


def test_an_agent_drives_the_same_with_its_search_elsewhere(agents):
    both_do_the_same(agents, range(4))
    assert agents[1].last_result.best == pytest.approx(agents[0].last_result.best, rel=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        lambda agent: agent.set_samples(90),
        lambda agent: agent.set_model(new_ensemble(SMALL, LAYOUT, 9), 2),
        lambda agent: agent.set_model(new_ensemble(replace(SMALL, width=24), LAYOUT, 9), 2),
        lambda agent: agent.rehearse(60, times=1),
    ],
)
def test_a_change_in_mid_run_comes_to_both(agents, change):
    both_do_the_same(agents, range(2))
    for agent in agents:
        change(agent)
    one, other = (agent.act(standing(40, SPEC), np.zeros(3)) for agent in agents)
    assert one.targets.shape == other.targets.shape
    assert agents[1].last_result.best == pytest.approx(agents[0].last_result.best, rel=0.2)


def test_live_settings_reach_the_device(agents):
    for agent in agents:
        agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, horizon=HORIZON + 4, noise=0.01)))
    both_do_the_same(agents, range(3))
