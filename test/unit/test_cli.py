import os
import subprocess
import sys

import pytest

from mbrl_ros import cli
from mbrl_ros.config import ConfigError
from mbrl_ros.learning import eval_command
from mbrl_ros.learning.eval_command import ORACLE_SAMPLES
from mbrl_ros.paths import check_out, check_report
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run, with_settings


def mbrl(capsys, *arguments):
    """Exit status, standard output and standard error of a command."""
    try:
        status = cli.main(arguments)
    except SystemExit as end:  # argparse
        status = end.code
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_names_every_command(capsys, command):
    status, said, _ = mbrl(capsys, "--help")
    assert status == 0 and command in said


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from mbrl_ros import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'rclpy', 'mujoco', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_up_is_ready_without_torch():
    code = "import sys, mbrl_ros.up.command, mbrl_ros.stack; print('torch' in sys.modules, 'rclpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_without_a_command_the_help_is_shown(capsys):
    status, said, _ = mbrl(capsys)
    assert status == 2 and "COMMAND" in said


def test_unknown_run_is_one_line_that_lists_the_known_ones(capsys):
    status, _, error = mbrl(capsys, "up", "quadrupd_mpc")
    assert status == 2
    assert error.count("\n") == 1 and "quadruped_mpc" in error and "Traceback" not in error


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("planner.mppi.sample=200", "did you mean 'samples'"),
        ("planner.mppi.samples=many", "expected a whole number"),
        ("planner.mppi.samples=0", "outside"),
        ("planner.mppi.samples", "planner.mppi.samples=200"),
        ("samples=3", "planner.<key>"),
        ("planner.mppi.temperature=[0.3", "not a YAML value"),
    ],
)
def test_wrong_setting_names_the_key_and_the_mend(capsys, setting, hint):
    status, _, error = mbrl(capsys, "up", "quadruped_mpc", "--mode", "stand", "--set", setting)
    assert status == 2
    assert error.count("\n") == 1 and hint in error


def test_wrong_commands_say_what_a_command_looks_like(capsys):
    status, _, error = mbrl(capsys, "up", "quadruped_mpc", "--mode", "stand", "--commands", "-0.2,fast,0")
    assert status == 2 and "-0.2,fast,0" in error and "vx,vy,wz" in error


def test_commands_are_refused_for_a_robot_without_a_base(capsys):
    status, _, error = mbrl(capsys, "up", "cartpole_mpc", "--mode", "stand", "--commands", "0.2,0,0")
    assert status == 2 and "cartpole" in error


def test_namespace_that_ros_would_refuse_is_refused_first(capsys):
    status, _, error = mbrl(capsys, "up", "quadruped_mpc", "--namespace", "robot one")
    assert status == 2 and "robot one" in error


def settings_of(*arguments):
    parsed = cli._parser("eval").parse_args(cli._joined(["eval", *arguments]))
    return parsed.run_name, parsed.settings


@pytest.mark.parametrize(
    "arguments",
    [
        ("quadruped_mpc", "--set", "a=1", "b=2", "c=[3, 4]"),
        ("quadruped_mpc", "--set", "a=1", "--set", "b=2", "c=[3, 4]"),
        ("quadruped_mpc", "--set", "a=1", "--set=b=2", "--seeds", "2", "--set", "c=[3, 4]"),
        ("--set", "a=1", "b=2", "c=[3, 4]", "quadruped_mpc"),
        ("--seeds", "2", "--set", "a=1", "b=2", "--set", "c=[3, 4]", "quadruped_mpc"),
    ],
)
def test_one_set_takes_several_settings_and_may_be_repeated_wherever_the_run_stands(arguments):
    assert settings_of(*arguments) == ("quadruped_mpc", ["a=1", "b=2", "c=[3, 4]"])


@pytest.mark.parametrize("command", ["up", "train", "eval", "bench"])
def test_every_setting_of_one_set_is_checked(capsys, command):
    what = ["plan"] if command == "bench" else []
    run = ["--run", "quadruped_mpc"] if command == "bench" else ["quadruped_mpc"]
    status, _, error = mbrl(capsys, command, *what, *run, "--set", "planner.delay=1", "planner.mppi.sample=200")
    assert status == 2 and "did you mean 'samples'" in error


def test_a_setting_without_its_value_is_told_how_it_is_written(capsys):
    status, _, error = mbrl(capsys, "eval", "quadruped_mpc", "--set", "planner.mppi.samples", "200")
    assert status == 2 and "planner.mppi.samples=200" in error


@pytest.fixture
def blocked(tmp_path):
    """A place below a file: nothing can be written there, whoever asks."""
    (tmp_path / "taken").write_text("")
    return tmp_path / "taken" / "below"


@pytest.mark.parametrize(
    ("command", "option"), [("train", "--out"), ("train", "--report"), ("eval", "--report"), ("up", "--report")]
)
def test_what_could_not_be_written_at_the_end_is_said_at_the_beginning(capsys, blocked, command, option):
    status, _, error = mbrl(capsys, command, "quadruped_mpc", option, str(blocked / "more"))
    assert status == 2 and error.count("\n") == 1
    assert f"{option} {blocked / 'more'}: {blocked.parent} is a file, not a folder" in error
    assert "Name another place" in error


