"""What a robot is to do: one file a task, rewarding in batched torch.

A task has command_size, reward(state, command) and terminated(state), and says what is good: either it has a `goal`,
the word that reports use, and at_goal(state); or its goal is None, and good is to follow the command (vx, vy, wz).
"""

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.tasks.cartpole import CartpoleTask
from mbrl_ros.tasks.hand import HandTask
from mbrl_ros.tasks.quadruped import QuadrupedTask

TASKS = {"quadruped": QuadrupedTask, "cartpole": CartpoleTask, "hand": HandTask}


def make_task(name: str, layout: FeatureLayout):
    if name not in TASKS:
        raise ConfigError(f"no task {name!r}. Known: {', '.join(TASKS)}. Add one in mbrl_ros/tasks/.")
    return TASKS[name](layout)
