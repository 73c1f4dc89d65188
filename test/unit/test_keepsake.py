"""What a model has learned from is kept beside it, and a learner that goes on from it forgets nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, linear_run, quick_config, transition
from safetensors.numpy import save
from safetensors.torch import save as save_in_torch

from mbrl_ros.config import ConfigError
from mbrl_ros.data import keepsake
from mbrl_ros.data.replay import CHUNK, ReplayBuffer
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import Versions, load_keepsake, load_model, save_model
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.types import Flag

LAYOUT = FeatureLayout(CARTPOLE)
HASH = CARTPOLE.layout_hash


def filled(numbers, capacity=10_000) -> ReplayBuffer:
    buffer = ReplayBuffer(capacity, LAYOUT.size, 1, CARTPOLE.dt_ns)
    for number in numbers:
        buffer.add(transition(number))
    return buffer


def read(path):
    return keepsake.beside(path, HASH, LAYOUT.size, 1)


def remembered(buffer, folder, capacity=10_000) -> ReplayBuffer:
    (folder / keepsake.FILE).write_bytes(keepsake.to_bytes(buffer, HASH))
    other = ReplayBuffer(capacity, LAYOUT.size, 1, CARTPOLE.dt_ns)
    other.begin_with(read(folder / "model.safetensors"))
    return other


@pytest.mark.parametrize("steps", [1, 5, 40])
@pytest.mark.parametrize("held_out", [True, False])
def test_the_same_sequences_are_found_in_what_is_remembered(tmp_path, steps, held_out):
    first = filled([*range(500), *range(503, 900)])
    second = remembered(first, tmp_path)
    one, other = (b.sequences(b.starts(steps, held_out), steps) for b in (first, second))
    assert len(one[0]) > 0 or steps == 40
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_of_more_than_fits_whole_chunks_are_kept_from_all_over(tmp_path, monkeypatch):
    monkeypatch.setattr(keepsake, "MOST", 4 * CHUNK)
    second = remembered(filled(range(40 * CHUNK)), tmp_path)
    assert len(second) == 4 * CHUNK
    states, _ = second.sequences(second.starts(CHUNK, False), CHUNK)
    np.testing.assert_array_equal(np.diff(states[..., 0]), 1.0)  # none bridges what is left out
    firsts = states[:, 0, 0]
    assert firsts.min() == 0 and firsts.max() == 39 * CHUNK and len(firsts) >= 3


@pytest.mark.parametrize("held_out", [True, False])
def test_pieces_of_a_ring_never_bridge_what_is_left_out(tmp_path, monkeypatch, held_out):
    monkeypatch.setattr(keepsake, "MOST", 300)
    second = remembered(filled([*range(2010), *range(2050, 3333)], capacity=1000), tmp_path)
    assert 200 < len(second) <= 300
    states, _ = second.sequences(second.starts(5, held_out), 5)
    np.testing.assert_array_equal(np.diff(states[..., 0]), 1.0)


def test_a_ring_that_has_gone_round_is_kept_in_order(tmp_path):
    second = remembered(filled(range(250), capacity=100), tmp_path)
    states, _ = second.sequences(second.starts(3, False), 3)
    np.testing.assert_array_equal(np.diff(states[..., 0]), 1.0)


def test_a_smaller_buffer_remembers_the_newest(tmp_path):
    second = remembered(filled(range(250)), tmp_path, capacity=50)
    assert len(second) == 50


def test_what_is_new_follows_nothing_that_is_remembered(tmp_path):
    second = remembered(filled(range(20)), tmp_path)
    for number in range(20, 30):
        second.add(transition(number))
    states, _ = second.sequences(second.starts(2, False), 2)
    assert not ((states[:, 0, 0] < 20) & (states[:, 2, 0] > 20)).any()
    assert len(second) == 30


def test_no_file_is_no_keepsake(tmp_path):
    assert read(tmp_path / "model.safetensors") is None


def columns(**changes):
    return filled(range(50)).pieces(50) | changes


def saved(**changes) -> bytes:
    return save({name: np.asarray(column) for name, column in columns(**changes).items()}, {"layout": HASH})


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"rubbish", "cannot be read"),
        (save(columns(), {"layout": "another"}), "of another robot"),
        (save(columns()), "of another robot"),
        (saved(states=np.zeros((50, 3), np.float32)), "not hold transitions"),
        (saved(states=np.zeros((50, LAYOUT.size))), "not hold transitions"),
        (saved(states=np.float32(3.0)), "not hold transitions"),
        (saved(more=np.zeros(50, np.float32)), "not hold transitions"),
        (save_in_torch({"states": torch.zeros(3, dtype=torch.bfloat16)}, {"layout": HASH}), "not hold|cannot be read"),
        (save({}, {"layout": HASH}), "not hold transitions"),
        (saved(run=np.full(50, 10**9)), "cannot"),
        (saved(run=np.zeros(50, np.int64)), "cannot"),
        (saved(next=np.full((50, LAYOUT.size), np.nan, np.float32)), "not finite"),
    ],
)
def test_a_file_that_is_no_keepsake_is_refused_with_its_mend(tmp_path, content, reason):
    (tmp_path / keepsake.FILE).write_bytes(content)
    with pytest.raises(ConfigError, match=f"(?s){reason}.*delete it"):
        read(tmp_path / "model.safetensors")


def after_a_round(learner, transitions):
    for each in transitions:
        learner.add(each)
    losses = list(learner.train())
    return learner.judge(float(np.mean(losses)))


def error_on(learner, law):
    """Of the incumbent's candidate, one step ahead."""
    states = np.stack([t.state for t in law])
    actions = np.stack([t.action for t in law]).astype(np.float32)
    following = np.stack([t.next_state for t in law])
    model = learner.incumbent
    start = torch.from_numpy(states)[None].expand(model.members, -1, -1)
    said = model.rollout(start, torch.from_numpy(actions)[None, :, None].expand(model.members, -1, -1, -1))
    return float(np.abs(said[:, :, 0].mean(0).numpy() - following).mean())


