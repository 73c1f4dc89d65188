"""What held-out data has against a candidate, and that the verdict says it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import linear_run
from test_learner import learner, spoil, trained_round

from mbrl_ros.dynamics.evaluation import HeldOut, evaluate
from mbrl_ros.learning.promotion import objection
from mbrl_ros.settings import LearnerConfig

CONFIG = LearnerConfig(tolerance=1.05, calibration_tolerance=1.2)
GOOD = HeldOut(one_step_r2=0.9, error=0.1, spread=0.05, deviations=1.5, windows=100, horizon=20)
NONE = float("nan")


@pytest.mark.parametrize(
    "candidate, incumbent, word",
    [
        (GOOD, None, ""),
        (replace(GOOD, error=NONE), None, "not finite"),
        (replace(GOOD, error=0.104), GOOD, ""),
        (replace(GOOD, error=0.106), GOOD, "held-out error 0.106, the incumbent's is 0.100"),
        (replace(GOOD, deviations=1.79), GOOD, ""),
        (replace(GOOD, error=0.09, deviations=1.81), GOOD, "calibration: held-out errors are 1.81 times"),
        (replace(GOOD, deviations=1.19), replace(GOOD, deviations=0.1), ""),
        (replace(GOOD, deviations=1.21), replace(GOOD, deviations=0.1), "calibration"),
        (replace(GOOD, deviations=NONE), GOOD, "calibration"),
        (replace(GOOD, error=0.083, deviations=5.0), GOOD, ""),
        (replace(GOOD, error=0.084, deviations=5.0), GOOD, "calibration"),
        (GOOD, replace(GOOD, error=NONE), ""),
        (GOOD, replace(GOOD, deviations=NONE), ""),
    ],
)
def test_objection(candidate, incumbent, word):
    said = objection(candidate, incumbent, CONFIG)
    assert said.startswith(word) if word.startswith(("cal", "held")) else word in said
    assert bool(said) == bool(word)


class Off:
    """Members are off by these, everywhere."""

    def __init__(self, *off):
        self.off, self.members = torch.tensor(off)[:, None, None, None], len(off)

    def rollout(self, states, actions):
        return self.off.expand(-1, *actions.shape[1:3], states.shape[-1]).clone()


def deviations(*off, noise=0.1):
    """Where members are off by these."""
    states = np.zeros((30, 4, 2), np.float32)
    scales = np.ones(2, np.float32)
    return evaluate(Off(*off), states, np.zeros((30, 3, 1), np.float32), scales, noise * scales).deviations


def test_errors_are_counted_in_what_members_and_sensors_say_of_them():
    assert deviations(-1.0, 1.0) == 0.0
    assert deviations(0.0, 2.0) == pytest.approx(1 / np.sqrt(1 + 0.01))
    assert deviations(0.3, 0.3) == pytest.approx(3.0), "nothing is surer than the sensors"
    assert deviations(1e9, 1e9) == pytest.approx(10.0), "and no single number is off without end"


def test_a_candidate_whose_members_have_become_one_is_not_promoted_for_its_calibration():
    """Its error is nearly the same, but nothing tells any more where it is wrong."""
    one = learner(300, tolerance=1e9)
    trained_round(one)
    spoil(one, 0.05)
    with torch.no_grad():
        for parameter in one.candidate.trainer.model.parameters:
            parameter.copy_(parameter[:1].expand_as(parameter).clone())
    verdict = one.judge()
    assert not verdict.promoted and verdict.objection.startswith("calibration: ")
    assert one.version == 1


def test_the_verdict_says_nothing_against_what_it_promotes_and_the_card_is_calibrated():
    one = learner(300)
    _, verdict = trained_round(one)
    assert verdict.promoted and verdict.objection == ""
    assert verdict.card.calibration is not None and one.card is verdict.card


def test_same_data_same_calibration():
    cards = [trained_round(learner(300))[1].card for _ in range(2)]
    assert cards[0] == cards[1]


def test_where_nothing_is_held_out_yet_nothing_is_calibrated():
    one = learner()
    for t in linear_run(110):
        one.add(t)
    assert trained_round(one)[1].card.calibration is None
