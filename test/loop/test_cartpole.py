"""A cart that knows nothing learns to swing its pole up: `mbrl train cartpole_mpc`, short."""

import argparse
import json

import pytest

from mbrl_ros.learning import train_command
from mbrl_ros.learning.models import load_model
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot

SECONDS = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cartpole")
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", dest="settings", action="append", default=[])
    train_command.add_arguments(parser)
    words = ["cartpole_mpc", "--robot-seconds", str(SECONDS), "--report", str(folder / "report.json")]
    assert train_command.run(parser.parse_args([*words, "--out", str(folder / "model")])) == 0
    return folder


@pytest.fixture(scope="module")
def report(folder):
    return json.loads((folder / "report.json").read_text())


def test_the_pole_stands_at_the_end(report):
    assert report["summary"]["upright_share_last_5s"] > 0.9
    assert report["summary"]["upright_for_good_after_s"] < 10.0


def test_it_trained_as_the_data_came_and_took_what_was_better(report):
    (curve,) = report["curves"]
    first, every = report["config"]["learner"]["first_seconds"], report["config"]["learner"]["every_seconds"]
    assert curve["seconds"][0] == pytest.approx(first, abs=0.2)
    assert len(curve["seconds"]) == pytest.approx((SECONDS - first) / every + 1, abs=2)
    assert curve["promoted"][0]
    assert sum(curve["promoted"]) >= 3
    assert report["seeds"] == [0]
    assert curve["evaluations"][-1]["robot_seconds"] == SECONDS


def test_what_it_wrote_can_be_started_from(folder):
    layout = FeatureLayout(load_robot("cartpole"))
    _, card = load_model(str(folder / "model"), "cartpole_mpc", layout)
    assert card.robot == "cartpole"
    assert card.one_step_r2 > 0.9
    assert SECONDS / 3 < card.seconds <= SECONDS
    assert (folder / "report.png").stat().st_size > 1000