def test_a_learner_that_goes_on_with_its_keepsake_forgets_less(tmp_path):
    """It learned an input that pushes; then only zero inputs come, from which nothing can be known about pushes."""
    config = quick_config(first_steps=600, steps=600, tolerance=100.0)
    first = Learner(CARTPOLE, config)
    after_a_round(first, linear_run(600))
    save_model(first, tmp_path)
    model, card = load_model(str(tmp_path), "", LAYOUT)
    ones, no_push = np.ones(LAYOUT.size), np.zeros(1)
    still = [transition(number, ones, no_push, 0.9 * ones) for number in range(600)]
    errors = []
    for kept in (load_keepsake(str(tmp_path), "", LAYOUT), None):
        learner = Learner(CARTPOLE, config, model, card, kept)
        after_a_round(learner, still)
        errors.append(error_on(learner, linear_run(200, seed=9)))
    assert errors[0] < 0.5 * errors[1]


def gone_on_from(folder) -> Learner:
    name = str(folder)
    return Learner(CARTPOLE, quick_config(), *load_model(name, "", LAYOUT), load_keepsake(name, "", LAYOUT))


def test_what_is_remembered_is_not_counted_as_seen(tmp_path):
    first = Learner(CARTPOLE, quick_config())
    after_a_round(first, linear_run(150))
    save_model(first, tmp_path)
    second = gone_on_from(tmp_path)
    assert second.seconds == 0.0 and not second.due()
    second.add(transition(0))
    assert second.seconds == pytest.approx(CARTPOLE.dt)
    assert json.loads((tmp_path / "card.json").read_text())["seconds"] == pytest.approx(150 * CARTPOLE.dt)


def test_data_of_another_latency_replaces_what_this_run_has_seen_and_nothing_else(tmp_path):
    first = Learner(CARTPOLE, quick_config())
    after_a_round(first, linear_run(150))
    save_model(first, tmp_path)
    second = gone_on_from(tmp_path)
    for number in range(20):
        second.add(transition(number))
    second.add(replace(transition(20), flags=Flag.ANEW))
    assert len(second.buffer) == 151 and second.seconds == pytest.approx(CARTPOLE.dt)


def test_a_run_keeps_pieces_of_what_its_versions_learned_from(tmp_path):
    versions = Versions(tmp_path / "run", LAYOUT)
    assert versions.keepsake() is None
    versions.save_keepsake(filled(range(90)))
    assert len(versions.keepsake()["run"]) == 90
