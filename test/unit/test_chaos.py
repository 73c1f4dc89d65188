"""What is promised of each fault, and what a row says that breaks it. No processes here."""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from mbrl_ros.backends import faults as bridge
from mbrl_ros.chaos import command, matrix
from mbrl_ros.chaos.faults import FAULTS
from mbrl_ros.chaos.limits import Limits
from mbrl_ros.chaos.machine import MACHINE
from mbrl_ros.chaos.poison import FACTOR, damage_newest_version, poison_newest_version, version_files
from mbrl_ros.chaos.promises import DAMPS, HOLDS, REFUSED, WALKS_ON, Promise, Row, broken
from mbrl_ros.chaos.timeline import At, Timeline
from mbrl_ros.chaos.trial import Losses
from mbrl_ros.config import ConfigError
from mbrl_ros.dynamics.storage import ModelRefused, from_bytes
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.paths import model_file
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import NS, Action, Command, Event, RobotMode

SPEC = load_robot("go1_like")
MS = NS // 1000
HELD = Row(
    fault="planner hangs", seed=0, detected_ms=60.0, action=HOLDS, safe_ms=62.0, falls=0, outside_limits=0,
    non_finite=0, transitions_lost=0, recovered=True, clock="real", seconds=5.0, said="mode: stance: plans lost",
)  # fmt: skip
PROMISE = Promise((HOLDS,), safe_ms=100.0, detected=True)


def test_row_that_keeps_all_its_promises_breaks_none():
    assert broken(HELD, PROMISE) == ()


@pytest.mark.parametrize(
    "what, word",
    [
        ({"action": DAMPS}, "damp"),
        ({"safe_ms": 100.1}, "100.1 ms"),
        ({"detected_ms": None}, "noticed"),
        ({"falls": 1}, "falls"),
        ({"outside_limits": 1}, "limits"),
        ({"non_finite": 1}, "non-finite"),
        ({"transitions_lost": 1}, "transitions"),
        ({"recovered": False}, "recover"),
    ],
)
def test_each_promise_is_broken_by_its_own_number(what, word):
    (said,) = broken(replace(HELD, **what), PROMISE)
    assert word in said


def test_fall_that_physics_leaves_no_choice_about_breaks_nothing():
    lenient = replace(PROMISE, falls="no torque")
    assert broken(replace(HELD, falls=1), lenient) == ()
    assert broken(replace(HELD, outside_limits=1), lenient), "no fault is a reason to leave the limits"


def test_verdict_that_was_promised_has_to_be_given_and_others_may_be():
    strict = Promise((WALKS_ON,), verdicts=(REFUSED,))
    assert broken(replace(HELD, action=WALKS_ON), strict)
    assert broken(replace(HELD, action=f"{REFUSED}, {WALKS_ON}"), strict) == ()
    assert broken(replace(HELD, action=f"{REFUSED}, {DAMPS}"), strict), "it is about what the robot was made to do, too"


# The table of faults


def test_there_are_enough_faults_and_no_two_of_one_name():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 25


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_can_be_injected_in_one_way(fault):
    assert [bool(fault.bridge), bool(fault.machine), fault.presses].count(True) == 1
    assert not fault.machine or fault.machine in MACHINE
    asked = fault.bridge.format(joint=SPEC.actuated_names[0])
    assert len(bridge.parse(asked, SPEC, fault.lockstep)) == bool(fault.bridge)


def test_lost_plans_and_states_are_promised_within_100_ms_and_the_estop_within_20():
    bound = {fault.name: fault.promise.safe_ms for fault in FAULTS}
    assert {bound[name] for name in ("planner hangs", "planner killed", "state lost", "state lost for long")} == {100.0}
    assert bound["estop under load"] == 20.0


def test_faults_are_chosen_by_name_and_a_mistyped_one_is_an_error_with_the_nearest():
    assert [fault.name for fault in command.chosen("planner_hangs, state lost")] == ["planner hangs", "state lost"]
    with pytest.raises(ConfigError, match="planner hangs"):
        command.chosen("planner_hang")
    with pytest.raises(ConfigError):
        command.chosen(",")


# What the command makes of rows


