"""Does a message get from one process to another and back? `mbrl doctor` runs one of these to echo and one to ask."""

from __future__ import annotations

import argparse
import sys
import time

import rclpy
from rclpy.executors import ExternalShutdownException
from std_msgs.msg import String

ASKED, ANSWERED = "_mbrl_probe/asked", "_mbrl_probe/answered"
PATIENCE = 10.0  # s


def echo() -> int:
    """Answers until it is ended."""
    node = rclpy.create_node("probe_echo")
    publisher = node.create_publisher(String, ANSWERED, 10)
    node.create_subscription(String, ASKED, publisher.publish, 10)
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        pass  # SIGTERM: the one who asked has its answer
    return 0


def ask() -> int:
    """Prints how long it took; status 1 where no answer comes."""
    node = rclpy.create_node("probe_ask")
    publisher = node.create_publisher(String, ASKED, 10)
    answers: list[str] = []
    node.create_subscription(String, ANSWERED, lambda message: answers.append(message.data), 10)
    began, rounds = time.monotonic(), 0
    while time.monotonic() - began < PATIENCE:
        rounds += 1
        sent, word = time.monotonic(), f"{began}/{rounds}"
        publisher.publish(String(data=word))
        while time.monotonic() - sent < 0.2:
            rclpy.spin_once(node, timeout_sec=0.2)
            if word in answers:
                trip = 1e3 * (time.monotonic() - sent)
                print(f"found each other in {sent - began:.1f} s, there and back in {trip:.1f} ms")
                return 0
    print(f"no answer within {PATIENCE:g} s")
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="probe", description=__doc__)
    parser.add_argument("role", choices=("echo", "ask"))
    role = parser.parse_args(rclpy.utilities.remove_ros_args(sys.argv)[1:]).role
    rclpy.init()
    try:
        return {"echo": echo, "ask": ask}[role]()
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    raise SystemExit(main())
