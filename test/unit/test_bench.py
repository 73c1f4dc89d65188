"""`mbrl bench` on tiny sizes: what is measured and how it is reported; never how fast."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from mbrl_ros import cli
from mbrl_ros.bench import contenders, floors
from mbrl_ros.bench.grid import CENTRE, GRID, Shape, chosen_shapes, chosen_threads, of_shape
from mbrl_ros.bench.planning import PlanRow, bench_shape, network_of
from mbrl_ros.bench.timing import WARM_UP, Ratio, Row, Times, interleaved, timed
from mbrl_ros.bench.work import prepare
from mbrl_ros.config import ConfigError
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.runs import load_run, with_settings

ROUNDS = ("--rounds", "2", "--calls", "2")
TINY = ("--samples", "20", "--horizon", "4", "--members", "2", "--width", "8", "--threads", "1", *ROUNDS)
TINY_SHAPE = Shape(20, 4, 2, 8)
PEER = "pytorch_mppi"


def bench(tmp_path, *arguments):
    path = tmp_path / "bench.json"
    assert cli.main(["bench", *arguments, "--report", str(path)]) == 0
    return json.loads(path.read_text())


def small(name="quadruped_mpc", shape=TINY_SHAPE, **settings):
    run = load_run(name)
    for setting, value in settings.items():
        run = run.with_setting(f"planner.{setting}", value)
    return of_shape(run, shape, 1)


# ---- rows and reports ----


def test_both_comparisons_run_where_none_is_named(tmp_path):
    report = bench(tmp_path, *TINY, "--batch", "8", "--rollout", "2")
    assert {row["comparison"] for row in report["rows"]} == {"plan", "learn"}
    assert report["schema"] == 1 and report["seeds"] == [0] and report["config"]["run"] == "quadruped_mpc"
    assert len({frozenset(row) for row in report["rows"]}) == 1, "all keys in every row"
    assert (tmp_path / "bench.png").is_file()


def test_a_plan_has_a_row_for_each_shape_and_number_of_threads(tmp_path):
    grid = ("--samples", "20", "40", "--horizon", "4", "--members", "2", "--width", "8", "--threads", "1", "2")
    rows = bench(tmp_path, "plan", *grid, *ROUNDS)["rows"]
    assert [(row["N"], row["threads"]) for row in rows] == [(20, 1), (20, 2), (40, 1), (40, 2)]
    for row in rows:
        assert set(row) == {field.name for field in dataclasses.fields(PlanRow)}
        assert (row["H"], row["M"], row["width"], row["device"]) == (4, 2, 8, "cpu")
        for what in ("ours", "rollout"):
            assert 0 < row[f"{what}_ms"] <= row[f"{what}_p95_ms"] <= row[f"{what}_p99_ms"] <= row[f"{what}_max_ms"]
        assert row["floor_ms"] == pytest.approx(row["floor_matmul_ms"] + row["floor_activation_ms"])
        assert row["rollout_over_floor"] == pytest.approx(row["rollout_ms"] / row["floor_ms"])
        parts = " ".join(row["parts"])
        assert all(part in parts for part in ("noise", "action map", "score", "control step"))
        assert "rollout_torch_ms" in row["variants"]


def test_the_peer_is_measured_in_the_same_row(tmp_path):
    pytest.importorskip(PEER)
    (row,) = bench(tmp_path, "plan", *TINY)["rows"]
    assert row["speedup"] == pytest.approx(row["peer_ms"] / row["ours_ms"])
    assert row["speedup_low"] <= row["speedup_high"]
    assert row["peer_ms"] <= row["peer_p95_ms"] <= row["peer_p99_ms"] <= row["peer_max_ms"]
    assert {"peer_bare_ms", "peer_bf16_ms"} <= set(row["variants"])


def test_without_the_peer_a_plan_is_measured_and_what_to_install_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(contenders, "has", lambda package: False)
    (row,) = bench(tmp_path, "plan", *TINY)["rows"]
    assert "pytorch_mppi and onnx are not installed" in (said := capsys.readouterr().out) and "[bench]" in said
    assert row["peer_ms"] is row["speedup"] is row["peer_p99_ms"] is None
    assert row["ours_ms"] > 0 and row["floor_ms"] > 0
    assert (tmp_path / "bench.png").is_file()


def test_learning_is_measured_at_the_given_batch_and_rollout(tmp_path):
    rows = bench(tmp_path, "learn", "--batch", "8", "--rollout", "2", *ROUNDS)["rows"]
    assert all(set(row) == {field.name for field in dataclasses.fields(Row)} for row in rows)
    assert all(0 <= row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] and row["calls"] == 4 for row in rows)
    trained = [row for row in rows if row["part"].startswith(("training step", "gradient"))]
    assert len(trained) == 2 and all((row["batch"], row["rollout"]) == (8, 2) for row in trained)
    assert any(row["part"] == "held-out evaluation" for row in rows)


@pytest.mark.parametrize("treatment", ["tsinf", "pessimism"])
def test_any_run_and_any_treatment_can_be_measured(treatment):
    row = bench_shape(small("cartpole_mpc", treatment=treatment), TINY_SHAPE, 1, rounds=1, calls=1)
    assert row.ours_ms > 0 and row.floor_ms > 0


def test_a_polished_plan_can_be_measured():
    row = bench_shape(small(**{"mppi.polish": 1}), TINY_SHAPE, 1, rounds=1, calls=1)
    assert row.ours_ms > 0


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--samples", "0"), "outside the range 10"),
        (("--width", "128", "2"), "outside the range 4"),
        (("--rounds", "0"), "at least 1"),
    ],
)
def test_a_wrong_size_is_refused_with_its_range_before_anything_is_measured(capsys, arguments, hint):
    assert cli.main(["bench", "plan", *arguments]) == 2
    assert hint in capsys.readouterr().err


# ---- which shapes ----


def given(**axes):
    return {axis: axes.get(axis) for axis in ("samples", "horizon", "members", "width")}


def test_the_default_grid_has_the_shape_that_is_spoken_of():
    run = load_run("quadruped_mpc")
    assert chosen_shapes(run, given(), ()) == list(GRID)
    assert Shape(400, 20, 5, 128) == CENTRE == GRID[0]
    assert len(set(GRID)) == len(GRID)


def test_what_is_given_makes_a_grid_with_the_runs_own_values():
    run = load_run("quadruped_mpc")
    assert chosen_shapes(run, given(samples=[100, 400], width=[64]), ()) == [
        Shape(100, 20, 5, 64),
        Shape(400, 20, 5, 64),
    ]


def test_a_shape_that_is_set_is_not_overridden_by_the_grid():
    settings = ("planner.mppi.samples=400", "planner.threads=2")
    run = with_settings(load_run("quadruped_mpc"), settings)
    assert chosen_shapes(run, given(), settings) == [Shape(400, 20, 5, 128)]
    assert chosen_threads(run, None, settings) == [2]
    assert chosen_threads(run, [1], settings) == [1]


# ---- the peer does the same work ----


@pytest.mark.parametrize("name", ["quadruped_mpc", "cartpole_mpc"])
@pytest.mark.parametrize("treatment", ["expectation", "tsinf", "pessimism"])
def test_the_peer_finds_the_costs_that_we_find(name, treatment):
    pytest.importorskip(PEER)
    from mbrl_ros.bench.peer import Peer, StepwiseEnsemble

    work = prepare(small(name, Shape(60, 15, 3, 16), treatment=treatment, precision="float32"))
    decisions = work.candidates()
    ours, theirs = work.problem.score(decisions), -Peer(work, StepwiseEnsemble(work.model)).costs(decisions)
    assert ours.std() > 0
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-3)


def test_the_peer_plans_over_as_many_candidates_within_the_same_bounds():
    pytest.importorskip(PEER)
    from mbrl_ros.bench.peer import Peer, StepwiseEnsemble

    work = prepare(small())
    peer = Peer(work, StepwiseEnsemble(work.model))
    peer.plan()
    assert peer.perturbed_action.shape == (work.problem.candidates, 4, work.action_map.size)
    assert torch.equal(peer.perturbed_action[0], work.problem.prior)
    low, high = work.problem.bounds
    assert ((peer.perturbed_action >= low) & (peer.perturbed_action <= high)).all()
    assert torch.isfinite(peer.U).all()


def test_the_unrolled_session_predicts_what_torch_predicts():
    pytest.importorskip("onnx")
    from mbrl_ros.bench.unrolled import UnrolledEnsemble

    work = prepare(small())
    targets = work.told(work.action_map.decode(work.candidates(), work.situation.phase))
    states = work.situation.state.expand(2, work.rows, -1)
    unrolled = UnrolledEnsemble(work.model, work.rows, horizon=4, threads=1).rollout(states, targets)
    assert torch.allclose(unrolled, FoldedEnsemble(work.model).rollout(states, targets), atol=1e-4)


# ---- floors ----

NETWORK = floors.Network(layers=((3, 8), (8, 2)), members=5, rows=10, horizon=4, actions=1)


def test_operations_and_bytes_of_a_known_network():
    assert NETWORK.operations == 2 * 5 * 10 * 4 * (3 * 8 + 8 * 2)
    weights, states_in, targets, states_out = 5 * (4 * 8 + 9 * 2), 5 * 10 * 2, 5 * 10 * 4 * 1, 5 * 10 * 4 * 2
    assert NETWORK.bytes(weight=2) == 2 * weights + 4 * (states_in + targets + states_out)


def test_a_floor_is_the_fastest_matmul_plus_the_fastest_activation():
    took = {"matmul: a": 3.0, "matmul: b": 2.0, "activation: a": 0.5, "activation: b": 0.7, "ours": 0.1}
    rates = floors.Rates(operations=NETWORK.operations * 1e3, bytes=NETWORK.bytes(4) * 2e3)
    floor = floors.floor(NETWORK, "float32", rates, took)
    assert (floor.matmul_by, floor.activation_by, floor.measured) == ("b", "a", 2.5)
    assert (floor.arithmetic, floor.bytes) == pytest.approx((1.0, 0.5))


def test_bf16_counts_only_where_the_rollout_is_bf16():
    assert not any("bfloat16" in name for name in floors.contenders(NETWORK, "float32"))
    assert any("bfloat16" in name for name in floors.contenders(NETWORK, "bf16"))


def test_the_floor_is_that_of_the_rollouts_that_are_planned_with():
    network = network_of(prepare(small(treatment="tsinf")))
    assert (network.members * network.rows, network.horizon, network.layers[0][1]) == (20, 4, 8)
    assert network.layers[0][0] == network.layers[-1][1] + network.actions
    assert network == network_of(prepare(small(treatment="expectation"))), "rollouts in all stay the same"


# ---- timing ----


def test_parts_take_turns():
    """So that what else the machine does hits all of them alike; the first call of a turn is not counted."""
    order = []
    took = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2, calls=3)
    assert order == ["a"] * WARM_UP + ["b"] * WARM_UP + (["a"] * 4 + ["b"] * 4) * 2
    assert took["a"].shape == (2, 3)


def test_long_calls_are_made_less_often():
    took = interleaved({"a": lambda: np.linalg.svd(np.eye(50))}, rounds=2, calls=5, seconds=1e-9)
    assert took["a"].shape == (1, 1)


def test_a_ratio_is_that_of_the_medians_with_the_least_and_most_of_the_rounds():
    took, other = np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]), np.array([[3.0, 3.0], [2.0, 2.0], [2.0, 2.0]])
    assert Ratio.of(other, took) == Ratio(2.0, 1.0, 3.0)


def test_percentiles_are_of_all_calls_of_all_rounds():
    took = np.arange(100.0).reshape(10, 10)
    row = timed(Row("learn", "x", 5, 8, 2), took)
    assert (row.calls, row.p50_ms) == (100, 49.5)
    assert Times.of(took).most == 99.0


def test_an_unknown_setting_is_still_an_error():
    with pytest.raises(ConfigError, match="samples"):
        with_settings(load_run("quadruped_mpc"), ("planner.mppi.sample=3",))
