"""`mbrl bench uncertainty`: intervals, what counts as a fall, the picture of calibration, hardly any learning."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mbrl_ros.bench import uncertainty_cartpole, uncertainty_cliff, uncertainty_reliability
from mbrl_ros.bench.experiments import Figure, Suite
from mbrl_ros.bench.intervals import interval, wilson
from mbrl_ros.bench.uncertainty import EXPERIMENTS
from mbrl_ros.bench.uncertainty_doing import Drive, alone, driven, random_motion
from mbrl_ros.bench.uncertainty_picture import plot_calibration
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.settings import TREATMENTS

CLIFF = load_run("cliff_mpc").with_setting("planner.mppi.samples", 40)
HILL = load_robot("cliff_cart")


class Rising:
    """All that early data say: the further right, the higher, and the cart goes where it is pushed."""

    members = 1

    def rollout(self, states, actions):
        path = states[:, :, None].expand(-1, -1, actions.shape[2], -1).clone()
        gone = (0.1 * actions[..., 0]).cumsum(2)
        path[..., 0] += gone
        path[..., 1] += 0.1 * gone
        return path


def test_wilsons_interval_is_no_point_where_all_seeds_agree():
    assert wilson(0, 20) == pytest.approx((0.0, 0.161), abs=1e-3)
    assert wilson(20, 20) == pytest.approx((0.839, 1.0), abs=1e-3)
    assert wilson(10, 20) == pytest.approx((0.299, 0.701), abs=1e-3)


def test_means_of_other_numbers_are_as_sure_as_their_seeds_agree():
    assert interval([0.0, 1.0] * 10, yes_or_no=True) == wilson(10, 20)
    with pytest.raises(ValueError, match=r"neither yes nor no: \[0.5\]"):
        interval([0.0, 0.5], yes_or_no=True)
    assert interval([3.0] * 5) == (3.0, 3.0)
    assert interval([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx((3 - 1.963, 3 + 1.963), abs=1e-3)
    assert interval([1.0]) is None
    low, high = interval(np.random.default_rng(0).normal(size=4000))
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(4000), rel=0.05)


def test_who_believes_that_right_is_higher_drives_over_the_cliff_and_who_knows_the_hill_stays_on_it():
    naive = driven(alone(CLIFF), HILL, Rising(), seed=0, seconds=5.0)
    knowing = driven(alone(CLIFF), HILL, AnalyticModel(HILL), seed=0, seconds=5.0)
    assert naive.falls > 0 and knowing.falls == 0
    assert knowing.states[-1, 0] > 1.5


def test_the_end_of_an_episode_is_its_last_five_seconds():
    drive = Drive(0, np.arange(200.0)[:, None], np.ones(200, bool))
    assert drive.states[drive.kept(0.05), 0].tolist() == list(range(100, 200))


def test_random_motion_is_put_back_to_the_foot():
    """And what leads from before to after is no step."""
    data = random_motion(CLIFF, HILL, 4.0, 0, again=1.0)
    gaps = np.diff([t.stamp_ns for t in data]) > 1.5 * HILL.dt_ns
    assert gaps.sum() == 3
    begun = [data[0], *(t for t, new in zip(data[1:], gaps, strict=True) if new)]
    assert all(abs(t.state[0]) < 0.2 for t in begun)


def quick(monkeypatch):
    """Hardly any data, training and driving."""

    def with_little(name):
        run = load_run(name)
        for setting, value in (
            ("planner.mppi.horizon", 5), ("learner.first_seconds", 2.0), ("learner.ensemble.width", 8),
            ("learner.train.batch", 4),
        ):  # fmt: skip
            run = run.with_setting(setting, value)
        return run

    for module in (uncertainty_cliff, uncertainty_cartpole):
        monkeypatch.setattr(module, "load_run", with_little)
        monkeypatch.setattr(module, "EPISODE", 0.4)
        monkeypatch.setattr(module, "LEARNING", {"first_steps": 3, "steps": 1})
    monkeypatch.setattr(uncertainty_cliff, "EARLY", 3.0)
    monkeypatch.setattr(uncertainty_cliff, "LOOP", 4.0)
    monkeypatch.setattr(uncertainty_cliff, "LONGER", 3)
    monkeypatch.setattr(uncertainty_cartpole, "LITTLE", 3.0)
    monkeypatch.setattr(uncertainty_cartpole, "LESS", 3.0)
    monkeypatch.setattr(uncertainty_cartpole, "SAMPLES", 20)
    monkeypatch.setattr(uncertainty_reliability, "FIT", replace(uncertainty_reliability.FIT, steps=3, batch=8))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_finite_figures_and_every_treatment_its_own(name, monkeypatch):
    quick(monkeypatch)
    figures = EXPERIMENTS[name](0)
    assert figures and all(math.isfinite(value) for value in figures.values())
    if name in ("cliff", "cartpole_poor"):
        assert all(any(treatment in figure for figure in figures) for treatment in TREATMENTS)


def test_coverage_is_drawn_from_the_figures_and_only_where_they_are(monkeypatch, tmp_path):
    quick(monkeypatch)
    suite = Suite("uncertainty")
    found = EXPERIMENTS["reliability"](0)
    rows: dict[str, Figure] = {what: suite.figure(what, (value,)) for what, value in found.items()}
    assert plot_calibration(rows, tmp_path / "calibration.png")
    assert (tmp_path / "calibration.png").stat().st_size > 10_000
    assert not plot_calibration({}, tmp_path / "nothing.png") and not (tmp_path / "nothing.png").exists()
