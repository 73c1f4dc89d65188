"""When complete states stop coming, the topic that is missing is named."""

import pytest

from mbrl_ros.nodes.state_watch import StateWatch
from mbrl_ros.types import NS

MS = NS // 1000
PATIENCE = 30 * MS


@pytest.fixture
def silent():
    return ["imu/data"]


@pytest.fixture
def watch(silent):
    return StateWatch(PATIENCE, lambda patience_ns: silent if patience_ns == PATIENCE else None)


def test_states_that_keep_coming_are_no_trouble(watch):
    for k in range(5):
        watch.state(20 * MS * k)
        assert watch.look(20 * MS * k + PATIENCE) == ""
    assert watch.report() == "" and watch.gaps == 0


def test_a_gap_names_the_silent_topic_and_counts_once(watch):
    watch.state(0)
    assert watch.look(40 * MS) == "no complete state for 0.04 s: nothing usable on imu/data"
    assert watch.look(500 * MS) == "no complete state for 0.50 s: nothing usable on imu/data"
    assert watch.gaps == 1
    watch.state(510 * MS)
    assert watch.look(520 * MS) == ""
    watch.look(600 * MS)
    assert watch.gaps == 2


def test_a_gap_that_is_over_is_still_reported_once(watch):
    watch.state(0)
    watch.look(100 * MS)
    watch.state(110 * MS)
    assert "0.10 s" in watch.report()
    assert watch.report() == ""


def test_before_the_first_state_nothing_is_a_gap_but_the_report_says_what_is_awaited(watch, silent):
    silent.append("odom")
    assert watch.look(NS) == "" and watch.gaps == 0
    assert watch.report() == watch.report() == "no complete state yet: nothing usable on imu/data, odom"


def test_topics_that_all_come_and_never_together_are_told_apart_from_silence(watch, silent):
    silent.clear()
    watch.state(0)
    assert watch.look(NS).endswith("the stamps of its topics do not agree")
