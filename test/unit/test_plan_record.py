"""What the planner says of its ticks, and the rungs that it stands on, on a clock of our own."""

import pytest

from mbrl_ros.control.pace import RETURN, Pace
from mbrl_ros.nodes.plan_record import FEWER, FULL, PlanRecord
from mbrl_ros.types import NS

DT = 0.02  # s
STEP_NS = round(DT * NS)


class Ticks:
    """A planner at 50 Hz: one tick after another, each of a given duration, None for no plan."""

    def __init__(self, most=200):
        self.pace, self.record, self.most, self.now_ns = Pace(most, DT * 1e3, 0.6), PlanRecord(DT), most, 0

    def take(self, *durations_ms):
        for ms in durations_ms:
            self.now_ns += STEP_NS
            if ms is None:
                self.record.failed(self.now_ns)
                continue
            self.record.planned(ms, None, FULL if self.pace.samples >= self.most else FEWER, self.now_ns)
            self.pace.took(ms)
        return self

    def said(self):
        return self.record.diagnostics(self.now_ns)


def test_nothing_is_known_before_the_first_plan():
    said = Ticks().said()
    assert said["plan_ms_p50"] == said["late_steps"] == 0 and said["rung"] == "-"


def test_percentiles_are_of_the_newest_plans_and_late_ones_are_counted():
    said = Ticks().take(*[5.0] * 98, 25.0, 30.0).said()
    assert said["plan_ms_p50"] == 5.0 and said["plan_ms_p99"] > 20.0 and said["late_steps"] == 2


def test_a_late_plan_leads_one_rung_down_at_once_and_a_run_of_good_ones_up():
    ticks = Ticks().take(5.0, 25.0, 5.0)
    assert ticks.said()["rung"] == "fewer"
    ticks.take(*[5.0] * (RETURN - 2))
    assert ticks.said()["rung"] == "fewer"
    ticks.take(5.0, 5.0)
    said = ticks.said()
    assert said["rung"] == "full" and said["rung_fewer_entered"] == 1
    assert said["rung_fewer_seconds"] == pytest.approx(RETURN * DT)


def test_ticks_without_a_plan_are_a_rung_of_their_own():
    said = Ticks().take(5.0, None, None, None, 5.0).said()
    assert (said["no_plans"], said["rung_no_plan_entered"], said["rung"]) == (3, 1, "full")
    assert said["rung_no_plan_seconds"] == pytest.approx(3 * DT)