@pytest.mark.parametrize("option, command", [("--report", "up"), ("--report", "eval"), ("--out", "train")])
def test_a_place_that_only_looks_writable_is_found_out_at_the_beginning(capsys, option, command):
    status, _, error = mbrl(capsys, command, "quadruped_mpc", option, "/proc/new.json")
    assert status == 2 and error.count("\n") == 1 and f"{option} /proc/new.json: cannot be written there" in error


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("up", "quadruped_mpc", "--hold", "inf"), "--hold inf"),
        (("up", "quadruped_mpc", "--hold", "nan"), "--hold nan"),
        (("up", "quadruped_mpc", "--duration", "inf"), "--duration inf"),
        (("eval", "quadruped_mpc", "--hold", "inf"), "--hold inf"),
        (("train", "quadruped_mpc", "--hold", "nan"), "--hold nan"),
        (("train", "quadruped_mpc", "--robot-seconds", "inf"), "--robot-seconds inf"),
        (("train", "quadruped_mpc", "--robot-seconds", "5"), "training begins after 10 s"),
        (("train", "quadruped_mpc", "--evaluate-at", "30,70"), "--evaluate-at 30,70"),
        (("train", "quadruped_mpc", "--evaluate-at", "5"), "before which nothing is learned"),
        (("train", "quadruped_mpc", "--evaluate-at", "nan"), "--evaluate-at nan"),
        (("train", "cartpole_mpc", "--commands", "0.2,0,0"), "cartpole has no base to drive"),
        (("eval", "cartpole_mpc", "--commands", "0.2,0,0"), "cartpole has no base to drive"),
        (("eval", "quadruped_mpc", "--policy", "/nowhere/policy.onnx"), "make one with `mbrl distill quadruped_mpc"),
        (("train", "quadruped_mpc", "--set", "planner.mppi.terminal_value=true"), "train plans without a policy"),
        (("train", "quadruped_mpc", "--set", "planner.mppi.proposals=0.2"), "planner.mppi.proposals: mbrl train plans"),
    ],
)
def test_what_could_not_come_to_an_end_or_to_a_result_is_refused_first(capsys, arguments, complaint):
    status, _, error = mbrl(capsys, *arguments)
    assert status == 2 and error.count("\n") == 1 and complaint in error


@pytest.mark.parametrize("command", ["train", "eval", "up"])
def test_a_report_that_is_a_folder_is_told_the_file_it_could_be(capsys, tmp_path, command):
    status, _, error = mbrl(capsys, command, "quadruped_mpc", "--report", str(tmp_path))
    assert status == 2 and f"--report {tmp_path / 'report.json'}" in error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_without_the_right_to_write_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    for check in (check_report, check_out):
        with pytest.raises(ConfigError, match=r"cannot be written there.*change its rights"):
            check(tmp_path / "new")


def test_a_report_that_is_there_stays_as_it_is_until_the_next_one_is_written(tmp_path):
    (tmp_path / "report.json").write_text("before")
    check_report(tmp_path / "report.json")
    check_report(tmp_path / "new.json")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.json", "before")]


def test_folders_that_are_still_to_be_made_are_made(tmp_path):
    check_out(tmp_path / "a" / "b")
    check_report(tmp_path / "a" / "b" / "report.json")
    assert not list(tmp_path.iterdir()), "not before there is something to write"


def test_value_that_begins_with_a_minus_is_taken_for_a_value():
    assert cli._joined(["up", "x", "--commands", "-0.2,0,0;0,0,1", "--demo"]) == [
        "up",
        "x",
        "--commands=-0.2,0,0;0,0,1",
        "--demo",
    ]


@pytest.mark.parametrize(
    ("run", "setting", "reason"),
    [
        ("hand_mpc", "planner.planner=mcts", "3^9 choices a step"),
        ("pendulum_mpc", "planner.planner=gradient", "needs a model with a gradient"),
    ],
)
def test_a_planner_that_never_had_a_plan_is_not_judged_by_figures(capsys, tmp_path, run, setting, reason):
    report = tmp_path / "report.json"
    status, said, error = mbrl(capsys, "eval", run, "--model", "oracle", "--set", setting, "--report", str(report))
    assert status == 2 and reason in error and "no plan in any of" in error
    assert "last 5 s" not in said and not report.exists()


@pytest.mark.parametrize("name", ["report.png", "report.md", "report.log", "report", "report.done.jsonl"])
@pytest.mark.parametrize(
    "command",
    [("bench", "ladder"), ("bench", "models"), ("bench", "plan"), ("bench", "pets"), ("train", "pendulum_mpc")],
    ids=" ".join,
)
def test_a_report_that_what_comes_beside_it_would_overwrite_is_refused(capsys, tmp_path, command, name):
    status, _, error = mbrl(capsys, *command, "--report", str(tmp_path / name))
    assert status == 2 and error.count("\n") == 1
    assert f"--report {(tmp_path / name).with_suffix('.json')}" in error and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "planner", "samples"),
    [
        ((), "mppi", ORACLE_SAMPLES),
        (("planner.mppi.samples=300",), "mppi", 300),
        (("planner.planner=cem",), "cem", ORACLE_SAMPLES),
        (("planner.planner=cem", "planner.cem.samples = 300"), "cem", 300),
        (("planner.planner=gradient",), "gradient", 4),
    ],
)
def test_true_physics_plans_with_few_rollouts_but_where_somebody_says_how_many(settings, planner, samples):
    run = with_settings(load_run("pendulum_mpc"), settings)
    told, model = eval_command._model(run, "oracle", load_robot("pendulum"), settings)
    assert told.planner.searching == planner and told.planner.search.samples == samples
    assert model.members == 1
