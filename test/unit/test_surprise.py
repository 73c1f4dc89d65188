"""Transitions beside what was expected of them: a bad model is told from a robot that is pushed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, transition

from mbrl_ros.control.surprise import KEPT, RECENT, SURPRISING, Predictor, Surprises
from mbrl_ros.dynamics.calibration import Calibration
from mbrl_ros.robots.features import FeatureLayout

LAYOUT = FeatureLayout(CARTPOLE)
KNOWN = Calibration(band=0.1, usual=0.2, floor=0.05, inflation=1.5, width=0.2)


class Off:
    """Expects the state to change by so many usual sizes."""

    members = 3

    def __init__(self, off):
        self.off = off

    def rollout(self, states, actions):
        return states[:, :, None] + self.off * torch.from_numpy(LAYOUT.scales)


def version(off, calibration=KNOWN):
    return Predictor(Off(off), calibration)


def step(number, change=0.0):
    """A step of a robot that changes by so many usual sizes."""
    state = np.zeros(LAYOUT.size, np.float32)
    return transition(number, state, following=state + change * LAYOUT.scales)


def seen(flown, before, count, change=0.0, surprises=None):
    """What was said of each of `count` steps."""
    surprises = surprises or Surprises(LAYOUT.scales)
    return [surprises.look(step(k, change), flown, before) for k in range(count)]


def test_within_its_band_nothing_is_a_surprise():
    assert seen(version(0.09), version(0.0), 30) == [None] * 30


def test_beyond_its_band_for_a_while_where_the_one_before_knows_better_it_is_the_model():
    said = seen(version(0.3), version(0.02), SURPRISING + 1)
    assert said[: SURPRISING - 1] == [None] * (SURPRISING - 1)
    found = said[SURPRISING - 1]
    assert (found.error, found.better) == (pytest.approx(0.3), pytest.approx(0.02))
    assert found.reason.startswith("one-step error 0.3 in the last 10 steps, beyond its band of 0.1; ")
    assert found.reason.endswith("the version before it has 0.02")


@pytest.mark.parametrize("before", [version(0.0), version(0.08), None])
def test_a_push_surprises_both_and_is_nobodys_fault(before):
    found = seen(version(0.05), before, 20, change=1.0)[-1]
    assert found.better is None and found.error > 0.9


def test_some_steps_beyond_the_band_are_none():
    surprises = Surprises(LAYOUT.scales)
    for k in range(60):
        change = 1.0 if k % RECENT < SURPRISING - 1 else 0.0
        assert surprises.look(step(k, change), version(0.0), version(0.9)) is None
    assert surprises.beyond == 6 * (SURPRISING - 1)


def test_it_ends_when_the_robot_does_again_what_is_expected():
    surprises = Surprises(LAYOUT.scales)
    assert seen(version(0.0), None, RECENT, 1.0, surprises)[-1]
    assert seen(version(0.0), None, RECENT, 0.0, surprises)[-1] is None


def test_a_card_that_allows_everything_does_not_keep_its_model_from_being_compared():
    generous = replace(KNOWN, band=100.0)
    assert seen(version(0.3, generous), version(0.02), SURPRISING)[-1].better == pytest.approx(0.02)
    assert seen(version(0.3, generous), version(0.25), SURPRISING)[-1] is None


def test_without_any_calibration_nothing_is_known_to_be_a_surprise():
    assert seen(version(5.0, None), version(0.0, None), 20)[-1] is None


@pytest.mark.parametrize("endless", [float("nan"), float("inf")])
def test_what_is_not_finite_is_a_surprise(endless):
    assert seen(version(endless), version(0.0), SURPRISING)[-1].better == 0.0


def test_another_model_is_not_blamed_for_what_the_last_one_expected():
    surprises = Surprises(LAYOUT.scales)
    seen(version(0.3), None, RECENT, surprises=surprises)
    surprises.forget()
    assert seen(version(0.3), version(0.0), SURPRISING - 1, surprises=surprises)[-1] is None


def arriving(new, flown, count=KEPT, change=0.0):
    surprises = Surprises(LAYOUT.scales)
    seen(flown, None, count, change, surprises)
    return surprises.objection(new, flown)


def test_an_arriving_model_that_predicts_the_last_second_far_worse_is_not_flown():
    assert arriving(version(0.3), version(0.05)) == (
        "on the newest 50 steps it has a one-step error of 0.3, beyond its band of 0.1; the flown version has 0.05"
    )
    assert arriving(version(float("nan")), version(0.05))
    assert arriving(version(0.3, None), version(0.05)), "a card without a band excuses nothing"
    assert arriving(version(0.3, replace(KNOWN, band=9.0)), version(0.05))


def test_one_that_is_about_as_good_or_within_its_band_or_cannot_be_told_yet_is():
    assert arriving(version(0.3), version(0.25)) == ""
    assert arriving(version(0.09), version(0.001)) == ""
    assert arriving(version(0.0), version(5.0)) == ""
    assert arriving(version(0.3), version(0.0), count=RECENT - 1) == ""
    assert arriving(version(0.3), version(0.05), change=2.0) == "", "neither knows what goes on"
    assert arriving(version(0.3, None), version(0.0, None)) == ""
