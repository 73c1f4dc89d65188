"""`mbrl bench` on tiny sizes: what is measured and how it is reported; never how fast."""

import dataclasses
import json

import numpy as np
import pytest

from mbrl_ros import cli
from mbrl_ros.bench.timing import WARM_UP, Row, compared, interleaved, timed

TINY = ("--samples", "20", "--horizon", "4", "--batch", "8", "--rollout", "2", "--rounds", "2", "--calls", "2")
SMALL_MODEL = ("--set", "learner.ensemble.width=8", "--set", "learner.ensemble.members=2")


def bench(tmp_path, *arguments):
    path = tmp_path / "bench.json"
    assert cli.main(["bench", *arguments, *TINY, *SMALL_MODEL, "--report", str(path)]) == 0
    return json.loads(path.read_text())


def test_both_comparisons_run_where_none_is_named(tmp_path):
    report = bench(tmp_path)
    assert {row["comparison"] for row in report["rows"]} == {"plan", "learn"}
    assert report["schema"] == 1 and report["seeds"] == [0] and report["config"]["run"] == "quadruped_mpc"


def test_every_row_has_every_key_and_times_in_order(tmp_path):
    for row in bench(tmp_path)["rows"]:
        assert set(row) == {field.name for field in dataclasses.fields(Row)}
        assert 0 <= row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert row["calls"] == 4


def test_a_plan_is_broken_into_its_parts(tmp_path):
    rows = bench(tmp_path, "plan")["rows"]
    parts = " ".join(row["part"] for row in rows)
    for part in ("noise", "action map", "rollout", "score", "whole plan"):
        assert part in parts
    assert all((row["samples"], row["horizon"], row["members"]) == (20, 4, 2) for row in rows)


def test_the_folded_rollout_is_compared_with_the_plain_one(tmp_path):
    rows = {row["part"]: row for row in bench(tmp_path, "plan")["rows"]}
    folded = rows["rollout"]
    assert folded["against"] in rows and folded["against"] != "rollout"
    assert 0 < folded["ratio_low"] <= folded["ratio"] <= folded["ratio_high"]
    assert all(row["ratio"] is None for name, row in rows.items() if name != "rollout")


def test_learning_is_measured_at_the_given_batch_and_rollout(tmp_path):
    rows = bench(tmp_path, "learn")["rows"]
    trained = [row for row in rows if row["part"].startswith(("training step", "gradient"))]
    assert len(trained) == 2 and all((row["batch"], row["rollout"]) == (8, 2) for row in trained)
    assert any(row["part"] == "held-out evaluation" for row in rows)


@pytest.mark.parametrize("treatment", ["tsinf", "pessimism"])
def test_any_run_and_any_treatment_can_be_measured(tmp_path, treatment):
    report = bench(tmp_path, "--run", "cartpole_mpc", "--set", f"planner.treatment={treatment}")
    assert report["config"]["planner"]["treatment"] == treatment


@pytest.mark.parametrize(
    ("arguments", "hint"), [(("--samples", "0"), "outside the range 10"), (("--rounds", "0"), "at least 1")]
)
def test_a_wrong_size_is_refused_with_its_range(capsys, arguments, hint):
    assert cli.main(["bench", "plan", *arguments]) == 2
    assert hint in capsys.readouterr().err


def test_parts_take_turns():
    """So that what else the machine does hits all of them alike."""
    order = []
    interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2, calls=3)
    assert order == ["a", "b"] * (WARM_UP + 6)


def test_a_ratio_is_the_median_of_the_rounds_with_its_least_and_most():
    took, other = np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]), np.array([[3.0, 3.0], [2.0, 2.0], [2.0, 2.0]])
    row = compared(Row("plan", "fast"), took, "slow", other)
    assert (row.against, row.ratio_low, row.ratio, row.ratio_high) == ("slow", 1.0, 2.0, 3.0)


def test_percentiles_are_of_all_calls_of_all_rounds():
    row = timed(Row("plan", "x"), np.arange(100.0).reshape(10, 10))
    assert (row.calls, row.p50_ms) == (100, 49.5)
