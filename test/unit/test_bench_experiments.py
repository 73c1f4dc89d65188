"""Suites of experiments, as `mbrl bench models`: figures, bars, table, report; and going on after Ctrl-C."""

import importlib
import json
from pathlib import Path

import pytest

from mbrl_ros.bench.experiments import SUITES, Bar, Suite
from mbrl_ros.bench.kept import Kept
from mbrl_ros.cli import main
from mbrl_ros.config import ConfigError

NOTHING_KEPT = Kept(None, {})


def figures(suite, name, count, kept=NOTHING_KEPT, done=lambda name, seed: None):
    return list(suite.figures([name], 0, count, kept, done))


def test_a_figure_is_judged_by_its_mean():
    suite = Suite("models")
    figure = suite.figure("payload of 3 kg, somewhere", (2.4, 3.1, 3.2))
    assert figure.value == pytest.approx(2.9) and (figure.lowest, figure.highest) == (2.4, 3.2)
    assert figure.holds and figure.bar == "2.7 .. 3.3"
    assert suite.figure("payload of 3 kg, somewhere", (2.0, 2.1)).holds is False
    assert suite.figure("nothing is asked of this", (1.0,)).holds is None


def test_counts_that_happen_to_be_none_or_one_are_no_yes_or_no():
    """No step off the road in any seed is surely none; no fall in three seeds is nearly no word."""
    assert Suite("planners").figure("limit, steps off the road, x", (0.0, 0.0, 0.0)).interval == (0.0, 0.0)
    low, high = Suite("uncertainty").figure("cliff: walks off, naive, early data", (0.0, 0.0, 0.0)).interval
    assert low == 0.0 and high > 0.5


def test_a_verdict_says_where_the_interval_reaches_over_the_bar():
    suite = Suite("models")
    for values, verdict in (
        ((2.9, 3.0, 3.1), "holds"),
        ((2.0, 2.1, 2.2), "missed"),
        ((2.5, 3.1, 3.2), "cannot be told; the mean holds"),
        ((2.0, 2.5, 3.0), "cannot be told; the mean misses"),
        ((0.0, 6.0), "cannot be told; the mean holds"),
    ):
        assert suite.figure("payload of 3 kg, somewhere", values).verdict == verdict
    assert suite.figure("nothing is asked of this", (1.0,)).verdict == ""


def test_bars_say_what_they_ask_for():
    assert str(Bar(low=0.9)) == ">= 0.9" and str(Bar(high=0.05)) == "<= 0.05"
    assert Bar(low=0.9).holds(0.9) and not Bar(low=0.9).holds(float("nan"))


def test_experiments_are_run_for_every_seed(monkeypatch):
    suite, heard = Suite("models"), []
    monkeypatch.setitem(suite.experiments, "fork", lambda seed: {"fork: samples in both ways, x": 0.9 + seed / 10})
    (figure,) = figures(suite, "fork", 2, done=lambda name, seed: heard.append((name, seed)))
    assert heard == [("fork", 0), ("fork", 1)]
    assert figure.seeds == (0.9, 1.0) and figure.holds


def test_what_was_found_before_an_end_is_not_found_again(monkeypatch, tmp_path):
    suite, runs = Suite("models"), []

    def experiment(seed):
        if len(runs) == 2:
            raise KeyboardInterrupt
        runs.append(seed)
        return {"x": float(seed)}

    monkeypatch.setitem(suite.experiments, "fork", experiment)
    with pytest.raises(KeyboardInterrupt):
        figures(suite, "fork", 3, Kept(tmp_path / "r.json", {"asked": 1}))
    with (tmp_path / "r.done.jsonl").open("a") as file:
        file.write('["fork 2", {"x"')  # killed as it wrote
    monkeypatch.setitem(suite.experiments, "fork", lambda seed: {"x": 10.0 * seed})
    (figure,) = figures(suite, "fork", 3, Kept(tmp_path / "r.json", {"asked": 1}))
    assert figure.seeds == (0.0, 1.0, 20.0)
    with pytest.raises(ConfigError, match=r"other settings: remove it, or choose another --report"):
        Kept(tmp_path / "r.json", {"asked": 2})


