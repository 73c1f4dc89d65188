"""How long and how often somebody stood on which rung of a ladder, on a clock of our own."""

from mbrl_ros.control.rung_times import RungTimes
from mbrl_ros.types import NS


def stood(*steps):
    """One that was told (second, rung) after (second, rung)."""
    times = RungTimes(("full", "fewer", "no_plan"))
    for second, rung in steps:
        times.stand(rung, second * NS)
    return times


def test_nothing_is_stood_on_before_the_first_step():
    said = stood().diagnostics(5 * NS)
    assert (said["rung"], said["rung_seconds"]) == ("-", 0.0)
    assert said["rung_full_entered"] == said["rung_full_seconds"] == 0


def test_staying_on_a_rung_is_entered_once_and_timed_from_the_first_step():
    said = stood((10, "full"), (11, "full"), (12, "full")).diagnostics(13 * NS)
    assert (said["rung"], said["rung_seconds"], said["rung_full_entered"]) == ("full", 3.0, 1)


def test_down_and_up_again_counts_every_entry_and_adds_up_the_stays():
    times = stood((0, "full"), (4, "fewer"), (5, "no_plan"), (7, "fewer"), (10, "full"))
    said = times.diagnostics(11 * NS)
    assert [said[f"rung_{r}_entered"] for r in ("full", "fewer", "no_plan")] == [2, 2, 1]
    assert [said[f"rung_{r}_seconds"] for r in ("full", "fewer", "no_plan")] == [5.0, 4.0, 2.0]
    assert said["rung_seconds"] == 1.0


def test_a_change_is_told():
    times = stood((0, "full"))
    assert times.stand("fewer", NS) and not times.stand("fewer", 2 * NS)
