"""Settings that do nothing in a run: refused where they are said, let be where a run file has them."""

import pytest

from mbrl_ros.config import ConfigError
from mbrl_ros.runs import load_run, with_settings

RUN = load_run("pendulum_mpc")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            ["planner.planner=gradient", "planner.mppi.polish=3"],
            "planner.mppi.polish does nothing, for the planner is gra",
        ),
        (["planner.icem.samples=40"], "the planner is mppi, which reads planner.mppi"),
        (["planner.cvar=0.2"], "the treatment is expectation"),
        (["planner.treatment=cvar", "planner.pessimism=2"], "the treatment is cvar"),
        (["learner.train.priority=0.9"], "replay is uniform"),
    ],
)
def test_what_does_nothing_is_refused_and_why(said, why):
    with pytest.raises(ConfigError, match=why):
        with_settings(RUN, said)


@pytest.mark.parametrize(
    "said",
    [
        ["planner.planner=prior", "planner.mppi.horizon=5"],
        ["planner.planner=icem", "planner.icem.samples=40"],
        ["planner.treatment=optimism", "planner.pessimism=2"],
        ["planner.treatment=cvar", "planner.cvar=0.2"],
        ["learner.train.replay=prioritised", "learner.train.priority=0.9"],
    ],
)
def test_what_is_read_is_taken(said):
    assert with_settings(RUN, said) != RUN
