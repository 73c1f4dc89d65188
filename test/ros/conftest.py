"""Each file of tests here has a ROS domain of its own, starts nodes as processes, and listens with a probe."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import rclpy
from asking import ask
from rclpy.signals import SignalHandlerOptions
from up_run import Run

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.spin import SteadyExecutor
from mbrl_ros.up.discovery import THEIR_WORD, environment

PATIENCE = 90.0  # s, generous: machines differ, and while many start, nodes find each other only after many seconds
DOMAINS = range(1, 101)
ROOM = 1000  # a lockstep graph says more between two looks than a control loop wants to keep


@pytest.fixture(scope="module", autouse=True)
def domain():
    """A ROS_DOMAIN_ID that nobody else on this machine uses, in the environment that processes inherit.

    They find each other as those of `mbrl up` do: over the loopback interface. In shared memory, a process that a test
    has killed may leave what others of its domain then wait for.
    """
    with _FreeDomain() as number, pytest.MonkeyPatch.context() as patch:
        for name in THEIR_WORD:
            patch.delenv(name, raising=False)
        for name, value in environment().items():
            patch.setenv(name, value)
        patch.setenv("ROS_DOMAIN_ID", str(number))
        yield number


class _FreeDomain:
    """Held by a locked file against other tests; a bound discovery port shows other users."""

    def __enter__(self) -> int:
        for number in DOMAINS:
            number = (number + 7 * os.getpid()) % len(DOMAINS) + 1
            self._file = open(Path(tempfile.gettempdir()) / f"mbrl_ros_test_domain_{number}.lock", "w")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind(("", 7400 + 250 * number))  # where DDS participants of this domain find each other
                return number
            except OSError:
                self._file.close()
        raise RuntimeError("all ROS domains of this machine are in use")

    def __exit__(self, *_):
        self._file.close()


class Processes:
    """Nodes started as a person would start them; what they print goes to files."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._started: list[subprocess.Popen] = []

    def start(self, module: str, *parameters: str, environment: dict[str, str] | None = None) -> subprocess.Popen:
        """`python -m mbrl_ros.nodes.<module>`; a parameter is `name:=value`."""
        command = [sys.executable, "-m", f"mbrl_ros.nodes.{module}"]
        if parameters:
            command += ["--ros-args", *(word for parameter in parameters for word in ("-p", parameter))]
        return self.run(module, command, environment)

    def run(self, name: str, command: list[str], environment: dict[str, str] | None = None) -> subprocess.Popen:
        log = self._folder / f"{name}_{len(self._started)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | (environment or {})
            )
        process.log = log
        self._started.append(process)
        return process

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._started:
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def show(self) -> None:
        """What they printed; pytest shows it where a test failed."""
        for log in sorted(self._folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text()}")


@pytest.fixture
def processes(tmp_path):
    processes = Processes(tmp_path)
    yield processes
    processes.end()
    processes.show()


class Probe:
    """A node of the test: it publishes, collects what it hears, and spins until something holds."""

    def __init__(self, namespace: str = ""):
        self.context = rclpy.Context()
        rclpy.init(context=self.context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node("probe", context=self.context, namespace=namespace)
        self.executor = SteadyExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._clients = {}
        self._hearing = {}  # the subscription of each collected topic

    def publisher(self, topic: topics.Topic):
        return topics.publisher(self.node, topic)

    def collect(self, topic: topics.Topic, read=lambda message: message) -> list:
        """Grows with `read(message)` of each message of `topic` while the probe spins."""
        heard = []
        self._hearing[topic.name] = topics.subscription(
            self.node, topic, lambda message: heard.append(read(message)), ROOM
        )
        return heard

    def call(self, entry: topics.ServiceEntry, **request):
        if entry.name not in self._clients:
            self._clients[entry.name] = topics.client(self.node, entry)
        return ask(self.until, self._clients[entry.name], entry.type.Request(**request), entry.name)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.executor.spin_once(left)

    def until(self, condition, what: str, patience: float = PATIENCE) -> None:
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, f"waited {patience:g} s in vain for {what}"
            self.executor.spin_once(0.05)

    def until_connected(self, *publishers) -> None:
        self.until(lambda: all(p.get_subscription_count() for p in publishers), "subscribers")

    def until_hears(self, *collected: topics.Topic) -> None:
        """A lockstep graph is done with hundreds of steps before who listens is known to who speaks."""
        hearing = [self._hearing[topic.name] for topic in collected]
        self.until(lambda: all(s.get_publisher_count() for s in hearing), "publishers")

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)


@pytest.fixture
def probe(domain):
    probe = Probe()
    yield probe
    probe.close()


@pytest.fixture
def up(tmp_path):
    runs = []

    def start(*arguments):
        runs.append(Run(tmp_path, *arguments))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
