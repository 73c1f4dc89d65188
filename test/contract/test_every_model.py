"""What every model of the world must do: one `rollout` behind which a planner cannot tell them apart."""

import numpy as np
import pytest
import torch

from mbrl_ros.dynamics.analytic import true_model
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.dynamics.native import PATHS, NativeEnsemble, why_not
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot

BATCH, HORIZON = 6, 5
SMALL = EnsembleConfig(members=3, width=16, layers=2)


def ensemble(spec):
    return new_ensemble(SMALL, FeatureLayout(spec), 0)


MODELS = {
    "ensemble": ensemble,
    "folded": lambda spec: FoldedEnsemble(ensemble(spec)),
    "truth": true_model,
    **{f"native {p}": lambda spec, p=p: NativeEnsemble(ensemble(spec), p) for p in PATHS if not why_not(p)},
}
pytestmark = [
    pytest.mark.parametrize("kind", MODELS),
    pytest.mark.parametrize("robot", ["go1_like", "cartpole", "pendulum", "car", "cliff_cart", "rover"]),
]


def build(kind, robot):
    """Model, states (E, B, S) near rest, targets (E, B, H, A) near stance."""
    spec = load_robot(robot)
    layout, model, generator = FeatureLayout(spec), MODELS[kind](spec), torch.Generator().manual_seed(1)
    states = 0.1 * torch.randn(1, BATCH, layout.size, generator=generator) * torch.tensor(layout.scales)
    if spec.planar:
        angle = torch.randn(BATCH, generator=generator)
        states[0][:, layout.heading] = torch.stack([angle.cos(), angle.sin()], -1)
    elif spec.floats:
        states[..., layout.gravity] = torch.tensor([0.0, 0.0, -1.0])
        states[..., layout.height] += 0.3
    elif any(j.continuous for j in spec.joints):
        angle = torch.randn(BATCH, generator=generator)
        cos = next(i for i, n in enumerate(layout.names) if n.startswith("cos "))
        states[0, :, cos], states[0, :, cos + 1] = angle.cos(), angle.sin()
    told = torch.randn(1, BATCH, HORIZON, len(spec.actuated), generator=generator) * torch.tensor(
        0.3 * spec.action_scale, dtype=torch.float32
    )
    targets = torch.tensor(spec.stance, dtype=torch.float32) + told
    return model, states.expand(model.members, -1, -1), targets.expand(model.members, -1, -1, -1)


@torch.no_grad()
def rolled(model, states, targets):
    return model.rollout(states, targets).clone()


def test_states_follow_for_every_member_candidate_and_step(kind, robot):
    model, states, targets = build(kind, robot)
    path = rolled(model, states, targets)
    assert path.shape == (model.members, BATCH, HORIZON, states.shape[-1])
    assert path.dtype == torch.float32
    assert torch.isfinite(path).all()


def test_the_same_question_gets_the_same_answer(kind, robot):
    model, states, targets = build(kind, robot)
    first = rolled(model, states, targets)
    rolled(model, states + 0.01, targets)
    assert torch.equal(rolled(model, states, targets), first)


def test_each_candidate_is_rolled_out_on_its_own(kind, robot):
    model, states, targets = build(kind, robot)
    together = rolled(model, states, targets)
    for i in range(BATCH):
        alone = rolled(model, states[:, i : i + 1], targets[:, i : i + 1])
        torch.testing.assert_close(together[:, i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_what_comes_later_changes_nothing_before(kind, robot):
    model, states, targets = build(kind, robot)
    before, changed = rolled(model, states, targets), targets.clone()
    changed[:, :, 3:] += 0.2
    after = rolled(model, states, changed)
    assert torch.equal(after[:, :, :3], before[:, :, :3])
    assert not torch.equal(after[:, :, 3:], before[:, :, 3:])


def test_many_steps_are_one_step_many_times(kind, robot):
    model, states, targets = build(kind, robot)
    path, x = rolled(model, states, targets), states
    for h in range(HORIZON):
        x = rolled(model, x, targets[:, :, h : h + 1])[:, :, 0]
    # Contacts remember a little beyond the features: the solver starts from where it was.
    torch.testing.assert_close(x, path[:, :, -1], atol=2e-3, rtol=2e-3)


def test_the_question_is_left_as_it_was(kind, robot):
    model, states, targets = build(kind, robot)
    before = states.clone(), targets.clone()
    rolled(model, states, targets)
    assert torch.equal(states, before[0])
    assert torch.equal(targets, before[1])


def test_one_start_for_all_candidates_needs_no_copies(kind, robot):
    model, states, targets = build(kind, robot)
    one = states[:, :1]
    shared = rolled(model, one.expand(-1, BATCH, -1), targets)
    for i in (0, BATCH - 1):
        torch.testing.assert_close(
            shared[:, i : i + 1], rolled(model, one, targets[:, i : i + 1]), atol=1e-5, rtol=1e-4
        )
    assert np.isfinite(shared.numpy()).all()
