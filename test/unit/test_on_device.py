"""A search on another device finds what one here finds; the CPU stands in for the device, and records nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gate_driver import standing
from test_policy_file import content, loaded

from mbrl_ros.config import ConfigError
from mbrl_ros.control import search as search_module
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.on_device import OnDevice
from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.planners import mppi
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.robots.action_maps import make_action_map, told_size
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import MppiConfig, PlannerConfig
from mbrl_ros.tasks import make_task

SPEC = load_robot("go1_like")
LAYOUT = FeatureLayout(SPEC)
HORIZON, SAMPLES = 8, 60
SMALL = EnsembleConfig(members=3, width=16)


DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def config(noise=1.0, **more):
    return PlannerConfig(mppi=MppiConfig(horizon=HORIZON, iterations=2, noise=noise), seed=4, **more)


def model(seed=0, shape=SMALL):
    return FoldedEnsemble(new_ensemble(shape, LAYOUT, seed))


def situation(action_map="gait", seed=1, noise=1.0):
    made = make_action_map(action_map, SPEC)
    found = Situation.empty(LAYOUT.size, 3, made.size, HORIZON, told_size(made))
    torch.manual_seed(seed)
    found.state.copy_(torch.tensor(LAYOUT.scales) * torch.randn(LAYOUT.size) * 0.1)
    found.command.copy_(torch.tensor([0.4, 0.1, -0.2]))
    found.phase.copy_(torch.rand(HORIZON))
    for part in (found.prior, found.before, found.warm):
        part.copy_(0.1 * torch.randn_like(part))
    found.tuning.copy_(torch.tensor([MppiConfig().temperature, noise]))
    return found


def here(c, at, network, samples=SAMPLES):
    actions, task = make_action_map(c.action_map, SPEC), make_task(c.task, LAYOUT)
    problem = make_problem(at, network, task, actions, c.cost, c.treatment, c.pessimism, samples)
    with torch.inference_mode():
        return mppi.plan(c.mppi, problem, at.warm, torch.Generator().manual_seed(c.seed))


def there(device, c, at, samples=SAMPLES):
    return mppi.judged(c.mppi, None, at.warm, *device.search(at, samples))


def same(one, other):
    torch.testing.assert_close(one.actions, other.actions, atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(
        [one.best, one.mean, one.effective], [other.best, other.mean, other.effective], rtol=1e-3
    )


@pytest.mark.parametrize("treatment", ["expectation", "tsinf", "pessimism"])
@pytest.mark.parametrize("action_map", ["gait", "joint", "spline"])
def test_the_same_plan_comes_of_the_same_seed(action_map, treatment):
    c, at = config(action_map=action_map, treatment=treatment), situation(action_map)
    same(here(c, at, model()), there(OnDevice(c, SPEC, model(), "cpu"), c, at))


@pytest.fixture(params=DEVICES)
def on(request):
    """A device, and how it is planned there: without noise, since random numbers differ between devices."""
    c = config(noise=0.0, precision="float32")
    return OnDevice(c, SPEC, model(), request.param), c, lambda seed=1: situation(seed=seed, noise=0.0)


def test_what_the_situation_holds_at_the_call_counts(on):
    device, c, at = on
    there(device, c, at(1))
    same(here(c, at(2), model()), there(device, c, at(2)))


def test_another_number_of_rollouts_is_another_recording_and_the_first_one_stays(on):
    device, c, at = on
    for samples in (SAMPLES, 90, SAMPLES, 30):
        same(here(c, at(samples), model(), samples), there(device, c, at(samples), samples))


def test_another_model_of_the_same_shape_is_taken_over_in_place(on):
    device, c, at = on
    there(device, c, at())
    assert device.load(model(seed=7))
    same(here(c, at(), model(seed=7)), there(device, c, at()))


@pytest.mark.parametrize("other", [model(shape=replace(SMALL, width=20)), model(shape=replace(SMALL, members=2)), None])
def test_a_model_of_another_shape_is_not_taken_over(other):
    assert not OnDevice(config(), SPEC, model(), "cpu").load(other)


def test_the_device_has_weights_of_its_own(on):
    device, _, _ = on
    mine = model()
    assert device.load(mine) and device.load(model(seed=7))
    for weight, untouched in zip(mine.weights, model().weights, strict=True):
        torch.testing.assert_close(weight, untouched)


def test_a_model_that_explodes_gives_no_plan(on):
    device, c, at = on
    broken = model()
    broken.weights[-1].fill_(torch.nan)
    there(device, c, at())
    assert device.load(broken)
    assert there(device, c, at()) == NoPlan("no candidate has a finite score")


def test_plans_do_not_share_memory(on):
    device, c, at = on
    first = there(device, c, at(1)).actions
    kept = first.clone()
    there(device, c, at(2))
    torch.testing.assert_close(first, kept)


@pytest.mark.parametrize("temperature", [0.01, 2.0])
def test_temperature_and_noise_are_those_of_the_call(temperature):
    """Without making anything anew."""
    device, at = OnDevice(config(), SPEC, model(), "cpu"), situation(noise=0.0)
    at.tuning[0] = temperature
    wanted = replace(config(), mppi=replace(config().mppi, noise=0.0, temperature=temperature))
    same(here(wanted, at, model()), there(device, wanted, at))


def test_recording_leaves_the_precision_of_other_matmuls_alone():
    before = torch.get_float32_matmul_precision()
    there(OnDevice(config(), SPEC, model(), "cpu"), config(), situation())
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named_before_anything_begins():
    with pytest.raises(ConfigError, match="no GPU"):
        Agent(SPEC, config(device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_every_replay_has_random_numbers_of_its_own():
    c, at = config(precision="float32"), situation()
    device = OnDevice(c, SPEC, model(), "cuda")
    recorded = [there(device, c, at).best for _ in range(200)]
    plain = [here(replace(c, seed=seed), at, model()).best for seed in range(200)]
    assert abs(np.mean(recorded) - np.mean(plain)) < 6 * np.std(plain) / np.sqrt(200)
    assert np.std(recorded) > 0.3 * np.std(plain)


@pytest.fixture
def agents(monkeypatch):
    """Two that should do the same: one searches here, the other on what stands in for its GPU."""
    monkeypatch.setattr(search_module, "check_device", lambda device: None)
    monkeypatch.setattr(search_module, "OnDevice", lambda c, spec, m, device, p: OnDevice(c, spec, m, "cpu", p))
    pair = [Agent(SPEC, config(precision="float32", learning=False, device=device)) for device in ("cpu", "cuda")]
    for agent in pair:
        agent.set_model(new_ensemble(SMALL, LAYOUT, 0), 1)
    return pair


def both_do_the_same(agents, steps, atol=2e-4):
    for step in steps:
        plans = [agent.act(standing(20 * step, SPEC), np.array([0.3, 0.0, 0.1])) for agent in agents]
        np.testing.assert_allclose(plans[0].targets, plans[1].targets, atol=atol)


def test_an_agent_drives_the_same_with_its_search_elsewhere(agents):
    both_do_the_same(agents, range(4))
    assert agents[1].last_result.best == pytest.approx(agents[0].last_result.best, rel=1e-3)


def test_a_policy_guides_plans_on_the_device_as_it_does_here(agents):
    both_do_the_same(agents, range(2))
    alone = agents[0].last_result.best
    for agent in agents:
        agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, proposals=0.4, terminal_value=True)))
        agent.set_policy(loaded(content()))
    both_do_the_same(agents, range(2, 5), atol=2e-3)  # that value is steep, and enlarges what is rounded
    assert agents[1].last_result.best == pytest.approx(agents[0].last_result.best, rel=1e-3)
    assert agents[0].last_result.best < alone - 5.0  # what comes after the horizon costs, too


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


def test_a_live_temperature_makes_nothing_anew_and_another_horizon_does(agents):
    agent = agents[1]
    both_do_the_same(agents, range(2))
    before = agent.search._on_device
    agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, temperature=0.5, samples=90)))
    assert agent.search._on_device is before
    agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, horizon=HORIZON + 2)))
    assert agent.search._on_device is not before
