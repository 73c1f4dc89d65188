"""`mbrl bench pets`: ours learns the cartpole; both sides are compared by what they earned when."""

import ast
import json

import pytest

from mbrl_ros.bench import pets_ours
from mbrl_ros.bench.pets import SCRIPT, Reached, as_rows, comparison, reached, read
from mbrl_ros.bench.student import Trial
from mbrl_ros.cli import main
from mbrl_ros.config import ConfigError


def trial(earned, steps, explored=False):
    return Trial(float(earned), steps, steps / 10, steps / 20, explored)


QUICK = [trial(20, 20, explored=True), trial(150, 170), trial(200, 370), trial(200, 570)]
SLOW = [trial(200, 200, explored=True), trial(20, 220), trial(30, 250)]


def test_two_trials_of_random_motion_are_enough_to_balance_the_next_one():
    found = pets_ours.trials(0, 1)
    assert found[-2].explored and found[-2].steps == pets_ours.STUDIES.explored
    assert not found[-1].explored and found[-1].earned >= 150
    assert found[-1].steps == pets_ours.STUDIES.explored + found[-1].earned
    assert all(t.earned < 100 for t in found[:-1])


def test_it_counts_when_a_planned_trial_earns_enough_and_not_what_luck_earns():
    assert reached(QUICK, 200.0) == Reached(steps=370, before=170, processor=18.5, yes=True)
    assert reached(SLOW, 200.0) == Reached(steps=250, before=250, processor=12.5, yes=False)


def test_ratios_are_of_means_over_seeds():
    better = [trial(200, 100)]
    mine, other, ratio = comparison([better, QUICK], [QUICK])
    assert (mine["steps"], mine["reached"], other["steps"]) == (235.0, 2, 370.0)
    assert ratio["steps"] == pytest.approx(235 / 370) and not ratio["at_most"] and not ratio["fewer_steps"]
    assert comparison([better], [QUICK])[2]["fewer_steps"]


def test_who_has_not_got_there_counts_until_its_end():
    ratio = comparison([[trial(200, 180)]], [SLOW])[2]
    assert ratio["at_most"] and ratio["fewer_steps"] is None
    assert comparison([[trial(200, 100)]], [SLOW])[2]["fewer_steps"] is True
    assert comparison([SLOW], [[*QUICK[:2], trial(200, 9000)]])[2]["fewer_steps"] is False
    assert len(comparison([QUICK], [])) == 1


def test_lines_of_the_peer_are_read_among_whatever_else_it_says():
    said = ["Results will be saved at /tmp.", *(json.dumps(row) for row in as_rows(SLOW))]
    assert read(said, "peer") == SLOW
    with pytest.raises(ConfigError, match="no trial was told"):
        read(said[:1], "peer")
    with pytest.raises(ConfigError, match="not what pets_peer.py prints"):
        read(['{"earned": 1}'], "peer")


def test_a_python_without_mbrl_lib_is_refused_before_the_work_with_the_way_to_get_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(pets_ours, "trials", lambda seed, most: pytest.fail("that is the work"))
    empty = tmp_path / "python"
    empty.write_text("#!/bin/sh\nexit 1\n")
    empty.chmod(0o755)
    for python in (empty, tmp_path / "nowhere"):
        assert main(["bench", "pets", "--peer-python", str(python)]) == 2
        assert "pip install mbrl" in capsys.readouterr().err


def test_the_script_for_the_other_python_imports_nothing_of_ours():
    tree = ast.parse(SCRIPT.read_text())
    modules = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    modules += [alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names]
    assert "mbrl" in modules and not [name for name in modules if name.startswith("mbrl_ros")]


def test_the_command_prints_writes_and_draws_both_sides(capsys, monkeypatch, tmp_path):
    seeds = []
    monkeypatch.setattr(pets_ours, "trials", lambda seed, most: seeds.append(seed) or QUICK)
    lines, report = tmp_path / "peer.jsonl", tmp_path / "pets.json"
    lines.write_text("\n".join(json.dumps(row) for row in as_rows(SLOW)))
    assert main(["bench", "pets", "--seeds", "2", "--peer-lines", str(lines), "--report", str(report)]) == 0
    said = capsys.readouterr().out
    assert seeds == [0, 1]
    assert ">= 250" in said and "<= 1.5 (<= 0.5: open)" in said
    written = json.loads(report.read_text())
    assert written["trials"]["mbrl-lib"] == [as_rows(SLOW)] and len(written["trials"]["ours"]) == 2
    assert report.with_suffix(".png").stat().st_size > 5000


def test_without_a_peer_it_says_how_to_get_one(capsys, monkeypatch):
    monkeypatch.setattr(pets_ours, "trials", lambda seed, most: QUICK)
    assert main(["bench", "pets", "--seeds", "1"]) == 0
    assert "pip install mbrl" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--seeds", "--trials", "--peer-seeds", "--peer-trials"])
def test_none_of_something_is_refused(capsys, option):
    assert main(["bench", "pets", option, "0"]) == 2
    assert f"{option} is at least 1" in capsys.readouterr().err
