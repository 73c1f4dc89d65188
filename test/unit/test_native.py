"""The rollout in C says what the equations of the ensemble say, on every path that this processor can go."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, GO1
from test_ensemble import by_the_book, inputs, lively

from mbrl_ros.compiled import NotCompiled
from mbrl_ros.dynamics import native
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.dynamics.native import PATHS, NativeEnsemble, paths, planning_model, why_not
from mbrl_ros.learner_settings import EnsembleConfig

if reason := why_not("float32"):
    pytest.skip(reason, allow_module_level=True)

WAYS = [(precision, path) for precision in PATHS for path in PATHS[precision]]
CONFIG = EnsembleConfig(members=3, width=128, layers=2)


@pytest.fixture(params=WAYS, ids="-".join)
def make(request):
    """NativeEnsemble by one path."""
    precision, path = request.param
    if path not in paths(precision):
        pytest.skip(f"this processor has no {path}")
    return lambda model, threads=1: NativeEnsemble(model, precision, threads, path)


def assert_near(said, model, states, actions):
    """float32 as exact as torch; bf16 within 2% of the size of what changes, as inputs are good to 0.4% a layer."""
    expected = by_the_book(model, states, actions)
    if said.precision == "float32":
        np.testing.assert_allclose(said.rollout(states, actions).numpy(), expected, atol=2e-4, rtol=2e-4)
    else:
        moved = expected - states[:, :, None].numpy()
        error = said.rollout(states, actions).numpy() - expected
        assert np.sqrt((error**2).mean()) < 0.02 * np.sqrt((moved**2).mean())


@pytest.mark.parametrize("spec", [GO1, CARTPOLE], ids=lambda s: s.name)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("width", [64, 128, 200])
def test_any_network_is_rolled_out_as_its_equations_say(make, spec, layers, width):
    model = lively(EnsembleConfig(members=2, width=width, layers=layers), spec)
    model = replace(model, weights=tuple(w / (width / 32) ** 0.5 for w in model.weights))
    assert_near(make(model), model, *inputs(spec, 2, batch=19, horizon=3))


@pytest.mark.parametrize("batch", [1, 3, 16, 48, 80, 81])
@pytest.mark.parametrize("horizon", [1, 20])
def test_any_number_of_candidates_and_steps(make, batch, horizon):
    model = lively(EnsembleConfig(members=2, width=16, layers=2))
    assert_near(make(model), model, *inputs(GO1, 2, batch, horizon, seed=batch))


def test_float32_on_every_path_is_nearer_to_the_equations_than_a_millionth(make):
    model = lively(CONFIG)
    said = make(model)
    states, actions = inputs(GO1, 3, 20, 1)
    error = said.rollout(states, actions).numpy() - by_the_book(model, states, actions)
    assert np.abs(error).max() < (5e-6 if said.precision == "float32" else 0.05)


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf"), 1e30])
@pytest.mark.parametrize("where", ["state", "action"])
def test_a_poisoned_candidate_stays_poisoned_and_changes_no_other(make, poison, where):
    model = make(lively(CONFIG))
    states, actions = inputs(GO1, 3, 37, 6)
    clean = model.rollout(states, actions)
    if where == "state":
        states[1, 20, 5] = poison
    else:
        actions[1, 20, 0, 3] = poison
    poisoned = model.rollout(states, actions)
    others = torch.ones(3, 37, dtype=torch.bool)
    others[1, 20] = False
    assert torch.equal(poisoned[others], clean[others])
    if abs(poison) != 1e30:
        assert not torch.isfinite(poisoned[1, 20]).any()
    assert not torch.equal(poisoned[1, 20], clean[1, 20])


def test_nothing_finite_anywhere_is_no_crash(make):
    model = make(lively(CONFIG))
    states, actions = inputs(GO1, 3, 33, 4)
    assert torch.isnan(model.rollout(states * float("nan"), actions)).all()
    assert not torch.isfinite(model.rollout(states, actions * float("inf"))).any()


@pytest.mark.parametrize("batch", [1, 16, 81])
def test_threads_share_the_work_and_say_the_same(make, batch):
    model = lively(CONFIG)
    states, actions = inputs(GO1, 3, batch, 8)
    expected = make(model).rollout(states, actions)
    for _ in range(20):
        assert torch.equal(make(model, threads=3).rollout(states, actions), expected)


def test_a_candidate_gets_the_same_answer_in_any_company(make):
    model = make(lively(CONFIG))
    states, actions = inputs(GO1, 3, 81, 5)
    together = model.rollout(states, actions)
    for i in (0, 40, 80):
        assert torch.equal(model.rollout(states[:, i : i + 1], actions[:, i : i + 1]), together[:, i : i + 1])


def test_inputs_lie_in_memory_as_they_like(make):
    model = make(lively(CONFIG))
    states, actions = inputs(GO1, 3, 21, 5)
    expected = model.rollout(states, actions)
    turned = actions.permute(3, 1, 2, 0).contiguous().permute(3, 1, 2, 0)
    assert turned.stride() != actions.stride()
    offset = torch.empty(states.numel() + 1)[1:].view(states.shape).copy_(states)
    assert offset.data_ptr() % 8 != states.data_ptr() % 8
    backed = torch.empty(3, 21, states.shape[-1] * 2)[..., ::2].copy_(states)
    for s, a in ((states, turned), (offset, actions), (backed, turned)):
        assert torch.equal(model.rollout(s, a), expected)
    assert torch.equal(model.rollout(states.double(), actions.double()), expected)


def test_one_start_and_one_sequence_for_all_members_need_no_copies(make):
    model = make(lively(CONFIG))
    states, actions = inputs(GO1, 3, 21, 5)
    states, actions = states[:1, :1], actions[:1].expand(3, -1, -1, -1)
    expected = model.rollout(states.expand(3, 21, -1).contiguous(), actions.contiguous())
    assert torch.equal(model.rollout(states, actions), expected)


def test_an_answer_is_never_written_over_by_the_next(make):
    model = make(lively(CONFIG))
    states, actions = inputs(GO1, 3, 21, 5)
    first = model.rollout(states, actions)
    kept = first.clone()
    model.rollout(states + 1, actions)
    assert torch.equal(first, kept)


def test_no_candidates_and_no_steps_are_no_states(make):
    model = make(lively(CONFIG))
    states, actions = inputs(GO1, 3, 4, 5)
    assert model.rollout(states[:, :0], actions[:, :0]).shape == (3, 0, 5, states.shape[-1])
    assert model.rollout(states, actions[:, :, :0]).shape == (3, 4, 0, states.shape[-1])


def test_a_packed_model_does_not_follow_the_one_it_was_made_from(make):
    model, (states, actions) = lively(CONFIG), inputs(GO1, 3)
    packed = make(model)
    said = packed.rollout(states, actions)
    for p in model.parameters:
        p.zero_()
    assert torch.equal(packed.rollout(states, actions), said)


def test_small_states_on_a_large_mean_are_not_lost_in_rounding(make):
    model = lively(CONFIG)
    n = replace(model.normaliser, state_mean=model.normaliser.state_mean + 1000)
    shifted = replace(model, normaliser=n)
    states, actions = inputs(GO1, 3, 8, 4)
    near = make(model).rollout(states, actions) - states[:, :, None]
    far = make(shifted).rollout(states + 1000, actions) - (states + 1000)[:, :, None]
    torch.testing.assert_close(far, near, atol=0.02, rtol=0.02)


def test_what_does_not_fit_the_model_is_refused(make):
    model = make(lively(CONFIG))
    states, actions = inputs(GO1, 3)
    for s, a in ((states, actions[:2]), (states[..., 1:], actions), (states, actions[..., 1:])):
        with pytest.raises(ValueError, match="do not fit a model of 3 members"):
            model.rollout(s, a)


def test_unknown_precisions_and_paths_are_refused_with_what_there_is():
    model = lively(CONFIG)
    with pytest.raises(ValueError, match="float32, bf16"):
        NativeEnsemble(model, "float16")
    with pytest.raises(ValueError, match="plain"):
        NativeEnsemble(model, "float32", path="avx1024")


def test_a_library_of_another_version_or_none_is_told_with_its_mend(monkeypatch):
    native._library.cache_clear()
    try:
        monkeypatch.setattr(native, "REVISION", -1)
        assert "another version" in why_not("float32") and "make setup" in why_not("float32")
        monkeypatch.setattr(native, "LIBRARY", "absent")
        with pytest.raises(NotCompiled, match="no compiled absent.c"):
            NativeEnsemble(lively(CONFIG), "float32")
        assert isinstance(planning_model(lively(CONFIG)), FoldedEnsemble)
    finally:
        native._library.cache_clear()


def test_planning_takes_the_fastest_that_there_is():
    model = lively(CONFIG)
    taken = planning_model(model, threads=2)
    states, actions = inputs(GO1, 3)
    moved = model.rollout(states, actions) - states[:, :, None]
    error = taken.rollout(states, actions) - model.rollout(states, actions)
    assert error.square().mean() < 4e-4 * moved.square().mean()
    if not why_not("bf16"):
        assert (taken.path, taken.threads) == ("avx512_bf16", 2)
