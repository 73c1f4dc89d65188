"""What the replay buffer hands out as a sequence, and to whom."""

from dataclasses import replace

import numpy as np
import pytest
from learning_driver import CARTPOLE, transition

from mbrl_ros.data.replay import CHUNK, HELD_OUT, ReplayBuffer, is_held_out, resampled

DT = CARTPOLE.dt_ns


def filled(count, capacity=10_000, stamps=None) -> ReplayBuffer:
    """Transition k has states full of k, so that a sequence says where it comes from."""
    buffer = ReplayBuffer(capacity, 5, 1, DT)
    for k in range(count):
        buffer.add(transition(k, stamp_ns=None if stamps is None else stamps[k]))
    return buffer


def numbers(buffer, steps, held_out) -> np.ndarray:
    """(B, steps + 1) which states each sequence visits."""
    states, actions = buffer.sequences(buffer.starts(steps, held_out), steps)
    assert states.shape[1:] == (steps + 1, 5)
    assert actions.shape[1:] == (steps, 1)
    np.testing.assert_array_equal(actions[..., 0], states[:, :-1, 0])  # each with the action that was taken there
    return states[:, :, 0]


def test_a_sequence_is_what_happened_one_step_after_another():
    found = numbers(filled(10), 3, held_out=False)
    np.testing.assert_array_equal(found, np.arange(8)[:, None] + np.arange(4))


def test_too_little_data_gives_no_sequence():
    assert len(filled(0).starts(1, False)) == 0
    assert len(filled(2).starts(3, False)) == 0
    assert len(filled(3).starts(3, False)) == 1


def test_sequences_never_bridge_a_gap():
    stamps = [k * DT if k < 6 else (k + 3) * DT for k in range(12)]
    found = numbers(filled(12, stamps=stamps), 3, held_out=False)
    assert found[:, 0].tolist() == [0, 1, 2, 3, 6, 7, 8, 9]


def test_a_stamp_that_goes_back_and_one_that_stands_are_gaps():
    for second in (0, 5 * DT - DT):
        stamps = [k * DT for k in range(5)] + [second + k * DT for k in range(5)]
        found = numbers(filled(10, stamps=stamps), 4, held_out=False)
        assert found[:, 0].tolist() == [0, 1, 5, 6]


