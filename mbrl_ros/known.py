"""What can be chosen by name: each dict is name -> module. No torch here; a module is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from mbrl_ros.config import ConfigError

PLANNERS = {
    "shooting": "mbrl_ros.planners.shooting",
    "mppi": "mbrl_ros.planners.mppi",
    "cem": "mbrl_ros.planners.cem",
    "icem": "mbrl_ros.planners.icem",
    "gradient": "mbrl_ros.planners.gradient",
    "mcts": "mbrl_ros.planners.mcts",
    "prior": "mbrl_ros.planners.prior",
}
MODELS = {
    "l2": "mbrl_ros.dynamics.kinds.l2",
    "gaussian": "mbrl_ros.dynamics.kinds.gaussian",
    "ensemble": "mbrl_ros.dynamics.kinds.ensemble",
    "bayes": "mbrl_ros.dynamics.kinds.bayes",
    "energy": "mbrl_ros.dynamics.kinds.energy",
    "diffusion": "mbrl_ros.dynamics.kinds.diffusion",
    "physics": "mbrl_ros.dynamics.kinds.physics",
    "residual": "mbrl_ros.dynamics.kinds.residual",
}
TASKS = {
    "quadruped": "mbrl_ros.tasks.quadruped",
    "cartpole": "mbrl_ros.tasks.cartpole",
    "pendulum": "mbrl_ros.tasks.pendulum",
    "car": "mbrl_ros.tasks.car",
    "cliff": "mbrl_ros.tasks.cliff",
    "rover": "mbrl_ros.tasks.rover",
    "hand": "mbrl_ros.tasks.hand",
}
BACKENDS = {
    "mujoco": "mbrl_ros.backends.mujoco",
    "loopback": "mbrl_ros.backends.loopback",
    "analytic": "mbrl_ros.backends.analytic",
}
LAWS = {  # of motion, for the backend analytic
    "bicycle": "mbrl_ros.robots.laws.bicycle",
    "hill": "mbrl_ros.robots.laws.hill",
    "primitives": "mbrl_ros.robots.laws.primitives",
}
KINDS = {
    "planner": PLANNERS,
    "model": MODELS,
    "task": TASKS,
    "backend": BACKENDS,
    "law": LAWS,
}


def the(kind: str, name: str) -> ModuleType:
    """The module of that name; `kind` is a key of KINDS."""
    known = KINDS[kind]
    if name not in known:
        raise ConfigError(f"no {kind} {name!r}. Known: {', '.join(known)}. Add one in mbrl_ros/known.py.")
    return import_module(known[name])
