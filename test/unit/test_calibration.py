"""What a model's members disagree by, as the probability that it is off by more than usual."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, SMALL

from mbrl_ros.dynamics.calibration import BEYOND_99, FEWEST, STEPS, Calibration, calibrated
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.storage import Card, ModelRefused, from_bytes, read_header, to_bytes
from mbrl_ros.learning.models import load_model
from mbrl_ros.paths import model_file
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot

LAYOUT = FeatureLayout(CARTPOLE)
SCALES = np.array([1.0, 10.0, 0.1, 1.0], np.float32)
KNOWN = Calibration(band=0.1, usual=0.2, floor=0.1, inflation=1.5, width=0.2)
CARD = Card(CARTPOLE.name, CARTPOLE.layout_hash, 7, 1.0, 0.1, 0.9)


class Guessing:
    """Nothing ever changes, and members disagree by what the action says: they are wrong by about twice as much."""

    members = 5

    def rollout(self, states, actions):
        generator = torch.Generator().manual_seed(states.shape[1])
        members, batch, steps, _ = actions.shape
        off = torch.randn(members + 1, batch, 1, states.shape[-1], generator=generator).expand(-1, -1, steps, -1)
        off = off[:members] + 2 * off[members:]  # what all of them have in common is wrong, too
        return states[:, :, None] + actions * off * torch.from_numpy(SCALES)


class Alone(Guessing):
    """The truth is what they agree about."""

    def rollout(self, states, actions):
        predicted = super().rollout(states, actions)
        return predicted - predicted.mean(0) + states[:, :, None]


def world(count, seed=0, noise=0.05):
    """Windows in which nothing changes but by the sensors' noise, and how unsure Guessing is in each."""
    generator = np.random.default_rng(seed)
    states = noise * SCALES * generator.normal(size=(count, STEPS + 1, len(SCALES)))
    unsure = np.repeat(0.05 * np.exp(0.7 * generator.normal(size=(count, 1, 1))), STEPS, 1)
    return states.astype(np.float32), unsure.astype(np.float32)


def judged(model, states, actions):
    start = torch.from_numpy(states[:, 0]).expand(5, -1, -1)
    predicted = model.rollout(start, torch.from_numpy(actions).expand(5, -1, -1, -1))
    off = ((predicted.mean(0).numpy() - states[:, 1:]) / SCALES) ** 2
    apart = predicted.var(0, correction=0).numpy() / SCALES**2
    return np.sqrt(off.mean((1, 2))), np.sqrt(apart.mean((1, 2)))


def test_doubt_is_a_probability_that_grows_with_disagreement():
    doubts = [KNOWN.doubt(d) for d in (0.0, 0.05, 0.1, 0.2, 0.4, 10.0)]
    assert doubts == sorted(doubts) and 0.0 <= doubts[0] < 0.001 and doubts[-1] > 0.999
    even = np.sqrt(KNOWN.usual**2 - KNOWN.floor**2) / KNOWN.inflation
    assert KNOWN.doubt(even) == pytest.approx(0.5)


@pytest.mark.parametrize("endless", [np.inf, np.nan])
def test_what_is_not_finite_is_doubted_altogether(endless):
    assert KNOWN.doubt(endless) == 1.0


def test_where_members_agree_the_error_is_the_noise_and_where_they_part_it_grows_with_them():
    states, unsure = world(2000)
    found = calibrated(Guessing(), states, unsure, SCALES)
    assert found.floor == pytest.approx(0.05 * np.sqrt(2), rel=0.1)
    assert found.inflation == pytest.approx(np.sqrt((4 + 1 / 5) / (4 / 5)), rel=0.15)


def test_members_that_are_wrong_each_by_itself_are_less_wrong_together_and_not_less_than_that():
    states, unsure = world(2000)
    found = calibrated(Alone(), states, unsure, SCALES)
    assert found.inflation == pytest.approx(1 / np.sqrt(5), rel=0.1)


