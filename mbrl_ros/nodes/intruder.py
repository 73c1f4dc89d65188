"""Somebody who does not belong here: publishes on topics of others, as a mistake or an attack would (`mbrl chaos`).

Prints the wall time of its first message.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rclpy.utilities import remove_ros_args

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.fields import JointOrder, Refused, stamp_of
from mbrl_ros.nodes.messages.learning import bytes_message
from mbrl_ros.nodes.messages.motion import command_message, plan_message, plan_of
from mbrl_ros.nodes.run import run_node
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.types import Plan

PERIOD = 0.02  # s between two messages where nothing sets the pace
COPIES = 9  # of each state, beside the one that came: ten times the traffic
GARBAGE = 1_000_000  # bytes
HUGE = 20_000  # points of a plan
VERSION = 1_000_000  # of the model that its plans say they come from: who follows them says so on `applied`
AHEAD_NS = 5_000_000  # by which a plan of its own is newer than the planner's


class Intruder(Node):
    def __init__(self, deed: str, spec: RobotSpec, seed: int):
        super().__init__("intruder")
        self._spec, self._random = spec, np.random.default_rng(seed)
        self._order = JointOrder(spec.actuated_names)
        self._begun = False
        DEEDS[deed](self)

    def _send(self, publisher, message) -> None:
        if not self._begun:
            self._begun = True
            print(time.time_ns(), flush=True)
        publisher.publish(message)

    def _often(self, callback: Callable[[], None], period: float = PERIOD) -> None:
        self.create_timer(period, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _target(self) -> np.ndarray:
        """(A,) anywhere inside the limits: nothing that a check of ranges would refuse."""
        return self._random.uniform(*self._spec.target_limits)

    def absurd_plans(self) -> None:
        """After each plan one that is newer and says something else; within the limits of the joints."""
        self._answer_plans(lambda shape: np.stack([self._target() for _ in range(shape[0])]))

    def plans_that_are_no_numbers(self) -> None:
        self._answer_plans(lambda shape: np.full(shape, np.nan))

    def huge_plans(self) -> None:
        """One that takes whoever opens it many steps of control."""
        offsets = tuple(range(self._spec.dt_ns, (HUGE + 1) * self._spec.dt_ns, self._spec.dt_ns))
        plan = Plan(0, 0, VERSION, 0, offsets, np.tile(self._target(), (HUGE, 1)))
        content = serialize_message(plan_message(plan, self._spec))
        publisher = topics.publisher(self, topics.PLAN)
        self._often(lambda: self._send(publisher, content), period=0.2)

    def _answer_plans(self, targets: Callable[[tuple[int, int]], np.ndarray]) -> None:
        publisher = topics.publisher(self, topics.PLAN)
        told: set[int] = set()  # stamps of its own, which come back to it

        def receive(message) -> None:
            stamp_ns = stamp_of(message.header.stamp)
            if stamp_ns in told:
                return
            try:
                plan = plan_of(message, self._spec, self._order)
            except Refused:
                return
            told.add(stamp_ns + AHEAD_NS)
            answer = replace(
                plan,
                stamp_ns=stamp_ns + AHEAD_NS,
                sequence=plan.sequence + 1,
                model=VERSION,
                targets=targets(plan.targets.shape),
            )
            self._send(publisher, plan_message(answer, self._spec))

        topics.subscription(self, topics.PLAN, receive)

    def commands(self) -> None:
        publisher = topics.publisher(self, topics.commands(self._spec))
        self._often(lambda: self._send(publisher, command_message(self._target(), self._spec)))

    def garbage_models(self) -> None:
        publisher = topics.publisher(self, topics.MODEL)
        content = Random(0).randbytes(GARBAGE)
        self._often(lambda: self._send(publisher, bytes_message(content)), period=0.5)

    def flood(self) -> None:
        """Every state ten times."""
        for topic in (topics.JOINT_STATES, topics.IMU, topics.ODOM):
            if topic.name in self._spec.state_topics:
                self._multiply(topic)

    def _multiply(self, topic: topics.Topic) -> None:
        publisher = topics.publisher(self, topic)
        done = 0  # stamp of the newest that was copied: copies come back to it

        def copy(message) -> None:
            nonlocal done
            stamp_ns = stamp_of(message.header.stamp)
            if stamp_ns > done:
                done = stamp_ns
                for _ in range(COPIES):
                    self._send(publisher, message)

        topics.subscription(self, topic, copy)


DEEDS: dict[str, Callable[[Intruder], None]] = {
    "absurd-plans": Intruder.absurd_plans,
    "plans-that-are-no-numbers": Intruder.plans_that_are_no_numbers,
    "huge-plans": Intruder.huge_plans,
    "commands": Intruder.commands,
    "garbage-models": Intruder.garbage_models,
    "flood": Intruder.flood,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="intruder", description=__doc__)
    parser.add_argument("deed", choices=tuple(DEEDS))
    parser.add_argument("--robot", default="go1_like", help="robot file")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(remove_ros_args(sys.argv)[1:])
    spec = load_robot(args.robot)
    return run_node(lambda: Intruder(args.deed, spec, args.seed))


if __name__ == "__main__":
    raise SystemExit(main())
