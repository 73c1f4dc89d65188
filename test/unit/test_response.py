import pytest

from mbrl_ros.control.response import Response, percentiles

MS = 1_000_000
DT = 20 * MS


@pytest.fixture
def response():
    return Response()


def saw(response, k, plan_ms=None, command_ms=None):
    """State, plan and command of step k, the last two so many ms after the state."""
    response.state(k * DT, k * DT)
    if plan_ms is not None:
        response.plan(k, k * DT, k * DT + plan_ms * MS)
    if command_ms is not None:
        response.applied(k, k * DT + command_ms * MS)


def test_plan_and_command_are_timed_from_the_state_that_they_are_made_of(response):
    for k in range(3):
        saw(response, k, plan_ms=2 + k, command_ms=5 + k)
    assert list(response.plan_ms) == [2, 3, 4] and list(response.command_ms) == [5, 6, 7]


def test_only_the_first_time_that_a_plan_is_executed_counts(response):
    for k in range(3):
        saw(response, k, plan_ms=2, command_ms=3)
        response.applied(k, k * DT + 10 * MS)
    assert list(response.command_ms) == [3, 3, 3]


def test_with_a_delay_the_command_comes_a_step_later(response):
    for k in range(4):
        saw(response, k, plan_ms=6)
        response.applied(k - 1, k * DT + 1 * MS)
    assert list(response.command_ms) == [21, 21, 21]


def test_command_that_is_heard_of_before_its_plan_is_timed_all_the_same(response):
    saw(response, 0, plan_ms=2, command_ms=3)
    response.applied(0, 10 * MS)
    response.state(DT, DT)
    response.applied(1, DT + 3 * MS)
    response.plan(1, DT, DT + 2 * MS)
    response.applied(1, DT + 10 * MS)
    assert list(response.command_ms) == [3, 3]


def test_plan_that_is_never_executed_has_no_command(response):
    for k in range(4):
        saw(response, k, plan_ms=19, command_ms=None if k == 1 else 20)
    assert len(response.plan_ms) == 4 and list(response.command_ms) == [20, 20, 20]
    response.applied(1, 5 * DT)  # its successors have been executed since
    assert len(response.command_ms) == 3


def test_plan_of_a_state_that_was_not_seen_is_not_timed(response):
    response.plan(0, 0, 5 * MS)
    response.applied(0, 6 * MS)
    assert not response.plan_ms and not response.command_ms


def test_planner_that_starts_again_counts_its_plans_anew(response):
    for k in range(5):
        saw(response, k, plan_ms=2, command_ms=3)
    for k in range(5, 8):
        response.state(k * DT, k * DT)
        response.plan(k - 5, k * DT, k * DT + 4 * MS)
        response.applied(k - 5, k * DT + 5 * MS)
    assert list(response.command_ms) == [3] * 5 + [5] * 3


def test_states_that_are_passed_on_are_timed_each_way(response):
    for k in range(3):
        saw(response, k)
        response.hopped("once", k * DT, k * DT + 1 * MS)
        response.hopped("twice", k * DT, k * DT + 2 * MS)
    response.hopped("once", 99 * DT, 99 * DT)  # of a state that was not seen
    report = response.report()
    assert report["bare_hop_once"] == {"p50": 1, "p95": 1, "p99": 1, "max": 1}
    assert report["bare_hop_twice"]["max"] == 2
    assert report["plan"] == report["command"] == percentiles([]) == dict.fromkeys(("p50", "p95", "p99", "max"))


def test_what_is_remembered_does_not_grow(response):
    for k in range(1000):
        saw(response, k, plan_ms=2)
    assert len(response._states) <= 200 and len(response._awaited) <= 200
