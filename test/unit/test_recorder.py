"""Steps become transitions that know under what they were made."""

import numpy as np
import pytest
from gate_driver import GO1, MS, standing

from mbrl_ros.control.recorder import REMEMBERED, Recorder
from mbrl_ros.data.pairing import Step
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.tasks import make_task
from mbrl_ros.types import Flag

LAYOUT = FeatureLayout(GO1)
COMMAND = np.array([0.3, 0.1, -0.2])


def recorder(start_ns=77):
    return Recorder(LAYOUT, make_task("quadruped", LAYOUT), start_ns)


def step(ms=20, clipped=False, held=False, model=3, **after):
    return Step(standing(ms, GO1), GO1.stance + 0.1, standing(ms + 20, GO1, **after), clipped, held, model)


def test_a_transition_is_the_step_in_features_under_its_command_and_phase():
    r = recorder()
    r.note(20 * MS, COMMAND, 0.25, exploring=False)
    t = r.transition(step(linear_velocity_body=np.array([0.3, 0.0, 0.0])))
    np.testing.assert_array_equal(t.state, LAYOUT.encode(standing(20, GO1)))
    assert t.next_state[3] == pytest.approx(0.3)
    np.testing.assert_array_equal(t.action, GO1.stance + 0.1)
    np.testing.assert_array_equal(t.command, COMMAND)
    assert (t.phase, t.stamp_ns, t.start_ns, t.model, t.terminal) == (0.25, 20 * MS, 77, 3, False)
    # Off by 0.1 m/s sideways and 0.2 rad/s, at stance height and upright.
    assert t.reward == pytest.approx(-(40 * 0.1**2 + 10 * 0.2**2), rel=1e-4)


def test_a_fall_is_terminal():
    t = recorder().transition(step(position=np.array([0.0, 0.0, 0.1])))
    assert t.terminal
    assert t.reward < -50


def test_what_is_noted_for_one_step_is_not_said_of_another():
    r = recorder()
    r.note(20 * MS, COMMAND, 0.25, exploring=True)
    r.note(40 * MS, -COMMAND, 0.5, exploring=False)
    later, earlier = r.transition(step(40)), r.transition(step(20))
    np.testing.assert_array_equal(earlier.command, COMMAND)
    np.testing.assert_array_equal(later.command, -COMMAND)
    assert (earlier.flags, later.flags) == (Flag.EXPLORED, Flag(0))


def test_flags_say_what_was_special():
    r = recorder()
    assert r.transition(step(clipped=True)).flags == Flag.CLIPPED
    assert r.transition(step(held=True)).flags == Flag.HELD
    r.note(20 * MS, COMMAND, 0.0, exploring=True)
    assert r.transition(step(clipped=True, held=True)).flags == Flag.CLIPPED | Flag.HELD | Flag.EXPLORED


def test_a_step_of_which_nothing_was_noted_has_no_command():
    t = recorder().transition(step())
    assert not t.command.any()
    assert t.phase == 0.0


def test_transitions_are_numbered_without_a_gap():
    r = recorder()
    assert [r.transition(step(20 * k)).sequence for k in range(5)] == [0, 1, 2, 3, 4]
    assert r.sent == 5


def test_a_command_that_changes_afterwards_is_not_rewritten():
    r, command = recorder(), COMMAND.copy()
    r.note(20 * MS, command, 0.0, exploring=False)
    command[:] = 9.0
    np.testing.assert_array_equal(r.transition(step()).command, COMMAND)


def test_the_oldest_notes_are_let_go():
    r = recorder()
    for k in range(REMEMBERED + 1):
        r.note(k, COMMAND, 0.0, exploring=True)
    assert r.transition(step(0)).flags == Flag(0)
    assert len(r._known) == REMEMBERED
