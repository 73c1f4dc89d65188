"""What a robot is to do: one file a task, rewarding in batched torch, and one line in known.py.

A task has command_size, reward(state, command) and terminated(state), and says what is good: either it has a `goal`,
the word that reports use, and at_goal(state); or its goal is None, and good is that the base follows the command
(vx, vy, wz). Where the state has bounds to stay within, violation(state) says by how much it is beyond them: 0 inside.
"""

from mbrl_ros.config import ConfigError
from mbrl_ros.known import the
from mbrl_ros.robots.features import FeatureLayout


def make_task(name: str, layout: FeatureLayout):
    """The task of that name for a robot with this layout."""
    task = the("task", name).Task(layout)
    if task.goal is None and layout.spec.base is None:
        raise ConfigError(
            f"task {name!r} has no goal but to follow a commanded velocity, and {layout.spec.name} has no base that "
            "could: give the task a goal"
        )
    return task
