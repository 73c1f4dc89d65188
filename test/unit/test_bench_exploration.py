"""`mbrl bench exploration`: seconds to an error, what is compared with what, and hardly any learning."""

import math

import pytest

from mbrl_ros.bench import exploration_data
from mbrl_ros.bench.experiments import CURVE, Suite
from mbrl_ros.bench.exploration_data import final, seconds_to
from mbrl_ros.bench.exploration_picture import plot_exploration
from mbrl_ros.bench.exploration_ways import EXPERIMENTS, compared
from mbrl_ros.runs import load_run

ERRORS = {3: 0.8, 4: 0.4, 5: 0.5, 6: 0.2}


def test_seconds_to_an_error_lie_on_the_line_between_two_rounds_of_training():
    assert seconds_to(ERRORS, 0.8) == 3.0
    assert seconds_to(ERRORS, 0.6) == pytest.approx(3.5)
    assert seconds_to(ERRORS, 0.3) == pytest.approx(5 + 2 / 3)


def test_who_never_gets_there_has_needed_all_data():
    assert seconds_to(ERRORS, 0.1) == 6.0


def test_the_last_error_is_that_of_three_rounds():
    assert final(ERRORS) == pytest.approx((0.4 + 0.5 + 0.2) / 3)


def test_others_are_measured_by_the_first():
    slow = {s: 1.0 / s for s in range(3, 31)}
    fast = {s: 2.0 / s for s in range(3, 31)} | {s: 0.5 / s for s in range(10, 31)}
    found = compared("explore", "pendulum", {"random": slow, "counts": fast})
    assert found["explore: data to the same error, random is 1, pendulum, counts"] == pytest.approx(14.5 / 29, rel=0.02)
    assert found["explore, last error, random is 1, pendulum, counts"] == pytest.approx(0.5)
    assert found[f"{CURVE}explore, pendulum, counts, 10 s"] == pytest.approx(0.05)


@pytest.fixture
def quick(monkeypatch):
    def with_little(name):
        run = load_run(name)
        for setting, value in (
            ("planner.mppi.samples", 20), ("planner.mppi.horizon", 4), ("learner.ensemble.width", 8),
            ("learner.train.batch", 4),
        ):  # fmt: skip
            run = run.with_setting(setting, value)
        return run

    monkeypatch.setattr(exploration_data, "load_run", with_little)
    monkeypatch.setattr(exploration_data, "LEARNING", {"first_seconds": 2.0, "first_steps": 3, "steps": 1})
    for name, value in (("SECONDS", 4), ("WINDOWS", 20)):
        monkeypatch.setattr(exploration_data, name, value)
    monkeypatch.setattr("mbrl_ros.bench.exploration_ways.SECONDS", 4)
    exploration_data.judges.cache_clear()
    yield
    exploration_data.judges.cache_clear()


@pytest.mark.parametrize("name", ["explore_pendulum", "explore_car", "replay_cartpole"])
def test_experiments_have_finite_figures_and_a_curve_that_is_drawn(name, quick, tmp_path):
    found = EXPERIMENTS[name](0)
    assert all(math.isfinite(value) for value in found.values())
    suite = Suite("exploration")
    assert plot_exploration({k: suite.figure(k, (v, v)) for k, v in found.items()}, tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 5000


def test_nothing_is_drawn_of_nothing(tmp_path):
    assert not plot_exploration({}, tmp_path / "p.png")
