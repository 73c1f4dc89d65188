"""A robot file that makes no sense is refused by its name, with what is wrong in it."""

from __future__ import annotations

import re

import pytest
import yaml

from mbrl_ros.config import ConfigError, laid_over, read_yaml
from mbrl_ros.paths import named
from mbrl_ros.robots.mjcf import load_model
from mbrl_ros.robots.spec import RobotSpec, load_robot


def robot_with(folder, changes: dict) -> RobotSpec:
    """The quadruped with these changes, from a file mine.yaml."""
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(laid_over(read_yaml(named("config/robots", "go1_like", ".yaml")), changes)))
    return load_robot(str(path))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"duty": 0.0}, "duty 0.0 must lie between 0 and 1"),
        ({"duty": 1.0}, "duty 1.0 must lie between 0 and 1"),
        ({"duty": -0.2}, "duty -0.2 must lie between 0 and 1"),
        ({"period": 0.0}, "period 0.0 s must be above 0"),
        ({"period": -0.4}, "period -0.4 s must be above 0"),
    ],
)
def test_a_gait_in_which_no_foot_stands_or_none_swings_is_refused(tmp_path, changes, complaint):
    with pytest.raises(ConfigError, match=rf"^mine\.yaml\.legs\.gait: .*{re.escape(complaint)}"):
        robot_with(tmp_path, {"legs": {"gait": changes}})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"base": {"mass": 0.0}}, ".base: mass 0 kg must be above 0"),
        ({"base": {"mass": -1.0}}, ".base: mass -1 kg must be above 0"),
        ({"base": {"fall_height": 0.285}}, ".base: fall_height 0.285 m must be below stance_height 0.285 m"),
        ({"gate": {"min_height": 0.3}}, ": gate.min_height 0.3 m must be below base.stance_height 0.285 m"),
        ({"interface": "torque"}, ": interface 'torque' is none of position, velocity, effort"),
    ],
)
def test_a_body_that_could_not_stand_is_refused_by_the_name_of_the_file(tmp_path, changes, complaint):
    with pytest.raises(ConfigError, match=rf"^mine\.yaml{re.escape(complaint)}"):
        robot_with(tmp_path, changes)


@pytest.mark.parametrize("rungs", [[], ["damp"], ["sit", "stance"], ["stance", "sit"], ["stance", "kneel", "damp"]])
def test_a_ladder_that_does_not_end_limp_is_refused_with_one_that_does(tmp_path, rungs):
    with pytest.raises(ConfigError, match=r"^mine\.yaml: safe_sequence .* as in \[stance, sit, damp\]"):
        robot_with(tmp_path, {"safe_sequence": rungs})


@pytest.mark.parametrize("rungs", [["stance", "damp"], ["stance", "sit", "off"], ["zero", "off"]])
def test_a_ladder_may_leave_out_sitting(tmp_path, rungs):
    assert list(robot_with(tmp_path, {"safe_sequence": rungs}).safe_sequence) == rungs


def test_a_scene_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"robot go1_like: scene .*nosuch\.xml"):
        load_model(robot_with(tmp_path, {"scene": "nosuch.xml"}))


def test_a_scene_that_mujoco_refuses_is_named(tmp_path):
    (tmp_path / "broken.xml").write_text("<mujoco><worldbody><geom/></mujoco>")
    with pytest.raises(ConfigError, match=r"robot go1_like: scene .*broken\.xml"):
        load_model(robot_with(tmp_path, {"scene": str(tmp_path / "broken.xml")}))
