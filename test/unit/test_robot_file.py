"""A robot file that makes no sense is refused by its name, with what is wrong in it."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
import yaml

from mbrl_ros.config import ConfigError, laid_over, read_yaml
from mbrl_ros.paths import named, share
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


def joint_with(changes: dict) -> list[dict]:
    """The quadruped's joints, the first of them changed."""
    first, *others = read_yaml(named("config/robots", "go1_like", ".yaml"))["joints"]
    return [{**first, **changes}, *others]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"velocity": -40.0}, "velocity -40 must be above 0"),
        ({"velocity": 0.0}, "velocity 0 must be above 0"),
        ({"acceleration": -1.0}, "acceleration -1 must be above 0"),
        ({"effort": -10.0}, "effort -10 must be 0 or above"),
        ({"kp": -1.0}, "kp -1 must be 0 or above"),
        ({"kv": -0.5}, "kv -0.5 must be 0 or above"),
        ({"position": [0.863, -0.863]}, "position [0.863, -0.863] must be the lowest, then the highest"),
        ({"position": [0.0, 0.0]}, "position [0, 0] must be the lowest, then the highest"),
    ],
)
def test_a_joint_that_would_turn_a_limit_round_is_refused_by_its_name(tmp_path, changes, complaint):
    complaint = rf"^mine\.yaml\.joints\[0\]: joint FR_hip_joint: {re.escape(complaint)}"
    with pytest.raises(ConfigError, match=complaint):
        robot_with(tmp_path, {"joints": joint_with(changes)})


def test_a_joint_that_is_not_actuated_keeps_them_too():
    with pytest.raises(ConfigError, match="joint pole_joint: velocity -30 must be above 0"):
        replace(load_robot("cartpole").joints[1], velocity=-30.0)


@pytest.mark.parametrize("name", ["velocity", "effort", "kp", "stance", "reach"])
def test_numbers_that_are_not_finite_are_refused_however_they_come(name):
    with pytest.raises(ConfigError, match=f"joint FR_hip_joint: {name} nan is not a finite number"):
        replace(load_robot("go1_like").joints[0], **{name: math.nan})


def test_effort_may_be_left_out_only_where_nothing_goes_by_it(tmp_path):
    joints = joint_with({})
    del joints[0]["effort"]
    with pytest.raises(ConfigError, match="FR_hip_joint: effort 0 must be above 0: gate.torque_margin goes by it"):
        robot_with(tmp_path, {"joints": joints})
    assert robot_with(tmp_path, {"joints": joints, "gate": {"torque_margin": None}}).joints[0].effort == 0
    cartpole = load_robot("cartpole")
    with pytest.raises(ConfigError, match="cart_joint: effort 0 must be above 0: the effort interface goes by it"):
        replace(cartpole, joints=(replace(cartpole.joints[0], effort=0.0), cartpole.joints[1]))


@pytest.mark.parametrize("seconds", [-2.0, 1e300])
def test_a_fade_in_that_goes_backwards_or_never_ends_is_refused(tmp_path, seconds):
    with pytest.raises(ConfigError, match=r"^mine\.yaml\.gate: gate.fade_in .* must be 0 \(at once\) to 60 s"):
        robot_with(tmp_path, {"gate": {"fade_in": seconds}})


@pytest.mark.parametrize("path", sorted((share() / "config/robots").glob("*.yaml")), ids=lambda path: path.stem)
def test_each_robot_that_is_shipped_loads(path):
    assert load_robot(path.stem).name == path.stem