class Rows:
    """In place of a matrix over running graphs."""

    press_ms = (3.0, 5.0)
    graphs = 1

    def __init__(self, *rows):
        self._rows, self.ended = rows, False

    def rows(self, faults, seeds):
        for row in self._rows:
            yield FAULTS[0], 0, None
            if row is None:
                raise KeyboardInterrupt
            yield FAULTS[0], 0, row

    def end(self):
        self.ended = True


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Runs the command over given rows: its exit status, its report."""

    def run(*rows):
        matrix = Rows(*rows)
        monkeypatch.setattr(command, "Matrix", lambda *_: matrix)
        monkeypatch.setattr(command, "free_domain", lambda: 1)
        monkeypatch.setattr(command.os, "environ", dict(command.os.environ))
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        parser.add_argument("--set", dest="settings", default=[])
        path = tmp_path / "report.json"
        status = command.run(parser.parse_args(["quadruped_mpc", "--report", str(path)]))
        assert matrix.ended
        return status, json.loads(path.read_text())

    return run


def test_status_is_0_where_every_promise_held_and_all_keys_are_in_every_row(judged):
    status, report = judged(HELD, HELD)
    assert status == 0 and report["summary"]["rows_that_break_a_promise"] == 0
    assert [set(row) for row in report["rows"]] == [set(asdict(HELD))] * 2
    assert report["summary"]["estop_ms"]["presses"] == 2


def test_one_broken_promise_is_status_1(judged, capsys):
    status, report = judged(HELD, replace(HELD, falls=1, broken=("falls: 1",)))
    assert status == 1 and report["summary"]["rows_that_break_a_promise"] == 1 and report["summary"]["falls"] == 1
    assert "broken: falls: 1" in capsys.readouterr().out


def test_broken_off_it_reports_what_was_done(judged):
    status, report = judged(HELD, None)
    assert status == 130 and len(report["rows"]) == 1


# What is seen


def applied(at_ms, action, plan=5, mode=RobotMode.POSITION, target=SPEC.stance, model=1):
    return at_ms * MS, Command(at_ms * MS, target, mode, action, plan, model)


def test_safe_is_when_no_plan_is_followed_any_more_and_the_action_the_most_severe():
    line = Timeline("go1_like")
    for at_ms, action, plan in ((0, Action.FOLLOW, 1), (50, Action.HOLD, -1), (90, Action.DAMP, -1)):
        line.on_applied(*applied(at_ms, action, plan))
    began = At(10 * MS, 10 * MS)
    assert line.safe(began) == At(50 * MS, 50 * MS) and line.action(began) == DAMPS
    assert line.first_sign(began).text == "guard: hold"


def test_what_was_so_before_the_fault_is_no_sign_of_it():
    line = Timeline("go1_like")
    line.on_diagnostics(1, "learner", 1, "2 transitions lost", {})
    line.clear()
    line.on_diagnostics(2, "learner", 1, "2 transitions lost", {})
    assert line.first_sign(At(0, 0)) is None
    line.on_diagnostics(3, "learner", 2, "the journal is not written", {})
    assert line.first_sign(At(0, 0)).at.wall_ns == 3


def test_bridge_that_tells_which_fault_it_injects_has_not_noticed_it():
    line = Timeline("go1_like")
    line.on_diagnostics(1, "bridge", 1, "driven; faults: joint_dead", {})
    line.on_event(2, Event("fault", 2, "begin joint_dead"))
    assert line.first_sign(At(0, 0)) is None and line.fault_began() == At(2, 2)


def test_how_long_a_suspect_was_followed():
    line = Timeline("go1_like")
    line.suspect = 9
    for at_ms, model in ((0, 1), (20, 9), (40, 9), (60, 1)):
        line.on_applied(*applied(at_ms, Action.FOLLOW, model=model))
    began, ended = line.suspected()
    assert ended.wall_ns - began.wall_ns == 40 * MS


# Limits, read independently


def test_limits_are_those_that_the_rest_of_the_stack_reads():
    limits, (low, high) = Limits("go1_like"), SPEC.target_limits
    for target in (low, high, SPEC.stance):
        limits.count(target, list(SPEC.actuated_names))
    assert (limits.outside, limits.non_finite) == (0, 0)
    limits.count(high + 0.001, [])
    limits.count(np.full(12, np.nan), [])
    assert (limits.outside, limits.non_finite) == (1, 1)


def test_joints_are_known_by_name():
    limits, (_, high) = Limits("go1_like"), SPEC.target_limits
    limits.count(high[::-1], list(SPEC.actuated_names[::-1]))
    assert limits.outside == 0
    limits.count(high[::-1], list(SPEC.actuated_names))
    assert limits.outside == 1


def test_target_that_moves_faster_than_the_robot_file_allows_is_counted_unless_it_began_anew():
    limits, step = Limits("go1_like"), SPEC.target_step_limit
    at = [number * SPEC.dt_ns for number in range(3)]
    quick = [(at[0], SPEC.stance), (at[1], SPEC.stance + step), (at[2], SPEC.stance + 2 * step)]
    assert limits.jumps(quick, []) == 0
    jump = [(at[0], SPEC.stance), (at[1], SPEC.stance + 1.01 * step)]
    assert limits.jumps(jump, []) == 1
    assert limits.jumps(jump, [at[0] - 1]) == 0, "the driver had damped: it begins where the joints are"
    assert limits.jumps(jump, [at[0] - NS]) == 1, "that is long over"
    assert limits.jumps([jump[0], (at[0] + 1, None), jump[1]], []) == 0, "it was not to be followed in between"


def test_target_that_flies_to_and_fro_within_a_step_is_counted_though_each_is_near_one_before():
    limits, step, ms = Limits("go1_like"), SPEC.target_step_limit, 1_000_000
    to_and_fro = [(k * ms, SPEC.stance + 0.4 * step * (k % 2)) for k in range(20)]
    assert limits.jumps(to_and_fro, []) > 5 and "all in all" in limits.worst
    assert limits.jumps([(5 * k * ms, SPEC.stance + 0.25 * step * (k % 2)) for k in range(20)], []) == 0


# When a trial comes to nothing, and what counts as lost


def test_trial_that_fails_in_any_way_is_a_row_that_says_so_and_the_next_has_a_new_graph(monkeypatch):
    class Started:
        def __init__(self, *_):
            begun.append(self)

        def start(self):
            pass

        def end(self):
            ended.append(self)

    def trial(graph, fault, seed, presses):
        if len(begun) == 1:
            raise KeyError("what nobody thought of")
        return HELD, [1.0]

    begun, ended = [], []
    monkeypatch.setattr(matrix, "RunningGraph", Started)
    monkeypatch.setattr(matrix, "run_trial", trial)
    runs = matrix.Matrix(None, (), {}, lambda *_: None, 1)
    real = [fault for fault in FAULTS if not fault.lockstep][:3]
    first, *others = [row for _, _, row in runs.rows(real, 1) if row]
    assert not first.recovered and "KeyError" in first.broken[0] and "nobody thought of" in first.broken[0]
    assert others == [HELD, HELD] and len(begun) == 2 and ended == begun


class Learned:
    """A graph of which only the learner's numbers are seen."""

    def __init__(self, sent, received, missing):
        self.timeline = Timeline("go1_like")
        self.says(sent, received, missing)

    def says(self, sent, received, missing):
        self.timeline.sent = {(1, number) for number in range(sent)}
        self.timeline.values["learner"] = {keys.RECEIVED: received, keys.MISSING: missing}

    def until(self, condition, patience):
        return bool(condition())


