"""Environments by name, `family/task`: `gymnasium/Pendulum-v1`, `dm_control/walker-walk`, `own/balanced-cartpole`."""

from __future__ import annotations

from mbrl_ros.backends import balanced_cartpole, gym
from mbrl_ros.backends.environment import Environment
from mbrl_ros.config import ConfigError

FAMILIES = {"own": balanced_cartpole.own_task, "dm_control": gym.dm_control_task, "gymnasium": gym.gymnasium_task}

TRIED = (
    "own/balanced-cartpole",
    "dm_control/cartpole-swingup",
    "dm_control/walker-walk",
    "dm_control/cheetah-run",
    "dm_control/quadruped-walk",
    "gymnasium/Pendulum-v1",
)  # by a test; every other continuous task of the families has a name as well


def make_environment(name: str, seed: int) -> Environment:
    """The environment of that name, imported only now, and ConfigError where its package is not installed."""
    family, slash, task = name.partition("/")
    if family not in FAMILIES or not slash:
        raise ConfigError(
            f"no environment {name!r}: expected {', '.join(f'{f}/NAME' for f in FAMILIES)}. Tried: {', '.join(TRIED)}"
        )
    try:
        return FAMILIES[family](name, task, seed)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{name}: there is no {error.name}: pip install mbrl_ros[gym]") from error
