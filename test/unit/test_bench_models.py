"""`mbrl bench models`: its rows, bars, table and report."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mbrl_ros.bench import models, models_command
from mbrl_ros.bench.models import BARS, EXPERIMENTS, Bar, bench_models, row_of
from mbrl_ros.cli import main
from mbrl_ros.config import ConfigError


def test_a_row_is_judged_by_its_mean():
    row = row_of("payload of 3 kg, somewhere", (2.4, 3.1, 3.2))
    assert row.value == pytest.approx(2.9) and (row.lowest, row.highest) == (2.4, 3.2)
    assert row.holds and row.bar == "2.7 .. 3.3"
    assert row_of("payload of 3 kg, somewhere", (2.0, 2.1)).holds is False
    assert row_of("nothing is asked of this", (1.0,)).holds is None


def test_bars_say_what_they_ask_for():
    assert str(Bar(low=0.9)) == ">= 0.9" and str(Bar(high=0.05)) == "<= 0.05"
    assert Bar(low=0.9).holds(0.9) and not Bar(low=0.9).holds(float("nan"))


def test_experiments_are_run_for_every_seed(monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "fork", lambda seed: {"fork: samples in both ways, x": 0.9 + seed / 10})
    heard = []
    (row,) = bench_models(["fork"], [0, 1], lambda name, seed: heard.append((name, seed)))
    assert heard == [("fork", 0), ("fork", 1)]
    assert row.seeds == (0.9, 1.0) and row.holds


def test_the_command_prints_a_table_and_writes_a_report_and_a_picture(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(EXPERIMENTS, "rollout", lambda seed: {"K = 3: error, K = 1 is 1": 0.5, "seconds": float(seed)})
    file = tmp_path / "models.json"
    assert main(["bench", "models", "--only", "rollout", "--report", str(file)]) == 0
    out = capsys.readouterr().out
    assert "K = 3: error" in out and "holds" in out and "5 seeds" in out
    report = json.loads(file.read_text())
    assert report["seeds"] == [0, 1, 2, 3, 4]
    assert [row["value"] for row in report["rows"]] == [0.5, 2.0]
    assert file.with_suffix(".png").stat().st_size > 1000


def test_no_seeds_are_refused():
    with pytest.raises(ConfigError, match="--model-seeds is at least 1"):
        models_command.run(type("Args", (), {"model_seeds": 0})(), None)


def test_every_bar_is_of_a_figure_that_some_experiment_has():
    """Figures are asked for by how their names begin: a renamed one would lose its bar silently."""
    sources = "".join(path.read_text() for path in Path(models.__file__).parent.glob("models_*.py"))
    assert not [begin for begin in BARS if begin.split(",")[0].split(":")[0] not in sources]


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name not in ("payload", "reward", "car")])
def test_every_experiment_has_finite_figures_with_hardly_any_training(name, monkeypatch):
    """Payload, reward and car are tried by the tests of what they measure: they take longer."""
    module = sys.modules[EXPERIMENTS[name].__module__]
    for setting in ("FIT", "DEAR", "BESIDE"):
        if hasattr(module, setting):
            monkeypatch.setattr(module, setting, replace(getattr(module, setting), steps=4, batch=8))
    monkeypatch.setattr(models.models_modes, "SAMPLES", 3)
    figures = EXPERIMENTS[name](0)
    assert figures and all(math.isfinite(value) for value in figures.values())
