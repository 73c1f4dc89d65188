"""Passes a state on and does nothing else: what a way through one process takes at least (`mbrl up --bare-hops`).

It spins as the other nodes do, and may be given the priority and the cores of the one that it stands beside.
"""

from __future__ import annotations

import argparse
import sys

from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from mbrl_ros.control import realtime
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.run import run_node
from mbrl_ros.settings import RealtimeConfig

WAYS = {"once": (topics.JOINT_STATES, topics.BARE_HOP_ONCE), "twice": (topics.BARE_HOP_ONCE, topics.BARE_HOP_TWICE)}


class Relay(Node):
    def __init__(self, hop: str, wanted: RealtimeConfig):
        super().__init__(f"relay_{hop}")
        heard, told = WAYS[hop]
        topics.subscription(self, heard, topics.publisher(self, told).publish)
        for missing in realtime.take(wanted):
            self.get_logger().warning(missing)


def main() -> int:
    parser = argparse.ArgumentParser(prog="relay", description=__doc__)
    parser.add_argument("hop", choices=tuple(WAYS), help="a state, or what another relay has passed on once")
    parser.add_argument("--priority", type=int, default=0, help="of SCHED_FIFO")
    parser.add_argument("--cores", default="", help="to keep to")
    args = parser.parse_args(remove_ros_args(sys.argv)[1:])
    wanted = RealtimeConfig(priority=args.priority, cores=args.cores)
    return run_node(lambda: Relay(args.hop, wanted))


if __name__ == "__main__":
    raise SystemExit(main())
