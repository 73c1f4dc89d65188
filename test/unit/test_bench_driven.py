"""`mbrl bench pushes` and `mbrl bench policy`: the same blows for everybody, who falls, what is reported."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from gate_driver import standing
from learning_driver import GO1
from test_policy_file import LAYOUT, MAP, content, loaded

from mbrl_ros import cli
from mbrl_ros.bench import deployment, pushes
from mbrl_ros.bench.deployment import CONTENDERS, Driven, with_contender
from mbrl_ros.bench.pushes import MODES, Blow, bench_pushes, blows, change, pushed, recovered_after, with_mode
from mbrl_ros.config import ConfigError
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.learning.session import Session
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.policies.network import new_policy
from mbrl_ros.runs import load_run

WALK = (0.3, 0.0, 0.0)
RUN = load_run("quadruped_mpc").with_setting("planner.mppi.samples", 10)
MODEL = new_ensemble(EnsembleConfig(members=2, width=8, layers=1), LAYOUT, seed=0)
LIGHT = Blow(speed=0.2, direction=0.5, step=140, command=WALK, seed=0)


def file_of_a_policy() -> bytes:
    """That has learned nothing: it lets the gait do what it does."""
    states = torch.randn(50, LAYOUT.size, generator=torch.Generator().manual_seed(0))
    return content(new_policy(LAYOUT, states, 3, MAP.bounds, 0))


POLICY = loaded(file_of_a_policy())


def pushed_by_gait(blow):
    return pushed(driving(with_mode(RUN, "prior"), GO1, None, blow.seed, noise=True), blow, judged=1.0)


# ---- pushes ----


def test_every_speed_has_the_same_directions_and_moments():
    found = blows(GO1, [1.0, 1.5], 5, [WALK, (0.0, 0.2, 0.0)], seeds=[0, 1])
    slow, fast = ([b for b in found if b.speed == speed] for speed in (1.0, 1.5))
    assert [replace(b, speed=1.5) for b in slow] == fast
    assert len({b.direction for b in slow}) == len({b.seed for b in slow}) == 10, "each blow is another one"
    assert {b.command for b in slow} == {WALK, (0.0, 0.2, 0.0)}
    period = GO1.legs.gait.period / GO1.dt
    assert all(0 <= b.step - pushes.WALK / GO1.dt < period for b in found)


def test_blows_are_the_same_in_every_run_of_a_seed():
    assert blows(GO1, [1.0], 5, [WALK], [3]) == blows(GO1, [1.0], 5, [WALK], [3])
    assert blows(GO1, [1.0], 5, [WALK], [3]) != blows(GO1, [1.0], 5, [WALK], [4])


def test_a_light_push_is_walked_off_and_a_heavy_one_is_not():
    light = pushed_by_gait(LIGHT)
    assert light.fell_after is None and 0 < light.recovered_after <= 1.0
    heavy = pushed_by_gait(replace(LIGHT, speed=6.0))
    assert 0 < heavy.fell_after <= 1.0 and heavy.recovered_after is None
    assert light.phase == heavy.phase


def test_every_way_to_drive_is_pushed_at_the_same_moment_of_its_gait(monkeypatch):
    monkeypatch.setattr(pushes, "WALK", 2.6)
    monkeypatch.setattr(pushes, "JUDGED", 0.5)
    each = blows(GO1, [0.2], 2, [WALK], [0])
    rows = [row for row in bench_pushes(RUN, GO1, MODEL, POLICY, ["prior", "policy"], each, [0]) if row]
    assert [(row.mode, row.pushes) for row in rows] == [("prior", 2), ("policy", 2)]
    one, other = ([(o.direction, o.phase, o.seed) for o in row.outcomes] for row in rows)
    assert one == other and len(set(one)) == 2


def test_falls_are_counted_for_each_seed():
    outcomes = [pushes.Outcome(0.0, 0.0, i, 0.3 if i in (0, 4, 5) else None, None if i < 5 else 1.0) for i in range(6)]
    row = pushes.row("policy", 1.0, outcomes, seeds=2)
    assert (row.pushes, row.falls, row.falls_by_seed) == (6, 3, [1, 2])
    assert (row.recovered, row.recovered_s) == (1, 1.0)


@pytest.mark.parametrize(("heading", "wanted"), [(0.0, [0.0, 2.0, 0.0]), (math.pi / 2, [-2.0, 0.0, 0.0])])
def test_directions_are_relative_to_where_the_robot_looks(heading, wanted):
    leftwards = replace(LIGHT, speed=2.0, direction=math.pi / 2)
    orientation = np.array([math.cos(heading / 2), 0.0, 0.0, math.sin(heading / 2)])
    np.testing.assert_allclose(change(leftwards, orientation), wanted, atol=1e-12)


def test_it_has_recovered_once_every_stride_is_as_commanded():
    command, dt = np.array([0.4, 0.0]), 0.02
    walking = np.tile(command, (150, 1))
    assert recovered_after(walking, command, dt) == pytest.approx(0.44)
    swept = walking.copy()
    swept[:50, 1] = 1.0
    assert 1.0 < recovered_after(swept, command, dt) < 1.0 + 0.44
    swept[-1, 1] = 10.0
    assert recovered_after(swept, command, dt) is None


def test_a_way_to_drive_changes_nothing_but_who_decides():
    for mode, settings in MODES.items():
        if mode == "guided":  # plans, but others
            continue
        planner = with_mode(RUN, mode).planner
        assert replace(planner, mode=RUN.planner.mode, planner=RUN.planner.planner) == RUN.planner
        assert planner.mode == settings["planner.mode"]


def test_pushes_are_reported_with_all_keys_in_every_row(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pushes, "WALK", 2.6)
    path = tmp_path / "pushes.json"
    arguments = ["--modes", "prior", "--speeds", "6", "0.2", "--directions", "1", "--seeds", "2"]
    assert cli.main(["bench", "pushes", *arguments, "--report", str(path)]) == 0
    report = json.loads(path.read_text())
    assert [(row["speed"], row["falls"]) for row in report["rows"]] == [(0.2, 0), (6.0, 2)]
    assert report["schema"] == 1 and report["seeds"] == [0, 1]
    config = report["config"]
    assert (config["commands"], config["speeds"], config["directions"]) == ([[0.4, 0.0, 0.0]], [6.0, 0.2], 1)
    assert config["policy"] is None, "none was needed"
    assert len({frozenset(row) for row in report["rows"]}) == 1
    assert path.with_suffix(".png").is_file()
    assert "2 of 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("pushes", "--run", "cartpole_mpc"), "does not walk"),
        (("pushes", "--directions", "0"), "at least 1"),
        (("pushes", "--speeds", "-1"), "above 0"),
        (("policy", "--policy", "/nowhere/policy.onnx"), "mbrl distill"),
        (("policy", "--hold", "1"), "--hold"),
        (("policy", "--set", "planner.model=scratch"), "pretrained"),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_is_driven(capsys, arguments, hint):
    assert cli.main(["bench", *arguments]) == 2
    assert hint in capsys.readouterr().err


# ---- policy ----


def test_contenders_differ_in_what_their_names_say():
    first, *others = CONTENDERS
    assert with_contender(RUN, first).planner == RUN.planner
    planners = [with_contender(RUN, name).planner for name in CONTENDERS]
    assert len({json.dumps(asdict(planner)) for planner in planners}) == len(CONTENDERS)
    short = with_contender(RUN, "planner, H=5, V, proposals").planner.mppi
    assert short.horizon == 5 and short.terminal_value and short.proposals > 0
    assert replace(short, horizon=20, terminal_value=False, proposals=0.0) == RUN.planner.mppi


def test_the_first_row_is_what_the_others_are_measured_by():
    seeds = [Driven(1.0, 0.02, 0.05, 0.1, 0), Driven(3.0, 0.04, 0.06, 0.1, 1)]
    half = [replace(seed, cost=seed.cost / 2) for seed in seeds]
    took, faster = np.full((2, 3), 2.0), np.full((2, 3), 0.5)
    first = deployment.row(RUN, "planner as shipped", seeds, seeds, took, took)
    assert (first.cost, first.cost_low, first.cost_high, first.cost_ratio) == (2.0, 1.0, 3.0, 1.0)
    assert (first.velocity_error, first.worst_velocity_error, first.falls) == (0.03, 0.06, 1)
    assert (first.horizon, first.time_ratio, first.decision_ms) == (20, 1.0, 2.0)
    policy = deployment.row(RUN, "policy, delay 0", half, seeds, faster, took)
    assert (policy.cost_ratio, policy.time_ratio, policy.horizon, policy.delay) == (0.5, 0.25, None, 0)


def test_each_is_driven_with_every_seed_and_timed_on_the_same_walk():
    names = ["planner as shipped", "policy"]
    found = list(deployment.driven(RUN, GO1, MODEL, POLICY, names, [0, 1], [WALK], hold=2.1))
    assert [name for name, _ in found] == names * 2
    assert all(one.cost > 0 and one.velocity_error <= one.worst_velocity_error for _, one in found)
    took, plans = deployment.timed(RUN, GO1, MODEL, POLICY, names, rounds=2, calls=2)
    assert {name: ms.shape for name, ms in took.items()} == dict.fromkeys(names, (2, 2))
    assert {name: ms.shape for name, ms in plans.items()} == {names[0]: (2, 2)}  # a policy plans nothing


def test_a_decider_decides_in_every_state_and_begins_anew_at_the_end():
    run = with_contender(RUN, "policy")
    walk = deployment.states_of_walk(run, GO1, MODEL, POLICY, seconds=0.1)
    decide = deployment.decider(run, GO1, MODEL, POLICY, walk)
    plans = [decide() for _ in range(2 * len(walk))]
    assert [plan.stamp_ns for plan in plans] == [state.stamp_ns for state in walk] * 2
    assert [plan.sequence for plan in plans] == list(range(len(plans)))


def test_a_walk_that_never_begins_comes_to_an_end(monkeypatch):
    monkeypatch.setattr(deployment, "WARM_UP", 0.1)
    monkeypatch.setattr(Session, "following", False)
    with pytest.raises(ConfigError, match="the guard followed for 0.0 of 0.1 s"):
        deployment.states_of_walk(with_contender(RUN, "policy"), GO1, MODEL, POLICY, seconds=0.1)


def test_a_step_without_a_plan_is_timed_and_the_walk_goes_on(monkeypatch):
    walk = [standing(20 * k) for k in range(3)]
    decide = deployment.decider(with_contender(RUN, "policy"), GO1, MODEL, POLICY, walk)
    monkeypatch.setattr(POLICY, "decide", lambda seen, prior: np.full(len(prior), np.nan, np.float32))
    assert [isinstance(decide(), NoPlan) for _ in range(4)] == [True] * 4


def test_a_policy_is_reported_with_all_keys_in_every_row(tmp_path):
    file, path = tmp_path / "policy.onnx", tmp_path / "policy.json"
    file.write_bytes(file_of_a_policy())
    sizes = ["--set", "planner.mppi.samples=20", "planner.mppi.horizon=4"]
    short = ["--seeds", "1", "--hold", "2.1", "--commands", "0.3,0,0", "--rounds", "1", "--calls", "1"]
    assert cli.main(["bench", "policy", "--policy", str(file), *short, *sizes, "--report", str(path)]) == 0
    report = json.loads(path.read_text())
    assert [row["name"] for row in report["rows"]] == list(CONTENDERS)
    config = report["config"]
    assert (config["commands"], config["hold"]) == ([[0.3, 0.0, 0.0]], 2.1)
    assert (config["policy"]["version"], config["policy"]["model_hash"]) == (7, "0123")
    assert config["planner"]["policy"] == str(file)
    assert len({frozenset(row) for row in report["rows"]}) == 1
    assert path.with_suffix(".png").is_file()
