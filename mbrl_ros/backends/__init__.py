"""Robots that can be stepped in-process, by name; robot.py is their interface. A real robot is reached over ROS."""

from mbrl_ros.backends.loopback import LoopbackBackend
from mbrl_ros.backends.mujoco import MujocoBackend

BACKENDS = {
    "mujoco": MujocoBackend,
    "loopback": LoopbackBackend,
}
