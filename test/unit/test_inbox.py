"""Transitions over a topic that may repeat itself or lose some."""

from learning_driver import transition

from mbrl_ros.data.inbox import Inbox


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


def test_what_an_earlier_planner_still_sends_is_not_taken():
    inbox, taken = received((9, 0), (1, 2), (1, 3), (9, 1))
    assert taken == [True, False, False, True]
    assert counts(inbox) == (2, 2, 0)


def test_a_last_minute_that_is_sent_again_is_not_learned_twice():
    once = [(1, k) for k in range(50)]
    inbox, taken = received(*once, *once, (1, 50))
    assert counts(inbox) == (51, 50, 0)
    assert taken[-1]