def test_a_stamp_that_jitters_is_no_gap():
    stamps = [k * DT + (DT // 5) * (k % 2) for k in range(10)]
    assert len(filled(10, stamps=stamps).starts(9, False)) == 2


@pytest.mark.parametrize("steps", [1, 4, 20, 39, 50])
def test_training_never_sees_a_held_out_transition_nor_judging_one_that_trained(steps):
    buffer = filled(30 * CHUNK)
    training, judging = numbers(buffer, steps, held_out=False), numbers(buffer, steps, held_out=True)
    assert not is_held_out(training[:, :-1].astype(int)).any()
    assert is_held_out(judging[:, :-1].astype(int)).all()
    assert len(training) > 0


def test_one_chunk_in_ten_is_held_out():
    buffer = filled(30 * CHUNK)
    assert len(buffer.starts(1, True)) == 3 * CHUNK
    assert len(buffer.starts(1, False)) == 27 * CHUNK
    assert HELD_OUT == 10


def test_the_newest_transitions_push_out_the_oldest():
    buffer = filled(130, capacity=50)
    assert (len(buffer), buffer.added) == (50, 130)
    found = numbers(buffer, 2, held_out=False)
    assert found.min() == 80
    assert found.max() == 130
    np.testing.assert_array_equal(np.diff(found, axis=1), 1)
    assert len(found) == 49


def test_while_it_wraps_no_sequence_joins_old_and_new():
    for count in range(45, 160, 7):
        found = numbers(filled(count, capacity=40), 5, held_out=False)
        np.testing.assert_array_equal(np.diff(found, axis=1), 1)
        assert found.min(initial=count) >= count - 40


def test_a_chunk_is_held_out_for_as_long_as_it_is_kept():
    """Slots are reused, but what was for judging never becomes training data."""
    buffer = filled(5 * CHUNK + 500, capacity=450)
    held = numbers(buffer, 1, held_out=True)[:, 0].astype(int)
    assert is_held_out(held).all()
    assert not is_held_out(numbers(buffer, 1, held_out=False)[:, 0].astype(int)).any()


@pytest.mark.parametrize("first", [0, 1, CHUNK - 1, 7 * CHUNK + 13])
def test_a_restarted_learner_holds_out_what_was_held_out_before(first):
    """It gets the last minute again, which may begin anywhere."""
    before, after = filled(30 * CHUNK), ReplayBuffer(10_000, 5, 1, DT)
    for k in range(first, 30 * CHUNK):
        after.add(transition(k))
    for held_out in (True, False):
        for steps in (1, 20):
            known = numbers(before, steps, held_out)[:, 0]
            np.testing.assert_array_equal(numbers(after, steps, held_out)[:, 0], known[known >= first])


def test_the_split_does_not_depend_on_what_was_lost_on_the_way():
    buffer = ReplayBuffer(10_000, 5, 1, DT)
    for k in range(20 * CHUNK):
        if not 100 <= k < 117:
            buffer.add(transition(k))
    assert is_held_out(numbers(buffer, 5, held_out=True)[:, :-1].astype(int)).all()
    assert not is_held_out(numbers(buffer, 5, held_out=False)[:, :-1].astype(int)).any()


def test_a_planner_that_started_anew_counts_from_zero_and_continues_no_sequence():
    buffer = filled(CHUNK // 2)
    for k in range(10 * CHUNK):
        buffer.add(transition(k, stamp_ns=(CHUNK // 2 + k) * DT, start_ns=7))
    found = numbers(buffer, 3, held_out=False)
    assert (np.diff(found, axis=1) == 1).all()
    assert len(buffer.starts(1, True)) == CHUNK


@pytest.mark.parametrize("part", ["state", "action", "following"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_and_nothing_is_kept_of_it(part, bad):
    buffer = filled(3)
    with pytest.raises(ValueError, match="transition 3 is not finite"):
        buffer.add(transition(3, **{part: np.full(1 if part == "action" else 5, bad)}))
    assert buffer.added == 3


def test_seconds_are_of_what_is_kept():
    assert filled(130, capacity=50).seconds == pytest.approx(50 * 0.04)


def test_everything_is_all_training_states_and_what_followed():
    buffer = filled(10 * CHUNK)
    states, following = buffer.everything()
    assert len(states) == 9 * CHUNK
    np.testing.assert_array_equal(following, states + 1)
    assert not is_held_out(states[:, 0].astype(int)).any()


def test_members_see_their_own_resampling_chunk_by_chunk_the_same_for_a_seed():
    buffer = filled(40 * CHUNK)
    starts = buffer.starts(2, False)
    one, again, other = (resampled(buffer, starts, 4, s) for s in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
    assert not np.array_equal(one[0], one[1])
    for own in one:
        _, times = np.unique(buffer.chunk(own), return_counts=True)
        assert len(np.unique(buffer.chunk(own))) < 36  # some chunks are not seen at all
        assert len(own) == pytest.approx(len(starts), rel=0.6)
        for chunk in np.unique(buffer.chunk(own)):  # the whole chunk, the same number of times
            _, each = np.unique(own[buffer.chunk(own) == chunk], return_counts=True)
            assert len(set(each.tolist())) == 1


def test_new_data_does_not_reshuffle_the_old():
    buffer = filled(10 * CHUNK)
    before = resampled(buffer, buffer.starts(1, False), 3, 0)
    for k in range(10 * CHUNK, 12 * CHUNK):
        buffer.add(transition(k))
    after = resampled(buffer, buffer.starts(1, False), 3, 0)
    for early, late in zip(before, after, strict=True):
        np.testing.assert_array_equal(late[: len(early)], early)


def test_a_member_whose_chunks_all_count_zero_sees_everything():
    buffer = filled(10)
    starts = buffer.starts(1, False)
    for seed in range(10):
        assert all(len(own) >= len(starts) for own in resampled(buffer, starts, 5, seed))


def test_what_was_earned_and_where_it_ended_is_kept_beside_the_states():
    buffer = ReplayBuffer(2000, 5, 1, DT)
    for k in range(2 * HELD_OUT * CHUNK):
        buffer.add(replace(transition(k), reward=0.5 * k, terminal=k % 7 == 0))
    after, rewards, ends = buffer.outcomes()
    assert len(after) == 2 * (HELD_OUT - 1) * CHUNK  # what is held out is not learned from
    np.testing.assert_array_equal(rewards, 0.5 * (after[:, 0] - 1))
    np.testing.assert_array_equal(ends, (after[:, 0] - 1) % 7 == 0)


def test_nobody_knows_what_was_earned_before_the_buffer_began():
    buffer = ReplayBuffer(2000, 5, 1, DT)
    buffer.begin_with(filled(100).pieces(100))
    assert len(buffer.outcomes()[0]) == 0
    buffer.add(transition(100))
    assert len(buffer.outcomes()[0]) == 1
