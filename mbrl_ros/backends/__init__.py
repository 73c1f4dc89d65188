"""Robots that can be stepped in-process, named in known.py; robot.py is their interface. Real ones speak ROS."""

from mbrl_ros.backends.robot import Backend
from mbrl_ros.known import the
from mbrl_ros.robots.spec import RobotSpec


def new_backend(spec: RobotSpec, seed: int, noise: bool = True, latency: float = 0.0) -> Backend:
    """The one that the robot file asks for."""
    return the("backend", spec.backend).BACKEND(spec, seed, noise, latency)