def test_as_many_are_beyond_the_bands_as_they_say():
    found = calibrated(Guessing(), *world(2000), SCALES)
    states, unsure = world(3000, seed=1)
    error, apart = judged(Guessing(), states, unsure)
    assert 0.002 < np.mean(error > found.usual) < 0.03
    one_step, _ = judged(Guessing(), states[:, :2], unsure[:, :1])
    assert 0.001 < np.mean(one_step > found.band) < 0.03


def test_doubt_is_about_the_share_that_turns_out_wrong():
    """In a world where members part four times as far as in the data."""
    found = calibrated(Guessing(), *world(2000), SCALES)
    states, unsure = world(4000, seed=2)
    error, apart = judged(Guessing(), states, 4 * unsure)
    doubt = np.array([found.doubt(d) for d in apart])
    wrong = error > found.usual
    assert wrong[doubt < 0.05].mean() < 0.1
    assert wrong[doubt > 0.95].mean() > 0.7
    assert (doubt > 0.95).any() and (doubt < 0.05).any()


def test_too_little_data_says_nothing():
    assert calibrated(Guessing(), *world(FEWEST - 1), SCALES) is None
    assert calibrated(Guessing(), *world(FEWEST), SCALES) is not None


def test_a_model_that_is_not_finite_has_no_calibration():
    states, unsure = world(100)
    assert calibrated(Guessing(), states, np.full_like(unsure, np.inf), SCALES) is None


def test_a_hundred_windows_say_what_one_in_a_hundred_is_beyond():
    """By mean and spread, not by the largest one."""
    states, unsure = world(200)
    found = calibrated(Guessing(), states, unsure, SCALES)
    error = np.log(judged(Guessing(), states, unsure)[0])
    assert found.usual == pytest.approx(np.exp(error.mean() + BEYOND_99 * error.std()), rel=1e-4)


def test_it_travels_on_the_card():
    model = new_ensemble(SMALL, LAYOUT, 0)
    for card in (CARD, replace(CARD, calibration=KNOWN)):
        assert from_bytes(to_bytes(model, card), LAYOUT)[1] == card


def test_a_file_from_before_is_read_as_one_without():
    content = to_bytes(new_ensemble(SMALL, LAYOUT, 0), CARD)
    old = content.replace(b', \\"calibration\\": null', b"")
    size = int.from_bytes(old[:8], "little") - (len(content) - len(old))
    old = size.to_bytes(8, "little") + old[8:]
    assert "calibration" not in json.loads(read_header(old)["card"])
    assert from_bytes(old, LAYOUT)[1].calibration is None


@pytest.mark.parametrize("spoilt", [{"band": -1.0}, {"width": 0.0}, {"usual": 1e400}])
def test_numbers_that_cannot_be_are_refused(spoilt):
    with pytest.raises(ValueError, match="above zero"):
        replace(KNOWN, **spoilt)
    content = to_bytes(new_ensemble(SMALL, LAYOUT, 0), replace(CARD, calibration=KNOWN))
    with pytest.raises(ModelRefused, match="calibration"):
        from_bytes(content.replace(b'\\"band\\": 0.1', b'\\"band\\": -.1').replace(b"-.1", b"0.0"), LAYOUT)


@pytest.mark.parametrize("run, robot", [("quadruped_mpc", "go1_like"), ("cartpole_mpc", "cartpole")])
def test_a_shipped_model_is_calibrated_by_its_keepsake_and_its_file_stays_as_it_is(run, robot):
    layout = FeatureLayout(load_robot(robot))
    content = model_file("pretrained", run).read_bytes()
    _, card = load_model("pretrained", run, layout)
    assert card.calibration is not None
    assert replace(card, calibration=None) == from_bytes(content, layout)[1]
    assert model_file("pretrained", run).read_bytes() == content


def test_a_model_without_a_keepsake_stays_without(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(to_bytes(new_ensemble(SMALL, LAYOUT, 0), CARD))
    assert load_model(str(tmp_path), "", LAYOUT)[1] == CARD


def test_a_single_member_disagrees_with_nobody_and_has_no_calibration():
    model = Guessing()
    model.members = 1
    assert calibrated(model, *world(2000), SCALES) is None
