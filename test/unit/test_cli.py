import subprocess
import sys

import pytest

from mbrl_ros import cli


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


def test_value_that_begins_with_a_minus_is_taken_for_a_value():
    assert cli._joined(["up", "x", "--commands", "-0.2,0,0;0,0,1", "--demo"]) == [
        "up",
        "x",
        "--commands=-0.2,0,0;0,0,1",
        "--demo",
    ]
