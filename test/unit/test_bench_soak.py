"""What a long run's samples say about memory, and what `mbrl bench soak` makes of it."""

import json

import pytest

from mbrl_ros.bench.soak import Sample, growth, summary
from mbrl_ros.bench.soak_picture import plot_soak
from mbrl_ros.cli import main


def samples(rss, count=61, process="planner", **changes) -> list[Sample]:
    """One a minute; `rss(hours)` in MB."""
    about = {"falls": 0, "version": 1, "sent": 0, "missing": 0.0, "cpu_share": 0.5, **changes}
    return [Sample(60.0 * k, 30.0 * k + 5, process, rss(k / 60), steps=3000 * k, **about) for k in range(count)]


def test_growth_is_that_of_the_last_two_thirds():
    leaking = samples(lambda hours: 100.0 + (900.0 * hours if hours < 0.3 else 270.0 + 5.0 * hours))
    assert growth(leaking, "planner", 3600.0) == pytest.approx(5.0)
    assert growth(samples(lambda hours: 80.0), "planner", 3600.0) == pytest.approx(0.0, abs=1e-9)
    assert growth(leaking, "guard", 3600.0) is None
    assert growth(leaking[:3], "planner", 120.0) is None


def test_summary_of_several_processes():
    planner, guard = samples(lambda hours: 100.0 + 6.0 * hours), samples(lambda hours: 50.0, process="guard")
    both = [sample for pair in zip(planner, guard, strict=True) for sample in pair]
    about = summary(both, 3600.0, [], {"falls": 2, "model": 7, "transitions_sent": 180_000, "missing": 0.0})
    assert about["whole"] and about["steps"] == 180_000 and about["steps_per_wall_second"] == pytest.approx(100.0)
    assert (about["falls"], about["version"], about["losses"], about["crashes"]) == (2, 7, 0, 0)
    assert about["processes"]["planner"]["growth_mb_per_hour"] == pytest.approx(6.0)
    flat = {"rss_first_mb": 50.0, "rss_last_mb": 50.0, "rss_most_mb": 50.0}
    assert about["processes"]["guard"] == flat | {"growth_mb_per_hour": pytest.approx(0.0, abs=1e-9), "cpu_share": 0.5}
    json.dumps(about, allow_nan=False)


def test_summary_of_a_run_that_never_began():
    about = summary([], 60.0, ["planner"], {})
    assert not about["whole"] and about["crashes"] == 1 and about["losses"] is None
    json.dumps(about, allow_nan=False)


def test_the_picture_is_drawn_even_of_nothing(tmp_path):
    for k, found in enumerate((samples(lambda h: 100.0), [])):
        assert plot_soak(found, tmp_path / "there" / f"{k}.png", "soak").stat().st_size > 1000


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf"])
def test_hours_that_are_none_are_refused_before_anything_starts(hours, capsys):
    assert main(["bench", "soak", "cartpole_mpc", f"--hours={hours}"]) != 0
    assert "--hours" in capsys.readouterr().err
