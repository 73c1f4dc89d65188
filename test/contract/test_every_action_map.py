"""What every action map must do on every robot that it fits."""

import numpy as np
import pytest
import torch

from mbrl_ros.robots.action_maps import ACTION_MAPS, make_action_map
from mbrl_ros.robots.spec import load_robot

ROBOTS = ("go1_like", "cartpole", "car", "rover")
HORIZON = 12


def fitting():
    for name in ACTION_MAPS:
        for robot in ROBOTS:
            try:
                make_action_map(name, load_robot(robot))
            except ValueError:
                continue  # refused by name: this map is for other robots
            yield name, robot


def build(name, robot):
    spec = load_robot(robot)
    return spec, make_action_map(name, spec)


def random_decisions(action_map, count, seed=0):
    low, high = action_map.bounds
    return low + (high - low) * torch.rand(
        count, HORIZON, action_map.size, generator=torch.Generator().manual_seed(seed)
    )


def phases(start=0.0):
    return (start + 0.0454 * torch.arange(HORIZON)) % 1.0


def commands(spec):
    if not spec.floats:
        return [torch.zeros(0)]
    return [torch.tensor(c) for c in ([0.0, 0.0, 0.0], [0.5, -0.2, 0.3], [-9.0, 9.0, -9.0])]


pytestmark = pytest.mark.parametrize(("name", "robot"), list(fitting()))


def test_its_numbers_have_the_size_of_its_decisions(name, robot):
    _, m = build(name, robot)
    assert m.bounds.shape == (2, m.size)
    assert m.noise.shape == m.explore.shape == m.rest.shape == (m.size,)
    assert (m.bounds[0] < m.bounds[1]).all()
    assert (m.noise > 0).all()
    assert (m.explore > 0).all()


def test_its_prior_and_its_rest_lie_within_bounds(name, robot):
    spec, m = build(name, robot)
    for decision in [m.rest, *(m.prior(c) for c in commands(spec))]:
        assert decision.shape == (m.size,)
        assert (decision >= m.bounds[0]).all()
        assert (decision <= m.bounds[1]).all()


def test_every_decision_within_bounds_gives_targets_within_the_robots_limits(name, robot):
    spec, m = build(name, robot)
    low, high = spec.target_limits
    corners = torch.where(random_decisions(m, 200, 1) > m.bounds.mean(0), m.bounds[1], m.bounds[0])
    for start in (0.0, 0.37, 0.8):
        for decisions in (random_decisions(m, 200), corners):
            targets = m.decode(decisions, phases(start)).numpy()
            assert targets.shape == (200, HORIZON, len(spec.actuated))
            assert np.isfinite(targets).all()
            assert (targets >= low - 1e-6).all()
            assert (targets <= high + 1e-6).all()


def test_the_prior_of_no_command_is_rest_near_stance(name, robot):
    spec, m = build(name, robot)
    still = m.prior(commands(spec)[0]).expand(1, HORIZON, -1)
    targets = m.decode(still, phases())[0].numpy()
    np.testing.assert_allclose(targets, np.broadcast_to(targets[0], targets.shape), atol=1e-6)
    assert np.abs(targets - spec.stance).max() < 0.35


def test_each_candidate_is_decoded_on_its_own(name, robot):
    _, m = build(name, robot)
    decisions = random_decisions(m, 5)
    together = m.decode(decisions, phases())
    poisoned = decisions.clone()
    poisoned[2] = torch.nan
    others = [0, 1, 3, 4]
    assert torch.equal(m.decode(poisoned, phases())[others], together[others])
    for i in range(5):
        torch.testing.assert_close(m.decode(decisions[i : i + 1], phases())[0], together[i])


def test_decoding_changes_neither_decisions_nor_phase(name, robot):
    _, m = build(name, robot)
    decisions, phase = random_decisions(m, 3), phases()
    before = decisions.clone(), phase.clone()
    m.decode(decisions, phase)
    assert torch.equal(decisions, before[0])
    assert torch.equal(phase, before[1])


def test_targets_follow_decisions_differentiably(name, robot):
    """Planners that climb the gradient need it."""
    _, m = build(name, robot)
    decisions = (0.5 * random_decisions(m, 3) + 0.5 * m.rest).requires_grad_(True)
    m.decode(decisions, phases()).sum().backward()
    assert torch.isfinite(decisions.grad).all()
    assert (decisions.grad.abs().sum((0, 1)) > 0).float().mean() > 0.9
