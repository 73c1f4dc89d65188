"""Whether doubt warned of what went wrong: the figures of `mbrl bench doubt`."""

import io
from dataclasses import replace

import numpy as np
import pytest
from gate_driver import GO1
from rich.console import Console

from mbrl_ros.bench import doubt
from mbrl_ros.bench.doubt import SITUATIONS, DoubtRow, area_under_curve, walked
from mbrl_ros.bench.doubt_command import table
from mbrl_ros.learning.models import load_model
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.runs import load_run


def test_area_under_the_curve_is_how_often_the_score_is_right():
    score, positive = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    assert area_under_curve(score, positive) == pytest.approx(0.75)
    assert area_under_curve(-score, positive) == pytest.approx(0.25)
    assert area_under_curve(np.ones(4), positive) == 0.5
    assert area_under_curve(score, np.zeros(4, bool)) is None


@pytest.fixture(scope="module")
def short():
    """One second ahead, and one on the back."""
    run = load_run("quadruped_mpc")
    model, card = load_model("pretrained", run.name, FeatureLayout(GO1))
    patch = pytest.MonkeyPatch()
    patch.setattr(doubt, "HOLD", 1.0)
    known, on_its_back = SITUATIONS[0], SITUATIONS[-1]
    ahead = replace(known, commands=((0.5, 0.0, 0.0),))
    yield [walked(run, GO1, model, card.calibration, which, 0) for which in (ahead, on_its_back)]
    patch.undo()


def test_a_walk_as_learned_is_not_doubted_and_a_robot_on_its_back_is(short):
    known, turned = short
    assert (known.limited, known.stood, known.falls) == (0.0, 0.0, 0) and known.doubt_p99 < 0.1
    assert turned.doubt_p99 > 0.95 and turned.limited > 0.3


def test_the_table_has_a_line_a_situation():
    rows = [DoubtRow(s.name, 0, 1, 0.0, 0.1, 0.25, 0.0, 0.08, 0.01, None) for s in SITUATIONS]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table("some_run", rows))
    text = console.export_text()
    assert all(situation.name in text for situation in SITUATIONS) and "25.0%" in text
