"""A node for test_run.py that does what its arguments say."""

import sys
import time
from dataclasses import dataclass

from mbrl_ros.config import section, setting
from mbrl_ros.nodes import run
from mbrl_ros.nodes.params import Settings


@dataclass(frozen=True)
class Inner:
    """Of the example."""

    samples: int = setting(400, "how many", low=10, high=1000, live=True)


@dataclass(frozen=True)
class Example:
    speed: float = setting(1.0, "m/s", low=0.0, high=2.0, live=True)
    mode: str = setting("mppi", "what to do", choices=("stand", "mppi"), live=True)
    seed: int = setting(0, "of all", low=0)
    inner: Inner = section(Inner)


class Subject(run.ManagedNode):
    def __init__(self):
        super().__init__("subject")
        self.settings = Settings(self, Example(), on_change=lambda new: print("changed", new, flush=True))
        self.rounds = 0

    def configure(self):
        print("configured", self.settings.current, flush=True)

    def activate(self):
        if "fail" in sys.argv:
            raise RuntimeError("cannot activate")
        if "crash" in sys.argv:
            self.create_timer(0.01, lambda: 1 / 0)
        if "hang" in sys.argv:
            self.create_timer(0.01, self.hang)
        if "chatty" in sys.argv:
            for _ in range(5000):
                self.get_logger().info("words " * 20)
        print("activated", flush=True)

    def hang(self):
        print("hanging", flush=True)
        time.sleep(60)

    def work(self):
        self.rounds += 1
        if self.rounds == 3:
            print("worked", flush=True)
        return 0.01

    def farewell(self):
        print("farewell", flush=True)


sys.exit(run.run_node(Subject))
