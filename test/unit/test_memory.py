"""What a model has learned from is kept beside it, and a learner that goes on from it forgets nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, linear_run, quick_config, transition
from safetensors.numpy import save

from mbrl_ros.config import ConfigError
from mbrl_ros.data import memory
from mbrl_ros.data.replay import ReplayBuffer
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import load_memory, load_model, save_model
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
    return memory.beside(path, HASH, LAYOUT.size, 1)


def remembered(buffer, folder, capacity=10_000) -> ReplayBuffer:
    (folder / memory.FILE).write_bytes(memory.to_bytes(buffer, HASH))
    other = ReplayBuffer(capacity, LAYOUT.size, 1, CARTPOLE.dt_ns)
    other.remember(read(folder / "model.safetensors"))
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


def test_only_the_newest_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MOST", 100)
    second = remembered(filled(range(250)), tmp_path)
    assert len(second) == 100
    assert second.sequences(second.starts(1, False), 1)[0].min() >= 150


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


def test_no_file_is_no_memory(tmp_path):
    assert read(tmp_path / "model.safetensors") is None


def columns(**changes):
    return filled(range(50)).newest(50) | changes


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"rubbish", "cannot be read"),
        (save(columns(), {"layout": "another"}), "of another robot"),
        (save(columns()), "of another robot"),
        (save(columns(states=np.zeros((50, 3), np.float32)), {"layout": HASH}), "not a memory"),
        (save(columns(more=np.zeros(50, np.float32)), {"layout": HASH}), "not a memory"),
        (save(columns(next=np.full((50, LAYOUT.size), np.nan, np.float32)), {"layout": HASH}), "not finite"),
    ],
)
def test_a_file_that_is_no_memory_is_refused_with_its_mend(tmp_path, content, reason):
    (tmp_path / memory.FILE).write_bytes(content)
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


def test_a_learner_that_goes_on_with_its_memory_forgets_less(tmp_path):
    """It learned an input that pushes; then only zero inputs come, from which nothing can be known about pushes."""
    config = quick_config(first_steps=600, steps=600, tolerance=100.0)
    first = Learner(CARTPOLE, config)
    after_a_round(first, linear_run(600))
    save_model(first, tmp_path)
    model, card = load_model(str(tmp_path), "", LAYOUT)
    ones, no_push = np.ones(LAYOUT.size), np.zeros(1)
    still = [transition(number, ones, no_push, 0.9 * ones) for number in range(600)]
    errors = []
    for kept in (load_memory(str(tmp_path), "", LAYOUT), None):
        learner = Learner(CARTPOLE, config, model, card, kept)
        after_a_round(learner, still)
        errors.append(error_on(learner, linear_run(200, seed=9)))
    assert errors[0] < 0.5 * errors[1]


def gone_on_from(folder) -> Learner:
    name = str(folder)
    return Learner(CARTPOLE, quick_config(), *load_model(name, "", LAYOUT), load_memory(name, "", LAYOUT))


def test_what_is_remembered_is_not_counted_as_seen(tmp_path):
    first = Learner(CARTPOLE, quick_config())
    after_a_round(first, linear_run(150))
    save_model(first, tmp_path)
    second = gone_on_from(tmp_path)
    assert second.seconds == 0.0 and not second.due()
    second.add(transition(0))
    assert second.seconds == pytest.approx(CARTPOLE.dt)
    assert json.loads((tmp_path / "card.json").read_text())["seconds"] == pytest.approx(150 * CARTPOLE.dt)


def test_data_of_another_latency_ends_the_memory(tmp_path):
    first = Learner(CARTPOLE, quick_config())
    after_a_round(first, linear_run(150))
    save_model(first, tmp_path)
    second = gone_on_from(tmp_path)
    second.add(replace(transition(0), flags=Flag.ANEW))
    assert len(second.buffer) == 1 and second.seconds == pytest.approx(CARTPOLE.dt)
