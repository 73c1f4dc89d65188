import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mbrl_ros.config import ConfigError
from mbrl_ros.settings import load_run, parse_run, write_parameters
from mbrl_ros.stack import Options, beside, configured, processes

FILE = Path("/tmp/parameters.yaml")


def started(**options):
    """The processes of the quadruped's run, by name. It stands, so that no weights are needed."""
    options = Options(**{"model": "scratch", **options})
    return {p.name: p for p in processes(configured(load_run("quadruped_mpc"), options), options, FILE)}


def test_whole_run_is_bridge_guard_learner_planner():
    assert list(started()) == ["bridge", "guard", "learner", "planner"]


def test_hardware_takes_the_place_of_the_bridge():
    assert "bridge" not in started(hardware=True)


def test_without_learner_the_planner_is_told_so():
    assert "learner" not in started(learner=False)
    assert configured(load_run("quadruped_mpc"), Options(model="scratch", learner=False)).planner.learning is False


def test_nothing_guards_a_robot_that_is_only_observed():
    assert "guard" not in started(mode="observe")


def test_planner_and_learner_are_restarted_three_times_guard_and_bridge_never():
    run = started()
    assert len(run["planner"].restart_after) == len(run["learner"].restart_after) == 3
    assert list(run["planner"].restart_after) == sorted(run["planner"].restart_after)
    assert run["guard"].restart_after == run["bridge"].restart_after == ()


def test_learner_alone_gives_way():
    assert {name: p.nice > 0 for name, p in started().items()} == {
        "bridge": False,
        "guard": False,
        "learner": True,
        "planner": False,
    }


@pytest.mark.parametrize(
    ("given", "meant"), [("", "/"), ("/", "/"), ("robot1", "/robot1"), ("/robot1/", "/robot1"), ("a/b", "/a/b")]
)
def test_namespace_may_be_written_as_people_write_it(given, meant):
    command = started(namespace=given)["planner"].command
    assert f"__ns:={meant}" in command


@pytest.mark.parametrize("namespace", ["robot 1", "1robot", "a//b", "a-b"])
def test_namespace_that_ros_would_refuse_is_refused(namespace):
    with pytest.raises(ConfigError, match="namespace"):
        Options(namespace=namespace)


def test_command_starts_the_module_of_the_node_with_the_normalised_file():
    command = started()["guard"].command
    assert command[:3] == [sys.executable, "-m", "mbrl_ros.nodes.guard"]
    assert command[command.index("--params-file") + 1] == str(FILE)


def test_watcher_shares_the_namespace_and_nothing_else():
    judge = beside(started(namespace="robot1")["learner"], "judge", "--delay", "1")
    assert judge.namespace == "/robot1" and judge.nice == 0 and judge.restart_after == ()
    assert judge.command[3:6] == ["--delay", "1", "--ros-args"]


def test_options_reach_every_node_that_they_concern():
    run = configured(load_run("quadruped_mpc"), Options(model="scratch", mode="explore", seed=7, lockstep=True))
    assert (run.planner.mode, run.planner.model, run.learner.model) == ("explore", "scratch", "scratch")
    assert {run.bridge.seed, run.guard.seed, run.planner.seed, run.learner.seed} == {7}
    assert run.bridge.lockstep and run.learner.lockstep


def test_settings_are_yaml_typed_and_strict():
    run = configured(
        load_run("quadruped_mpc"),
        Options(
            model="scratch", settings=("planner.mppi.samples=200", "learner.train.rate=5e-4", "bridge.noise=false")
        ),
    )
    assert (run.planner.mppi.samples, run.learner.train.rate, run.bridge.noise) == (200, 5e-4, False)
    with pytest.raises(ConfigError, match="expected a whole number"):
        configured(load_run("quadruped_mpc"), Options(settings=("planner.mppi.samples=0.5",)))


def test_model_that_is_not_there_is_said_before_anything_starts(tmp_path):
    with pytest.raises(FileNotFoundError, match="model.safetensors"):
        configured(load_run("quadruped_mpc"), Options(model=str(tmp_path)))


def test_run_without_shipped_weights_may_stand_but_not_plan(tmp_path):
    (tmp_path / "mine.yaml").write_text("/**:\n  ros__parameters: {robot: go1_like}\n")
    run = load_run(str(tmp_path / "mine.yaml"))
    assert configured(run, Options(model="pretrained", mode="stand")).planner.model == "scratch"
    with pytest.raises(FileNotFoundError, match="--model scratch"):
        configured(run, Options(model="pretrained"))


def test_learner_has_a_folder_of_its_own_run():
    folder = Path(configured(load_run("quadruped_mpc"), Options(model="scratch", namespace="/robot1")).learner.folder)
    assert folder.is_absolute() and folder.parts[-4:-1] == ("runs", "quadruped_mpc", "robot1")


def test_normalised_file_reads_back_as_the_same_run(tmp_path):
    run = configured(load_run("quadruped_mpc"), Options(model="scratch", seed=3))
    path = write_parameters(run, tmp_path / "quadruped_mpc.yaml")
    assert parse_run(yaml.safe_load(path.read_text()), path.name, "quadruped_mpc") == run


def test_describing_a_run_is_light():
    code = "import sys, mbrl_ros.stack; print({'torch', 'rclpy', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
