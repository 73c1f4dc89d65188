"""How a node's process starts, is set while it runs, and ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from asking import ask
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

HERE = Path(__file__).parent


class Subject:
    def __init__(self, folder, *arguments):
        self.log = folder / "subject.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "subject.py"), *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join((str(HERE.parents[1]), *sys.path))},
            )

    def said(self, words):
        return words in self.log.read_text()


@pytest.fixture
def start(tmp_path, probe):
    subjects = []

    def started(*arguments, until=None):
        subject = Subject(tmp_path, *arguments)
        subjects.append(subject)
        if until:
            probe.until(lambda: subject.said(until), until)
        return subject

    yield started
    for subject in subjects:
        subject.process.kill()
        subject.process.wait()
        print(subject.log.read_text())


def set_parameters(probe, **values):
    client = probe.node.create_client(SetParameters, "subject/set_parameters")
    parameters = [Parameter(name.replace("__", "."), value=v).to_parameter_msg() for name, v in values.items()]
    return ask(probe.until, client, SetParameters.Request(parameters=parameters), "set_parameters").results[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_node_with_its_last_word_and_status_0(start, number):
    subject = start(until="activated")
    subject.process.send_signal(number)
    assert subject.process.wait(10) == 0
    assert subject.log.read_text().endswith("farewell\n")


def test_second_signal_ends_a_node_that_hangs(start):
    subject = start("hang", until="hanging")
    subject.process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        subject.process.wait(1.0)
    subject.process.send_signal(signal.SIGTERM)
    assert subject.process.wait(2.0) == 128 + signal.SIGTERM


def test_uncaught_exception_is_printed_and_ends_the_process_with_status_1(start):
    subject = start("crash")
    assert subject.process.wait(30) == 1
    assert subject.said("ZeroDivisionError")


def test_failed_transition_is_printed_and_ends_the_process_with_status_1(start):
    subject = start("fail")
    assert subject.process.wait(30) == 1
    assert subject.said("RuntimeError: cannot activate")


def test_without_autostart_a_node_waits_for_its_transitions(start, probe):
    subject = start("--ros-args", "-p", "autostart:=false", until="worked")
    assert not subject.said("configured")


def test_values_of_the_command_line_come_over_the_defaults(start):
    subject = start("--ros-args", "-p", "speed:=0.5", "-p", "inner.samples:=20", until="activated")
    assert subject.said("speed=0.5") and subject.said("samples=20")


@pytest.mark.parametrize(
    "override, reason",
    [
        ("speeed:=0.5", "unknown key 'speeed', did you mean 'speed'?"),
        ("speed:=1", "write a number with a point, as in 1.0"),
        ("inner.samples:=5", "inner.samples out of range"),
        ("mode:=stnad", "did you mean 'stand'?"),
    ],
)
def test_wrong_value_of_the_command_line_ends_the_process_with_the_mend(start, override, reason):
    subject = start("--ros-args", "-p", override)
    assert subject.process.wait(30) == 1
    assert subject.said(reason)
    assert not subject.said("Traceback")


def test_live_setting_changes_and_others_do_not(start, probe):
    subject = start(until="activated")
    assert set_parameters(probe, inner__samples=800).successful
    probe.until(lambda: subject.said("changed"), "the change")
    assert subject.said("samples=800")
    for refused, reason in (({"seed": 3}, "read-only"), ({"mode": "walk"}, "none of stand"), ({"speed": 9.0}, "range")):
        result = set_parameters(probe, **refused)
        assert not result.successful and reason in result.reason


def test_log_that_nobody_reads_stops_no_node(tmp_path, domain):
    """A pipe holds 64 kB; the lines that do not fit are lost."""
    said = tmp_path / "said.log"
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "subject.py"), "chatty"],
            stdout=output,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join((str(HERE.parents[1]), *sys.path))},
        )
    try:
        deadline = time.monotonic() + 30.0
        while "worked" not in said.read_text():
            assert process.poll() is None and time.monotonic() < deadline, said.read_text()
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
