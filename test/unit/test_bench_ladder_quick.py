"""`mbrl bench ladder --quick`: every planner, model, treatment and task once, really trained and planned."""

import json
import math

import pytest

from mbrl_ros.bench.ladder import MODELS, PEER, PLANNERS, TASKS, TREATMENTS
from mbrl_ros.cli import main


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    file = tmp_path_factory.mktemp("ladder") / "quick.json"
    assert main(["bench", "ladder", "--quick", "--report", str(file)]) == 0
    return file, json.loads(file.read_text())


def test_every_name_is_climbed_and_has_figures(quick):
    _, report = quick
    climbed = [row for row in report["rows"] if not row["excuse"]]
    for key, names in (("planner", PLANNERS), ("model", MODELS), ("treatment", TREATMENTS), ("task", TASKS)):
        assert set(names) <= {row[key] for row in climbed}
    for row in climbed:
        assert row["seeds"] == 1 and math.isfinite(row["mean"]) and row["decision_ms"] > 0
        assert row["robot_seconds"] > 0


def test_every_climbed_rung_was_trained_but_those_that_are_shipped(quick):
    _, report = quick
    for row in report["rows"]:
        if not row["excuse"]:
            assert (row["fit_seconds"] or 0) > 0 or row["name"] == "v3"


def test_what_is_not_climbed_says_why(quick):
    _, report = quick
    missing = {(row["task"], row["name"]): row["excuse"] for row in report["rows"] if row["excuse"]}
    assert "versions of its own" in missing["pendulum", "mbrl-lib PETS"]
    assert {name for _, name in missing} <= {"mbrl-lib PETS", "torchrl", "physics", "v3", PEER}


def test_it_says_that_its_figures_mean_nothing_and_draws_them_all_the_same(quick, capsys):
    file, _ = quick
    assert file.with_suffix(".png").stat().st_size > 10_000
    assert not list(file.parent.glob("*.jsonl"))
    asked = ["bench", "ladder", "--quick", "--tasks", "rover", "--rungs", "l2"]
    assert main(asked) == 0
    assert "These figures mean nothing" in capsys.readouterr().out


def test_rungs_that_quick_leaves_out_are_named(capsys):
    assert main(["bench", "ladder", "--quick", "--tasks", "hand", "--rungs", "cem"]) == 2
    assert "--quick leaves out cem on hand, and has there model ensemble" in capsys.readouterr().err
    assert main(["bench", "ladder", "--quick", "--tasks", "rover", "--rungs", "l2", "cem"]) == 0
    assert "--quick leaves out cem on rover" in " ".join(capsys.readouterr().out.split())


def test_cells_come_to_the_same_whether_one_at_a_time_or_two(tmp_path):
    returns = []
    for jobs in ("1", "2"):
        file = tmp_path / f"{jobs}.json"
        asked = ["bench", "ladder", "--quick", "--tasks", "cliff", "--rungs", "pessimism", "optimism", "--seeds", "2"]
        assert main([*asked, "--jobs", jobs, "--report", str(file)]) == 0
        returns.append([row["returns"] for row in json.loads(file.read_text())["rows"]])
    assert returns[0] == returns[1] and all(len(seeds) == 2 for seeds in returns[0])
    assert main(["bench", "ladder", "--jobs", "0"]) == 2
