"""The launch files: read everywhere, run through launch where a ROS 2 installation brings it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from mbrl_ros.config import ConfigError

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = ROOT / "launch"
RUNS = sorted(p.stem for p in (ROOT / "config").glob("*.yaml"))
ARGUMENTS = {"config", "model", "mode", "hardware", "learner", "robot", "namespace", "use_sim_time", "rviz"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where a start leaves its parameter file."""
    monkeypatch.chdir(tmp_path)


def arguments_in(path: Path) -> dict[str, ast.Call]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {c.args[0].value: c for c in calls if getattr(c.func, "id", "") == "DeclareLaunchArgument"}


def test_every_argument_is_there_with_a_description():
    declared = arguments_in(LAUNCH / "run.launch.py")
    assert set(declared) == ARGUMENTS
    assert all("description" in {keyword.arg for keyword in call.keywords} for call in declared.values())


@pytest.mark.parametrize("run", RUNS)
def test_every_run_has_a_launch_file_of_its_name(run):
    text = (LAUNCH / f"{run}.launch.py").read_text()
    assert f'RUN = "{run}"' in text
    assert "run.launch.py" in text
    assert set(arguments_in(LAUNCH / f"{run}.launch.py")) == {"config"}


def launched(run: str = "quadruped_mpc", **arguments: str) -> list:
    """The launch_ros nodes that `ros2 launch mbrl_ros <run>.launch.py` would start, names and namespaces resolved."""
    pytest.importorskip("launch_ros.actions", reason="launch comes with a ROS 2 installation")
    from launch import LaunchContext
    from launch.actions import IncludeLaunchDescription
    from launch_ros.actions import Node

    context = LaunchContext()
    context.launch_configurations.update({"model": "scratch", **arguments})
    waiting, nodes = [IncludeLaunchDescription(str(LAUNCH / f"{run}.launch.py"))], []
    while waiting:
        entity = waiting.pop(0)
        if isinstance(entity, Node):
            entity._perform_substitutions(context)
            nodes.append(entity)
        else:
            waiting = (entity.visit(context) or []) + waiting
    return nodes


def names(nodes) -> list[str]:
    return [node.node_executable for node in nodes]


@pytest.mark.parametrize("run", RUNS)
def test_a_start_has_all_four_nodes(run):
    assert sorted(names(launched(run))) == ["bridge", "guard", "learner", "planner"]


def test_hardware_brings_no_bridge_and_the_guard_knows():
    nodes = launched(hardware="true")
    assert "bridge" not in names(nodes)
    assert parameters_of(nodes[0])["/**/guard"]["ros__parameters"]["hardware"] is True
    assert parameters_of(launched()[0])["/**/guard"]["ros__parameters"]["hardware"] is False


def test_without_a_learner_nothing_learns():
    nodes = launched(learner="False")
    assert "learner" not in names(nodes)
    assert parameters_of(nodes[0])["/**/planner"]["ros__parameters"]["learning"] is False


def test_nobody_guards_what_somebody_else_drives():
    assert "guard" not in names(launched(mode="observe"))


def test_a_namespace_reaches_every_node():
    assert {node.node_name for node in launched(namespace="robot_1")} == {
        f"/robot_1/{name}" for name in ("bridge", "guard", "learner", "planner")
    }


def parameters_of(node) -> dict:
    ((path, is_file),) = node._Node__expanded_parameter_arguments
    assert is_file
    return yaml.safe_load(Path(path).read_text())


def test_what_is_asked_for_stands_in_the_file_that_all_nodes_get():
    nodes = launched(mode="explore", model="scratch", robot="go1_like")
    for node in nodes:
        planner = parameters_of(node)["/**/planner"]["ros__parameters"]
        assert (planner["mode"], planner["model"], planner["robot"]) == ("explore", "scratch", "go1_like")


def test_planner_and_learner_come_back_and_bridge_and_guard_wait_for_a_person():
    run_launch = {node.node_executable: node for node in launched()}
    respawning = {name for name, node in run_launch.items() if node._ExecuteLocal__respawn is True}
    assert respawning == {"planner", "learner"}


def test_rviz_comes_with_what_moves_its_robot():
    assert names(launched(rviz="true"))[-2:] == ["robot_state_publisher", "rviz2"]


def test_an_unknown_mode_is_refused_with_those_that_exist():
    with pytest.raises(Exception, match="stand.*explore.*observe.*mppi"):
        launched(mode="mpi")


def test_an_unknown_run_is_answered_with_those_that_exist():
    with pytest.raises(FileNotFoundError, match="Known: .*quadruped_mpc"):
        launched(config="quadrupd_mpc")


def test_a_wrong_key_stops_the_launch_before_any_node_exists(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("/**/planner:\n  ros__parameters: {mppi: {temprature: 1}}\n")
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        launched(config=str(path))
