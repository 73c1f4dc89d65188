import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mbrl_ros.config import ConfigError
from mbrl_ros.paths import share
from mbrl_ros.runs import load_run, parse_run
from mbrl_ros.stack import Options, beside, configured, processes, written_down

FILE = Path("/tmp/parameters.yaml")


def started(**options):
    """The processes of the quadruped's run, by name. It stands, so that no weights are needed."""
    options = Options(**{"model": "scratch", **options})
    return {p.name: p for p in processes(configured(load_run("quadruped_mpc"), options), options, FILE)}


def test_lockstep_without_a_guard_is_refused():
    with pytest.raises(ConfigError, match="observe"):
        configured(load_run("quadruped_mpc"), Options(mode="observe", lockstep=True))


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


def test_normalised_file_reads_back_as_the_same_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = configured(load_run("quadruped_mpc"), Options(model="scratch", seed=3))
    path = written_down(run)
    assert path.is_absolute() and path.parent == Path(run.learner.folder)
    assert parse_run(yaml.safe_load(path.read_text()), path.name, "quadruped_mpc") == run


def test_describing_a_run_is_light():
    code = (
        "import sys; from mbrl_ros.stack import *; from mbrl_ros.runs import load_run\n"
        "configured(load_run('quadruped_mpc'), Options())\n"
        "print({'torch', 'rclpy', 'mujoco', 'onnx', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture
def shipped():
    return {name: share() / "models" / name / "model.safetensors" for name in ("quadruped_mpc", "cartpole_mpc")}


def test_model_of_another_robot_is_refused_before_anything_starts(shipped):
    with pytest.raises(ConfigError, match="model of robot 'go1_like' and does not fit 'cartpole'"):
        configured(load_run("cartpole_mpc"), Options(model=str(shipped["quadruped_mpc"])))
    with pytest.raises(ConfigError, match="model of robot 'cartpole' and does not fit 'go1_like'"):
        configured(load_run("quadruped_mpc"), Options(settings=(f"learner.model={shipped['cartpole_mpc']}",)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"root:x:0:0:root",
        b"\x02\0\0\0\0\0\0\0{}",  # no metadata
        b"\x20\0\0\0\0\0\0\0" + b'{"__metadata__":{"card":"[1, 2"}}'.ljust(32)[:32],
    ],
)
def test_file_that_is_no_model_is_named_before_anything_starts(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ConfigError, match=r"model\.safetensors is (not a model file|a model of robot None)"):
        configured(load_run("quadruped_mpc"), Options(model=str(tmp_path)))


def test_model_that_was_cut_off_is_refused_before_anything_starts(tmp_path, shipped):
    (tmp_path / "cut").write_bytes(shipped["quadruped_mpc"].read_bytes()[:-100])
    with pytest.raises(ConfigError, match="cut is not a model file"):
        configured(load_run("quadruped_mpc"), Options(model=str(tmp_path / "cut")))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mode": "policy", "model": "scratch"}, "planner.mode policy cannot do without"),
        ({"mode": "hybrid", "settings": ("planner.policy=/tmp/nope.onnx",)}, "no policy at /tmp/nope.onnx, which pl"),
        ({"settings": ("planner.policy=/tmp/nope.onnx",)}, "no policy at /tmp/nope.onnx: "),
        ({"model": "scratch", "settings": ("planner.mppi.terminal_value=true",)}, "planner.mppi.terminal_value cannot"),
        ({"model": "scratch", "settings": ("planner.mppi.proposals=0.2",)}, "planner.mppi.proposals 0.2 cannot"),
    ],
)
def test_policy_that_is_wanted_and_not_there_is_said_before_anything_starts(options, complaint):
    with pytest.raises(ConfigError, match="mbrl distill quadruped_mpc") as error:
        configured(load_run("quadruped_mpc"), Options(**options))
    assert complaint in str(error.value)


def test_model_without_a_policy_beside_it_is_named_in_the_mend(tmp_path, shipped):
    model = shutil.copy(shipped["cartpole_mpc"], tmp_path)
    with pytest.raises(ConfigError) as error:
        configured(load_run("cartpole_mpc"), Options(model=str(tmp_path), mode="policy"))
    assert f"`mbrl distill cartpole_mpc --model {model} --out {tmp_path}`" in str(error.value)
    assert configured(load_run("cartpole_mpc"), Options(model=str(tmp_path))).planner.mode == "mppi"


def test_policy_may_be_named_from_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.onnx").write_bytes(b"looked at by those who fly it")
    run = configured(load_run("quadruped_mpc"), Options(settings=("planner.policy=mine.onnx",)))
    assert run.planner.policy == str(tmp_path / "mine.onnx")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (("robot=cartpole",), "action map 'gait' needs legs and a position interface; cartpole"),
        (("robot=cartpole", "planner.action_map=joint"), "task 'quadruped' needs a robot with a free base; cartpole"),
    ],
)
def test_robot_that_cannot_do_the_run_is_refused_whoever_starts_it(settings, complaint):
    with pytest.raises(ConfigError, match=complaint):
        configured(load_run("quadruped_mpc"), Options(model="scratch", settings=settings))


def test_scene_that_is_not_there_is_said_before_anything_starts_unless_the_robot_is_real(tmp_path):
    robot = tmp_path / "mine.yaml"
    robot.write_text((share() / "config/robots/go1_like.yaml").read_text().replace("go1_like.xml", "nosuch.xml"))
    settings = (f"robot={robot}",)
    with pytest.raises(ConfigError, match=r"nosuch\.xml"):
        configured(load_run("quadruped_mpc"), Options(model="scratch", settings=settings))
    configured(load_run("quadruped_mpc"), Options(model="scratch", settings=settings, hardware=True))


def test_place_where_no_parameters_can_be_written_is_said_before_anything_starts():
    run = load_run("quadruped_mpc").with_setting("learner.folder", "/proc/mine")
    with pytest.raises(ConfigError, match="/proc/mine: .*learner.folder"):
        written_down(run)