def test_loss_shows_although_the_learner_counts_from_0_again():
    graph = Learned(sent=100, received=97, missing=3)
    losses = Losses(graph)
    graph.says(sent=200, received=195, missing=2)
    assert losses.count() == 2, "three were lost before"
    losses = Losses(graph)
    graph.says(sent=300, received=295, missing=0)
    assert losses.count() == 0, "and are not lost again"


# What lies in a learner's folder


def test_poisoned_version_looks_right_and_is_three_times_too_large(tmp_path):
    layout, first = FeatureLayout(SPEC), model_file("pretrained", "quadruped_mpc")
    model, card = from_bytes(first.read_bytes(), layout)
    version = poison_newest_version(tmp_path, first)
    poisoned, told = from_bytes(next(version_files(tmp_path).newest_first()), layout)
    assert told == replace(card, version=version) and version == card.version + 1
    for wrong, right in zip(poisoned.weights, model.weights, strict=True):
        assert np.allclose(wrong.numpy(), FACTOR * right.numpy())


def test_damaged_version_is_refused_and_the_next_one_grows_out_of_a_whole_one(tmp_path):
    layout, first = FeatureLayout(SPEC), model_file("pretrained", "quadruped_mpc")
    damage_newest_version(tmp_path, first)
    with pytest.raises(ModelRefused):
        from_bytes(next(version_files(tmp_path).newest_first()), layout)
    poison_newest_version(tmp_path, first)
    from_bytes(next(version_files(tmp_path).newest_first()), layout)


def test_table_in_the_documentation_is_the_one_that_is_judged_by():
    text = (Path(__file__).resolve().parents[2] / "docs" / "safety.md").read_text()
    assert command.promises_table(FAULTS) in text, "put what `mbrl chaos --list` prints into docs/safety.md"
