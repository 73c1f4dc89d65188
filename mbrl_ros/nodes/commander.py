"""Drives a schedule of velocities over cmd_vel, each held for some seconds of robot time, again and again.

It begins once the planner plans and is done exploring, keeps robot time by the stamps of plans (no plans: no commands,
and the last one times out), and falls silent for good as soon as anybody else publishes on cmd_vel.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import deque

from geometry_msgs.msg import Twist, TwistStamped
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from mbrl_ros.control.report import Velocity, parse_commands
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.fields import JointOrder, Refused
from mbrl_ros.nodes.messages.motion import plan_of
from mbrl_ros.nodes.messages.status import values_of
from mbrl_ros.nodes.run import run_node
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.types import NS

EVERY_NS = NS // 10  # well within the planner's timeout


class Commander(Node):
    def __init__(self, spec: RobotSpec, commands: tuple[Velocity, ...], hold: float, stamped: bool):
        super().__init__("commander")
        self._spec, self._order = spec, JointOrder(spec.actuated_names)
        self._commands, self._hold_ns, self._stamped = commands, round(hold * NS), stamped
        self._began_ns = self._said_ns = None  # robot time
        self._said: deque[Velocity] = deque(maxlen=3)  # what may still be on its way back to us
        self._silent, self._wanted = False, False
        topic = topics.CMD_VEL_STAMPED if stamped else topics.CMD_VEL
        self._publisher = topics.publisher(self, topic)
        topics.subscription(self, topic, self._heard)
        topics.subscription(self, topics.PLAN, self._planned)
        topics.subscription(self, topics.DIAGNOSTICS, self._diagnosed)

    def _diagnosed(self, message) -> None:
        for status in message.status:
            mode = values_of(status).get(keys.MODE)
            if mode is not None:
                self._wanted = mode not in keys.MODES_WITHOUT_COMMANDS

    def _planned(self, message) -> None:
        if self._silent or not self._wanted:
            return
        try:
            plan = plan_of(message, self._spec, self._order)
        except Refused as refusal:
            self.get_logger().warning(f"plan: {refusal}", throttle_duration_sec=5.0)
            return
        if self._began_ns is None or plan.stamp_ns < self._began_ns:
            self._began_ns, self._said_ns = plan.stamp_ns, None
        command = self._commands[(plan.stamp_ns - self._began_ns) // self._hold_ns % len(self._commands)]
        due = self._said_ns is None or plan.stamp_ns - self._said_ns >= EVERY_NS
        if due or command != self._said[-1]:
            self._said_ns = plan.stamp_ns
            self._say(command, message.header.stamp)

    def _say(self, command: Velocity, stamp) -> None:
        self._said.append(command)
        twist = Twist()
        twist.linear.x, twist.linear.y, twist.angular.z = command
        if self._stamped:
            stamped = TwistStamped(twist=twist)
            stamped.header.stamp = stamp
            self._publisher.publish(stamped)
        else:
            self._publisher.publish(twist)

    def _heard(self, message) -> None:
        """One's own messages come back too, and an equal one of somebody else does no harm."""
        twist = message.twist if self._stamped else message
        heard = (twist.linear.x, twist.linear.y, twist.angular.z)
        if not self._silent and heard not in self._said:
            self._silent = True
            self.get_logger().info("somebody else publishes on cmd_vel: silent from now on")


def main() -> int:
    parser = argparse.ArgumentParser(prog="commander", description=__doc__)
    parser.add_argument(
        "--commands", required=True, metavar="'VX,VY,WZ;...'", help="m/s and rad/s; write --commands=..."
    )
    parser.add_argument("--hold", type=float, default=4.0, metavar="S", help="robot time a command (default: 4)")
    parser.add_argument("--stamped-command", action="store_true", help="publish TwistStamped")
    parser.add_argument("--robot", default="go1_like", help="robot file")
    args = parser.parse_args(remove_ros_args(sys.argv)[1:])
    if not 0 < args.hold < math.inf:
        parser.error(f"--hold {args.hold:g}: expected a number of seconds above 0")
    commands, spec = parse_commands(args.commands), load_robot(args.robot)
    return run_node(lambda: Commander(spec, commands, args.hold, args.stamped_command))


if __name__ == "__main__":
    raise SystemExit(main())
