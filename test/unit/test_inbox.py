"""Transitions over a topic that may repeat itself or lose some."""

from learning_driver import transition

from mbrl_ros.data.inbox import MOST_STARTS, Inbox


def received(*arrivals) -> tuple[Inbox, list[bool]]:
    """(start of the planner, sequence) one after another."""
    inbox = Inbox()
    return inbox, [inbox.accept(transition(sequence, start_ns=start)) for start, sequence in arrivals]


def counts(inbox):
    return inbox.received, inbox.duplicates, inbox.missing


def test_each_transition_is_taken_once():
    inbox, taken = received((1, 0), (1, 1), (1, 1), (1, 0), (1, 2))
    assert taken == [True, True, False, False, True]
    assert counts(inbox) == (3, 2, 0)


def test_a_gap_counts_what_is_missing():
    inbox, taken = received((1, 0), (1, 4), (1, 5))
    assert taken == [True] * 3
    assert counts(inbox) == (3, 0, 3)


def test_a_topic_that_begins_in_the_middle_has_lost_nothing():
    inbox, _ = received((1, 700), (1, 701))
    assert counts(inbox) == (2, 0, 0)
    assert inbox.newest == 701


def test_a_planner_that_started_anew_is_no_loss_and_its_numbers_are_new():
    inbox, taken = received((1, 0), (1, 1), (9, 0), (9, 1))
    assert taken == [True] * 4
    assert counts(inbox) == (4, 0, 0)


def test_a_planner_that_started_after_the_clock_was_set_back_is_heard():
    inbox, taken = received((9, 0), (9, 1), (1, 0), (1, 1), (1, 1), (9, 1))
    assert taken == [True] * 4 + [False] * 2
    assert counts(inbox) == (4, 2, 0)


def test_what_a_later_planner_sent_first_and_never_came_is_missing():
    inbox, _ = received((1, 700), (9, 50), (9, 51))
    assert counts(inbox) == (3, 0, 50)


def test_of_planners_without_end_those_heard_last_are_remembered():
    inbox, _ = received((5, 0), *((start, 0) for start in range(10, 10 + MOST_STARTS - 2)))
    inbox.accept(transition(1, start_ns=5))
    for start in range(1000, 1000 + MOST_STARTS - 1):
        inbox.accept(transition(0, start_ns=start))
    assert len(inbox._newest) == MOST_STARTS
    assert not inbox.accept(transition(1, start_ns=5))


def test_a_last_minute_that_is_sent_again_is_not_learned_twice():
    once = [(1, k) for k in range(50)]
    inbox, taken = received(*once, *once, (1, 50))
    assert counts(inbox) == (51, 50, 0)
    assert taken[-1]