def test_what_a_report_does_not_have_stays_kept(tmp_path):
    kept = Kept(tmp_path / "r.json", {"asked": 1})
    for seed in range(3):
        kept.keep(f"fork {seed}", {"x": 1.0})
    again = Kept(tmp_path / "r.json", {"asked": 1})
    again.get("fork 0", pytest.fail)
    assert again["fork 1"] == {"x": 1.0}
    assert again.reported() == f", and 1 more stay in {tmp_path / 'r.done.jsonl'}"
    whole = Kept(tmp_path / "r.json", {"asked": 1})
    assert [whole[f"fork {seed}"] for seed in range(3)] and whole.reported() == ""
    assert not (tmp_path / "r.done.jsonl").exists()


def test_a_damaged_line_of_what_was_found_is_named(tmp_path):
    kept = Kept(tmp_path / "r.json", {"asked": 1})
    kept.keep("fork 0", {"x": 1.0})
    file = tmp_path / "r.done.jsonl"
    whole = file.read_text()
    for damaged in ('["fork 1", {"x"', '"fork 1"', '["fork 1"]', '[["fork 1"], 2]', "\udcff"):
        file.write_text(f"{whole}{damaged}\n", errors="surrogateescape")
        with pytest.raises(ConfigError, match=r"r.done.jsonl, line 3: .*Remove the line"):
            Kept(tmp_path / "r.json", {"asked": 1})
    file.write_text(whole)
    assert Kept(tmp_path / "r.json", {"asked": 1})["fork 0"] == {"x": 1.0}


def test_the_command_prints_a_table_and_writes_a_report_and_a_picture(monkeypatch, tmp_path, capsys):
    found = {"K = 3: error, K = 1 is 1": 0.5}
    monkeypatch.setitem(Suite("models").experiments, "rollout", lambda seed: {**found, "seconds": float(seed)})
    file = tmp_path / "models.json"
    assert main(["bench", "models", "--only", "rollout", "--report", str(file)]) == 0
    out = capsys.readouterr().out
    assert "K = 3: error" in out and "holds" in out
    report = json.loads(file.read_text())
    assert report["seeds"] == [0, 1, 2, 3, 4]
    assert [row["value"] for row in report["rows"]] == [0.5, 2.0]
    assert file.with_suffix(".png").stat().st_size > 1000
    assert not list(tmp_path.glob("*.jsonl"))


def test_no_seeds_and_unknown_experiments_are_refused(capsys):
    assert main(["bench", "models", "--seeds", "0"]) == 2
    assert main(["bench", "models", "--only", "frok"]) == 2
    assert "no experiment 'frok' in models. Known: noise" in capsys.readouterr().err


@pytest.mark.parametrize("suite", SUITES)
def test_every_bar_is_of_a_figure_that_some_experiment_has(suite):
    """Figures are asked for by how their names begin: a renamed one would lose its bar silently."""
    module = importlib.import_module(SUITES[suite][0])
    sources = "".join(
        path.read_text() for path in Path(module.__file__).parent.glob(f"{suite}*.py") if path.stem != suite
    )
    assert not [begin for begin in module.BARS if begin.split(",")[0].split(":")[0] not in sources]


def test_curves_are_in_the_report_and_in_the_suites_picture_and_in_no_table(monkeypatch, tmp_path, capsys):
    suite, drawn = Suite("exploration"), []
    found = {"explore, last error": 0.5, "curve: explore, x, y, 3 s": 0.7}
    monkeypatch.setitem(suite.experiments, "explore_car", lambda seed: found)
    monkeypatch.setitem(suite.pictures, "exploration", lambda figures, path: drawn.append((set(figures), path.name)))
    asked = ["bench", "exploration", "--only", "explore_car", "--seeds", "2", "--report"]
    assert main([*asked, str(tmp_path / "e.json")]) == 0
    assert "explore, last error" in (out := capsys.readouterr().out) and "curve: " not in out
    assert {row["what"] for row in json.loads((tmp_path / "e.json").read_text())["rows"]} == set(found)
    assert drawn == [(set(found), "exploration.png")]
    assert main([*asked, str(tmp_path / "exploration.json")]) == 2
